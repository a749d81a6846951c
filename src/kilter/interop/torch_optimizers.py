"""PyTorch's optimizers as Kilter's, and copies of them for copies of a module."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from kilter import losses, optim
from kilter.core.errors import InputError
from kilter.losses import Penalty
from kilter.optim import Optimizer

# An optimizer, or what makes one of parameters: ``lambda params: torch.optim.SGD(params, 0.1)``.
Given = torch.optim.Optimizer | Callable[..., torch.optim.Optimizer] | None


@dataclass(frozen=True)
class Known:
    """What is known of an optimizer.

    Attributes:
        optimizer: of Kilter; None where it has none.
        penalty: what its weight decay is where it goes through the gradient.
        decay: strength of the pull on the weights, coupled or not.
        name: as PyTorch calls it.
    """

    optimizer: Optimizer | None
    penalty: Penalty | None
    decay: float
    name: str


def known(given: torch.optim.Optimizer) -> Known:
    """What an optimizer says of itself: the settings of the group with most numbers in it."""
    group = max(given.param_groups, key=lambda group: sum(each.numel() for each in group["params"]))
    decay = float(group.get("weight_decay", 0.0) or 0.0)
    decoupled = type(given) is torch.optim.AdamW or group.get("decoupled_weight_decay", False)
    penalty = losses.L2(decay, on="all") if decay > 0 and not decoupled else None
    return Known(_made(type(given), group, decay if decoupled else 0.0), penalty, decay, type(given).__name__)


def bound(
    given: Given, module: torch.nn.Module, original: torch.nn.Module, memo: dict[int, Any]
) -> torch.optim.Optimizer:
    """An optimizer of a copied module's parameters.

    Args:
        given: an optimizer of the original's parameters, a factory, or None for Adam as it comes.
        module: the copy.
        original: that was copied.
        memo: of the copying: what was copied to what.

    Raises:
        InputError: it is neither, or the optimizer is not one of this module.
    """
    if given is None:
        return torch.optim.Adam(module.parameters())
    if isinstance(given, torch.optim.Optimizer):
        own = {id(each) for each in original.parameters()}
        if not any(id(each) in own for group in given.param_groups for each in group["params"]):
            raise InputError("optimizer: it has no parameter of this module; make it of module.parameters()")
        return _copied(given, memo)
    made = given(module.parameters()) if callable(given) else None
    if not isinstance(made, torch.optim.Optimizer):
        raise InputError(
            f"optimizer must be a torch.optim.Optimizer, or a function that makes one of parameters, got {given!r}"
        )
    return made


def _copied(given: torch.optim.Optimizer, memo: dict[int, Any]) -> torch.optim.Optimizer:
    """A copy with its state; what PyTorch leaves out of copies (L-BFGS's list of parameters) is copied, too."""
    made = copy.deepcopy(given, memo)
    for name, value in vars(given).items():
        if name not in vars(made) and not name.startswith("_zero_grad") and not callable(value):
            setattr(made, name, copy.deepcopy(value, memo))
    return made


def _made(kind: type, group: dict[str, Any], decoupled: float) -> Optimizer | None:
    make = _OPTIMIZERS.get(kind)
    lr = float(group.get("lr", 0.0))
    try:
        return None if make is None else make(-lr if group.get("maximize") else lr, group, decoupled)
    except InputError:
        return None


def _adam(kind: Any) -> Callable[[float, dict[str, Any], float], Optimizer]:
    def make(lr: float, g: dict[str, Any], decoupled: float) -> Optimizer:
        more = {"weight_decay": decoupled} if "weight_decay" in kind._specs else {}
        more |= {"amsgrad": True} if g.get("amsgrad") else {}
        return kind(lr, b1=float(g["betas"][0]), b2=float(g["betas"][1]), epsilon=g["eps"], **more)

    return make


_OPTIMIZERS: dict[type, Callable[[float, dict[str, Any], float], Optimizer]] = {
    torch.optim.SGD: lambda lr, g, _: optim.SGD(lr, momentum=g["momentum"], nesterov=g["nesterov"]),
    torch.optim.Adam: _adam(optim.Adam),
    torch.optim.AdamW: _adam(optim.AdamW),
    torch.optim.NAdam: _adam(optim.Nadam),
    torch.optim.RAdam: _adam(optim.RAdam),
    torch.optim.Adamax: _adam(optim.Adamax),
    torch.optim.RMSprop: lambda lr, g, _: optim.RMSProp(
        lr, decay=g["alpha"], momentum=g["momentum"], epsilon=g["eps"], centered=g["centered"]
    ),
    torch.optim.Adagrad: lambda lr, g, _: optim.AdaGrad(lr, initial=g["initial_accumulator_value"], epsilon=g["eps"]),
    torch.optim.Adadelta: lambda lr, g, _: optim.Adadelta(lr, decay=g["rho"], epsilon=g["eps"]),
}
