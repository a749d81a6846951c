"""SGD crosses a narrow valley at every step, momentum and scaled steps pass it; all learn with a tuned rate."""

import numpy as np
import pytest
import torch

import kilter as kl
from kilter.core.errors import InputError
from kilter.lab import words
from kilter.lab.landscapes import LANDSCAPES, gaps, paths

SETTINGS = {"optimizers": ("sgd", "momentum", "adam"), "rates": (0.01, 0.1), "epochs": 3, "seeds": 2, "steps": 40}


def reached(made, optimizer, on):
    found = made.frame[(made.frame.optimizer == optimizer) & (made.frame.on == on)]
    return found.reached.item()


TORCH = {
    "momentum": lambda p: torch.optim.SGD([p], 0.001, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD([p], 0.001, momentum=0.9, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad([p], 0.001),
    "adam": lambda p: torch.optim.Adam([p], 0.001),
}


@pytest.mark.parametrize("word", TORCH)
def test_ways_are_those_of_pytorch(word):
    """On Rosenbrock's function; float32 against float64."""
    place = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = TORCH[word](place)
    for _ in range(10):
        optimizer.zero_grad()
        ((1 - place[0]) ** 2 + 100 * (place[1] - place[0] ** 2) ** 2).backward()
        optimizer.step()
    found = paths([words.optimizer(word, 0.001)], 10)[0, list(LANDSCAPES).index("rosenbrock"), -1]
    np.testing.assert_allclose(found, place.detach().numpy(), rtol=1e-4)


def test_sgd_crosses_the_valley_at_every_step():
    """On x^2/20 + y^2 each step multiplies x by 1 - lr/10 and y by 1 - 2 lr, here -0.8."""
    way = paths([words.optimizer("sgd", 0.9)], 8)[0, 0]
    steps = np.arange(9)
    np.testing.assert_allclose(way, np.stack([-7 * 0.91**steps, 2 * (-0.8) ** steps], 1), rtol=1e-4)


def test_heights_are_above_the_least():
    at_minima = np.array([[[1.0 * 0, 0.0]], [[1.0, 1.0]], [[0.0, -1.0]]])
    np.testing.assert_allclose(gaps(at_minima), 0, atol=1e-7)


def test_all_come_down_every_surface(made):
    for word in SETTINGS["optimizers"]:
        assert reached(made, word, "valley") < 0.1
        assert reached(made, word, "saddle") < 0.1
        assert reached(made, word, "rosenbrock") < 5


def test_momentum_passes_the_curved_valley_and_sgd_does_not(made):
    assert reached(made, "momentum", "rosenbrock") < reached(made, "sgd", "rosenbrock") / 2


def test_all_learn_with_the_better_rate(made):
    """The loss at chance is log 10 = 2.3."""
    for word in SETTINGS["optimizers"]:
        assert reached(made, word, "data") < 1.0


def test_it_can_be_repeated_and_drawn(made, again):
    assert again.told.rows == made.told.rows
    assert len(made.figure().axes) == 3 * 3 + 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizers": ("sgdd",)}, "optimizer must be one of"),
        ({"optimizers": ()}, "optimizers must hold"),
        ({"rates": ()}, "rates must hold"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"steps": 0}, "steps must be at least 1"),
    ],
)
def test_settings_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        kl.lab.optimizers(**given)
