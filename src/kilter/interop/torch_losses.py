"""PyTorch's losses as Kilter's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn as t
from torch.nn import functional as f

from kilter import losses
from kilter.core.errors import InputError
from kilter.losses import Loss


@dataclass(frozen=True)
class Known:
    """What is known of a loss.

    Attributes:
        loss: of Kilter; None where it has none.
        name: as PyTorch calls it.
        logarithms: whether it takes log-probabilities, so that a log-softmax in front is a part of it.
        mean: whether it is a mean over the rows, rather than a sum.
    """

    loss: Loss | None
    name: str
    logarithms: bool = False
    mean: bool = True


def known(given: Any) -> Known:
    """What a module or function says of itself.

    Raises:
        InputError: it is none that can be called.
    """
    if isinstance(given, type) or not callable(given):
        raise InputError(
            f"loss must be a module or function of outputs and targets, such as nn.CrossEntropyLoss(), got {given!r}"
        )
    name = type(given).__name__ if isinstance(given, t.Module) else getattr(given, "__name__", type(given).__name__)
    logarithms = type(given) is t.NLLLoss or given is f.nll_loss
    return Known(_loss(given), name, logarithms, getattr(given, "reduction", "mean") != "sum")


def _loss(given: Any) -> Loss | None:
    made = _FUNCTIONS.get(given) if not isinstance(given, t.Module) else None
    make = _MODULES.get(type(given))
    try:
        return made if make is None else make(given)
    except InputError:
        return None


def _cross_entropy(given: t.CrossEntropyLoss | t.NLLLoss) -> Loss:
    weights = None if given.weight is None else tuple(float(each) for each in given.weight)
    return losses.SoftmaxCrossEntropy(getattr(given, "label_smoothing", 0.0), weights=weights)


def _sigmoid_cross_entropy(given: t.BCEWithLogitsLoss) -> Loss | None:
    if given.pos_weight is None:
        return losses.SigmoidCrossEntropy()
    one = given.pos_weight.numel() == 1
    return losses.SigmoidCrossEntropy(positive=float(given.pos_weight)) if one else None


def _poisson(given: t.PoissonNLLLoss) -> Loss | None:
    return losses.Poisson(full=given.full) if given.log_input else None


_MODULES: dict[type, Callable[[Any], Loss | None]] = {
    t.CrossEntropyLoss: _cross_entropy,
    t.NLLLoss: _cross_entropy,
    t.BCEWithLogitsLoss: _sigmoid_cross_entropy,
    t.BCELoss: lambda given: losses.BinaryCrossEntropy(),
    t.MSELoss: lambda given: losses.SquaredError(),
    t.L1Loss: lambda given: losses.AbsoluteError(),
    t.HuberLoss: lambda given: losses.Huber(given.delta),
    t.SmoothL1Loss: lambda given: losses.Huber(given.beta),
    t.PoissonNLLLoss: _poisson,
}
_FUNCTIONS: dict[Any, Loss] = {
    f.cross_entropy: losses.SoftmaxCrossEntropy(),
    f.nll_loss: losses.SoftmaxCrossEntropy(),
    f.binary_cross_entropy_with_logits: losses.SigmoidCrossEntropy(),
    f.binary_cross_entropy: losses.BinaryCrossEntropy(),
    f.mse_loss: losses.SquaredError(),
    f.l1_loss: losses.AbsoluteError(),
    f.huber_loss: losses.Huber(),
    f.smooth_l1_loss: losses.Huber(),
    torch.nn.functional.poisson_nll_loss: losses.Poisson(),
}
