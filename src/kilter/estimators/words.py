"""Words for parts, as scikit-learn and Keras write them: ``"relu"``, ``"he_normal"``, ``"leaky_relu"``."""

from collections.abc import Callable
from typing import Any

from kilter import nn
from kilter.core.errors import InputError
from kilter.core.values import Value

_INITIALIZERS = (
    *("Zeros", "Normal", "TruncatedNormal", "Uniform", "GlorotUniform", "GlorotNormal"),
    *("HeUniform", "HeNormal", "LeCunUniform", "LeCunNormal"),
)


def activation(given: Any) -> nn.Layer:
    """An activation by its word, or as it is.

    >>> activation("relu"), activation(nn.Tanh())
    (nn.ReLU(), nn.Tanh())
    """
    makers = {_plain(kind.__name__): kind for kind in nn.activations.ALL if kind.elementwise}
    return _made("activation", given, makers | {"logistic": nn.Sigmoid}, nn.Layer)


def initializer(given: Any) -> Any:
    """An initializer by its word, or as it is; ``None`` and ``"matched"`` leave it to the activation that follows.

    >>> initializer("zeros"), initializer(None)
    (nn.initializers.Zeros(), None)
    """
    if given is None or given == "matched":
        return None
    makers = {_plain(name): getattr(nn.initializers, name) for name in _INITIALIZERS}
    return _made("initializer", given, makers, nn.initializers.Initializer)


def normalization(given: Any) -> nn.Layer | None:
    """A normalizing layer: ``"batch"``, ``None`` for none, or a layer as it is."""
    return None if given is None else _made("normalization", given, {"batch": nn.BatchNorm}, nn.Layer)


def _plain(word: str) -> str:
    return word.lower().replace("_", "")


def _made(name: str, given: Any, makers: dict[str, Callable[[], Any]], kind: type[Value]) -> Any:
    if isinstance(given, kind):
        return given
    if isinstance(given, str) and _plain(given) in makers:
        return makers[_plain(given)]()
    words = ", ".join(map(repr, makers))
    raise InputError(f"{name} must be one of {words}, or a Kilter value such as nn.{kind.__name__}, got {given!r}")
