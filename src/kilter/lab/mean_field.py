"""How deep signals and gradients live in wide nets, by the mean-field theory of random weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kilter import nn

Array = np.ndarray[Any, Any]
KINDS: dict[str, nn.Activation] = {
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "selu": nn.SELU(),
    "batch_norm": nn.ReLU(),
    "residual": nn.ReLU(),
}
# Middles of small steps, so that no jump of a slope at zero stands on a node; and the standard normal there.
_NODES = (np.arange(4000) + 0.5) / 250 - 8
_WEIGHTS = np.exp(-(_NODES**2) / 2)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
# Mean squares between which signals settle; beyond, they have vanished or exploded.
_ENDS = (1e-12, 1e12)


def depth_scale(kind: str, sigmas: Any) -> Array:
    """Layers over which gradients change by a factor of e in the mean square, 1 / |ln chi|; of nets without biases.

    Without norm the mean square of a signal settles where q = sigma^2 E[f(sqrt(q) z)^2], and chi = sigma^2
    E[f'(sqrt(q) z)^2]. Batch norm takes sigma off again, and chi = pi / (pi - 1) behind it with ReLU in large batches.
    With shortcuts around both gradients grow as a power of the depth alone: chi = 1, and there is no scale.

    Args:
        kind: ``"tanh"``, ``"relu"``, ``"selu"``, ``"batch_norm"`` or ``"residual"``.
        sigmas: weights have the variance sigma^2 / inputs.

    >>> depth_scale("relu", [1.0, 2.0]).round(3).tolist()
    [1.443, 1.443]

    Source: Poole et al. 2016, section 2; Schoenholz et al. 2017, section 4; Yang et al. 2019, section 4 (batch norm).
    """
    sigmas = np.asarray(sigmas, float)
    if kind == "residual":
        return np.full(sigmas.shape, np.inf)
    chi = np.full(sigmas.shape, np.pi / (np.pi - 1)) if kind == "batch_norm" else _chi(KINDS[kind], sigmas)
    return 1 / np.maximum(np.abs(np.log(chi)), 1e-9)


def _chi(activation: nn.Activation, sigmas: Array) -> Array:
    low, high = (np.full(sigmas.shape, np.log(end)) for end in _ENDS)
    for _ in range(60):  # halves the interval, as the share of the mean square that a layer keeps falls with it
        middle = (low + high) / 2
        grows = sigmas**2 * _mean_square(activation, np.exp(middle)) > np.exp(middle)
        low, high = np.where(grows, middle, low), np.where(grows, high, middle)
    return sigmas**2 * _mean_square(activation.derivative, np.exp(low))


def _mean_square(f: Callable[[Any], Any], squares: Array) -> Array:
    """E[f(sqrt(q) z)^2] for each q."""
    return np.square(np.asarray(f((np.sqrt(squares)[..., None] * _NODES).astype(np.float32)), float)) @ _WEIGHTS
