"""Constraints: every member is a projection, as PyTorch's renorm where it has one, and holds after every update."""

import jax
import numpy as np
import pytest
import torch

import kilter as kl
from kilter import optim

DRAW = np.random.default_rng(0)
PARAMS = {
    "kernel": 3 * DRAW.normal(size=(4, 3)).astype(np.float32),
    "bias": -10 * np.ones(3, np.float32),
    "window": DRAW.normal(size=(3, 3, 2, 5)).astype(np.float32),
    "zero": np.zeros((2, 2), np.float32),
}
HOLDS = {
    optim.MaxNorm: lambda w: (np.linalg.norm(w.reshape(-1, w.shape[-1]), axis=0) <= 3.0 + 1e-5).all(),
    optim.UnitNorm: lambda w: not w.any() or np.allclose(np.linalg.norm(w.reshape(-1, w.shape[-1]), axis=0), 1.0),
    optim.NonNegative: lambda w: (w >= 0).all(),
}


@pytest.mark.parametrize("kind", optim.CONSTRAINTS)
def test_every_constraint_is_a_projection_of_kernels(kind):
    once = jax.jit(kind())(PARAMS)
    twice = kind()(once)
    for name in ("kernel", "window", "zero"):
        assert HOLDS[kind](np.asarray(once[name])), name
        np.testing.assert_allclose(twice[name], once[name], rtol=1e-6)
    assert (once["kernel"] != PARAMS["kernel"]).any()
    np.testing.assert_array_equal(once["bias"], PARAMS["bias"])
    assert (kind(on="all")(PARAMS)["bias"] != PARAMS["bias"]).any()
    assert kind.from_json(kind(on="all").to_json()) == kind(on="all")


def test_max_norm_as_renorm_in_torch():
    found = optim.MaxNorm(1.5)(PARAMS)
    for name in ("kernel", "window"):
        weights = torch.tensor(PARAMS[name])
        expected = torch.renorm(weights, p=2, dim=weights.ndim - 1, maxnorm=1.5)
        np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-4)


def test_it_holds_after_training_and_not_without(small_recipe, iris):
    free = kl.train(small_recipe, iris, progress=False)
    held = kl.train(small_recipe.replace(constraint=optim.MaxNorm(0.7)), iris, progress=False)

    def longest(run):
        return max(np.linalg.norm(p["kernel"], axis=0).max() for p in run.params if p)

    assert longest(free) > 0.9
    assert longest(held) <= 0.7 + 1e-5
