"""Words for parts in settings of experiments: those of the estimators, and some that take a number: ``"normal(0.01)"``."""

import re
from typing import Any

from kilter import nn, optim
from kilter.core.errors import InputError
from kilter.optim.optimizer import Optimizer

_NUMBERED = {
    "normal": nn.initializers.Normal,
    "truncated_normal": nn.initializers.TruncatedNormal,
    "uniform": nn.initializers.Uniform,
    "constant": nn.initializers.Constant,
}
_OPTIMIZERS = {
    "sgd": optim.SGD,
    "momentum": lambda lr: optim.SGD(lr, momentum=0.9),
    "nesterov": lambda lr: optim.SGD(lr, momentum=0.9, nesterov=True),
    "adagrad": optim.AdaGrad,
    "rmsprop": optim.RMSProp,
    "adam": optim.Adam,
}


def some(**given: tuple[Any, ...]) -> None:
    """Refuse settings that name nothing.

    Raises:
        InputError: names the setting.
    """
    for name, values in given.items():
        if not values:
            raise InputError(f"{name} must hold at least one, got ()")


def activation(word: str) -> nn.Layer:
    """An element-wise activation.

    >>> activation("leaky_relu")
    nn.LeakyReLU()
    """
    from kilter.estimators import words  # scikit-learn takes a second to import

    return words.activation(word)


def initializer(word: str, behind: nn.Layer) -> nn.initializers.Initializer:
    """An initializer, in brackets the number of those that need one; ``"matched"`` goes by the activation behind.

    >>> initializer("normal(0.5)", nn.ReLU()), initializer("he_normal", nn.ReLU())
    (nn.initializers.Normal(0.5), nn.initializers.HeNormal())
    """
    from kilter.estimators import words  # scikit-learn takes a second to import

    found = re.fullmatch(r"(\w+)\((.*)\)", word)
    if found is None:
        return words.initializer(word) or nn.initializers.Matched(behind)
    name, number = found.groups()
    if name not in _NUMBERED or not re.fullmatch(r"[-+]?\d*\.?\d+(e[-+]?\d+)?", number):
        raise InputError(
            f"initializer {word!r}: with a number in brackets it must be one of {', '.join(_NUMBERED)}, "
            "as in 'normal(0.01)'"
        )
    return _NUMBERED[name](float(number))


def optimizer(word: str, lr: float) -> Optimizer:
    """An optimizer with a learning rate; momentum is 0.9.

    >>> optimizer("momentum", 0.1)
    optim.SGD(0.1, momentum=0.9)
    """
    if word not in _OPTIMIZERS:
        raise InputError(f"optimizer must be one of {', '.join(_OPTIMIZERS)}, got {word!r}")
    return _OPTIMIZERS[word](lr)
