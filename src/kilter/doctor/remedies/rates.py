"""Learning rates inside optimizers, whatever wraps them and whatever schedule they follow."""

from collections.abc import Callable
from typing import Any

from kilter.core.paths import walk
from kilter.losses import Loss
from kilter.optim import SGD, Optimizer, RMSProp, Schedule, Warmup
from kilter.optim.wrapper import Wrapper


def core(optimizer: Optimizer) -> Optimizer:
    """The optimizer inside all wrappers."""
    while isinstance(optimizer, Wrapper):
        optimizer = optimizer.inner
    return optimizer


def with_core(optimizer: Optimizer, change: Callable[[Optimizer], Optimizer]) -> Optimizer:
    """The optimizer with the one inside all wrappers changed; the wrappers stay."""
    if isinstance(optimizer, Wrapper):
        return optimizer.replace(inner=with_core(optimizer.inner, change))
    return change(optimizer)


def rate(optimizer: Optimizer) -> float | None:
    """Learning rate, of a schedule its highest by name; None for optimizers that find their steps themselves."""
    if optimizer.needs == "objective":
        return None
    return _height(getattr(core(optimizer), "lr", None))


def _height(lr: Any) -> float | None:
    if not isinstance(lr, Schedule):
        return lr
    heights = [own for _, each in walk(lr) for own in (getattr(each, "lr", None), getattr(each, "inner", None))]
    return max((each for each in heights if isinstance(each, float)), default=None, key=abs)


def with_rate(optimizer: Optimizer, wanted: float) -> Optimizer:
    """The optimizer with another rate; a schedule keeps its shape."""
    now = rate(optimizer)
    if now is None or now == wanted:
        return optimizer
    return with_core(optimizer, lambda own: own.replace(lr=at_height(getattr(own, "lr", None), wanted)))


def at_height(lr: Any, wanted: float) -> Any:
    """A number, or a schedule of the same shape, with another highest rate."""
    now = _height(lr)
    if not isinstance(lr, Schedule) or not now:
        return wanted
    return _scaled(lr, wanted, now)


def _scaled(lr: Any, wanted: float, now: float) -> Any:
    if isinstance(lr, float):
        return wanted if lr == now else lr / now * wanted
    fields = ("inner",) if isinstance(lr, Warmup) else ("lr", "schedules")
    new: dict[str, Any] = {}
    for name in fields:
        own = getattr(lr, name, None)
        if isinstance(own, tuple):
            new[name] = tuple(_scaled(each, wanted, now) for each in own)
        elif own is not None:
            new[name] = _scaled(own, wanted, now)
    return lr.replace(**new)


def usual(optimizer: Optimizer, loss: Loss) -> float | None:
    """The rate that an optimizer is usually begun with; for gradient descent it depends on the loss."""
    own = core(optimizer)
    if rate(own) is None:
        return None
    if isinstance(own, SGD):
        plain = 0.1 if loss.takes in ("logits", "probabilities") else 0.01
        return plain / 2 if own.momentum >= 0.5 else plain
    if isinstance(own, RMSProp):
        return 1e-3
    default = type(own).__dataclass_fields__["lr"].default
    return default if isinstance(default, float) else None
