"""Monte-Carlo dropout: dropout left on while predicting, so that the spread of many passes says how sure the network is."""

from collections.abc import Callable
from typing import Any

import jax

from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.paths import walk
from kilter.data.targets import Target
from kilter.nn.layer import Layer
from kilter.nn.settled import settled
from kilter.train.prediction import Array, Prediction

Pass = Callable[[Layer, Any], tuple[Array, Array | None]]


def sampled(net: Layer, target: Target, run: Pass, samples: int, seed: int) -> Prediction:
    """Mean and spread of so many passes. Gal and Ghahramani 2016, equations 6 and 7.

    Each sample is one thinned network, drawn from the seed and the sample's number, and all rows go through it; so the
    result of a row depends on that row alone. Norms use their averages as at inference.

    Args:
        net: the network.
        target: what it predicts.
        run: from a network and a key to its predictions in the target's own unit, with their noise.
        samples: number of passes, at least 2.
        seed: of the draws.

    Raises:
        InputError: fewer than two samples, or a network in which nothing draws.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 2:
        raise InputError(f"samples must be a whole number of at least 2, got {samples!r}")
    if not any(isinstance(value, Layer) and value.draws for _, value in walk(net)):
        raise InputError(
            "net: nothing in it draws at random, so all samples would be the same; put nn.Dropout() in and train again, "
            "or leave samples out and use kl.ensemble for a spread"
        )
    key, fixed = named(jax.random.key(check_seed(seed)), "predict"), settled(net)
    return Prediction.of(target, ((1.0, *run(fixed, jax.random.fold_in(key, index))) for index in range(samples)))
