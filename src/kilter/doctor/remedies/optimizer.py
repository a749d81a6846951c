"""Another optimizer inside the same wrappers: Adam, or gradient descent with momentum."""

from collections.abc import Iterator
from typing import Any

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.rates import at_height, core, with_core
from kilter.doctor.remedy import Remedy
from kilter.optim import SGD, Adam, Optimizer
from kilter.train.recipe import Recipe

_ADAM, _SGD, _MOMENTUM = 1e-3, 0.05, 0.9


def optimizer(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Adam at its usual rate, and momentum."""
    old = type(core(recipe.optimizer)).__name__
    if adaptive(recipe) != recipe:
        yield Remedy(
            "optimizer:adam",
            f"Replace {old} by Adam at a rate of {_ADAM:g}: every weight gets steps of its own size, whatever the scale of "
            "its gradient (Kingma and Ba 2015).",
            f"torch.optim.Adam(model.parameters(), lr={_ADAM:g})",
            adaptive,
        )
    if _with_momentum(recipe) != recipe:
        yield Remedy(
            "optimizer:momentum",
            f"Replace {old} by gradient descent with momentum {_MOMENTUM:g} at a rate of {_SGD:g}: steps add up along "
            "narrow valleys and cancel across them (Polyak 1964; Sutskever et al. 2013).",
            f"torch.optim.SGD(model.parameters(), lr={_SGD:g}, momentum={_MOMENTUM:g})",
            _with_momentum,
        )


def adaptive(recipe: Recipe) -> Recipe:
    """The recipe with Adam, unless it has it; schedule and decoupled decay stay."""
    return recipe.replace(optimizer=with_core(recipe.optimizer, _adam))


def _adam(old: Optimizer) -> Optimizer:
    if isinstance(old, Adam):
        return old
    return Adam(_rate(old, _ADAM), weight_decay=getattr(old, "weight_decay", 0.0))


def _with_momentum(recipe: Recipe) -> Recipe:
    return recipe.replace(optimizer=with_core(recipe.optimizer, _momentum))


def _momentum(old: Optimizer) -> Optimizer:
    if isinstance(old, SGD) and old.momentum >= 0.5:
        return old
    return SGD(_rate(old, _SGD), momentum=_MOMENTUM)


def _rate(old: Optimizer, wanted: float) -> Any:
    """The rate on the old one's schedule, if it had one."""
    return wanted if old.needs == "objective" else at_height(getattr(old, "lr", None), wanted)
