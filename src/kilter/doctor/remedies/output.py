"""The head that fits loss and target: number of outputs, what stands behind them, and the loss."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import Parts, Place, apart, spliced, with_weighted
from kilter.doctor.remedy import Remedy
from kilter.losses import BinaryCrossEntropy, Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy, SquaredError
from kilter.nn.activations import Activation, Identity, Sigmoid, Softmax
from kilter.nn.layer import Layer, Weighted
from kilter.train.recipe import Recipe


def output(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Linear outputs with the loss that goes with them, and the smallest repair that keeps the loss."""
    parts = apart(recipe.net)
    shown = " and ".join(repr(layer) for layer in _closing(parts)) or "no activation"
    whole = partial(linear_output, data=data)
    new = whole(recipe)
    if new != recipe:
        numbers = data.target.task == "numbers"
        taken = "" if new.loss == recipe.loss else f" with {new.loss!r} in place of {recipe.loss!r}"
        yield Remedy(
            "output:linear" if numbers else "output:logits",
            f"Let the net end in a linear layer{taken}; behind its last layer stands {shown}: "
            + (_UNBOUNDED if numbers else _ON_LOGITS),
            "nn.MSELoss() on the last nn.Linear"
            if numbers
            else f"{_torch(new.loss)} on the last nn.Linear, no softmax",
            whole,
        )
    small = partial(_repaired, data=data)
    if small(recipe) != recipe:
        wanted = _fitting(recipe.loss, parts, data)
        then = "no activation" if wanted is None else repr(wanted)
        yield Remedy(
            "output:activation",
            f"Behind the last layer put {then} in place of {shown}: this is what {recipe.loss!r} takes on "
            f"{data.target.task} (Bishop 2006, section 4.3.6).",
            "no activation behind the last nn.Linear" if wanted is None else f"nn.{type(wanted).__name__}() at the end",
            small,
        )


_UNBOUNDED = (
    "a squashing output cannot reach all targets, and has no slope where it is far off (Bishop 2006, section 5.2)."
)
_ON_LOGITS = (
    "cross-entropy on logits is exact at any size, and its gradient does not vanish where the net is surely wrong "
    "(Bishop 2006, section 4.3.6)."
)


def linear_output(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with linear outputs, as many as needed, and a loss for them."""
    parts = apart(recipe.net)
    loss = _loss(recipe.loss, parts.head, data)
    return recipe.replace(net=_ending(recipe.net, parts, loss, None, data), loss=loss)


def _repaired(recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe with what its loss takes behind the head."""
    parts = apart(recipe.net)
    if not _usable(recipe.loss, data):
        return recipe
    wanted = _fitting(recipe.loss, parts, data)
    return recipe.replace(net=_ending(recipe.net, parts, recipe.loss, wanted, data))


def _loss(loss: Loss, head: Place | None, data: Dataset) -> Loss:
    """The loss itself where it takes linear outputs on such targets, else the usual one."""
    task = data.target.task
    if task == "numbers":
        return loss if loss.takes != "probabilities" and _usable(loss, data) else SquaredError()
    if task == "labels":
        return loss if isinstance(loss, SigmoidCrossEntropy) else SigmoidCrossEntropy()
    if loss.takes in ("logits", "margins") and _usable(loss, data):
        return loss
    return SigmoidCrossEntropy() if data.classes == 2 and _units(head) == 1 else SoftmaxCrossEntropy()


def _usable(loss: Loss, data: Dataset) -> bool:
    try:
        return bool(loss.outputs(data.train.y, data.classes))
    except InputError:
        return False


def _fitting(loss: Loss, parts: Parts, data: Dataset) -> Activation | None:
    """The activation to stand behind the head: the one that does, where it fits; None for none."""
    closing = _closing(parts)
    own = closing[0] if len(closing) == 1 else None
    several = _units(parts.head) != 1 and data.target.task == "classes"
    if loss.takes == "probabilities" or (loss.takes == "values" and data.target.task != "numbers"):
        squashing = Softmax() if several and not isinstance(loss, BinaryCrossEntropy) else Sigmoid()
        if loss.takes == "values" and not closing:
            return None  # distances do without
        return own if isinstance(own, Softmax | Sigmoid) and (several or isinstance(own, Sigmoid)) else squashing
    return None


def _closing(parts: Parts) -> list[Activation]:
    """Activations behind the head."""
    return [place.layer for place in parts.tail if isinstance(place.layer, Activation) and place.bends]


def _ending(net: Layer, parts: Parts, loss: Loss, activation: Activation | None, data: Dataset) -> Layer:
    """The network with as many outputs as the loss wants, and nothing behind them but one activation and pooling."""
    if parts.head is None:
        return net
    counts = loss.outputs(data.train.y, data.classes)
    units = _units(parts.head)
    edits: dict[str, tuple[Layer, ...]] = {}
    if units is not None and units not in counts:
        edits[parts.head.path] = (with_weighted(parts.head, lambda layer: _sized(layer, counts[0])),)
    kept = [place for place in parts.tail if not _superfluous(place)]
    edits |= {place.path: () for place in parts.tail if _superfluous(place)}
    if activation is not None:
        last = kept[-1] if kept else parts.head
        edits[last.path] = (*edits.get(last.path, (last.layer,)), activation)
    return spliced(net, edits)


def _superfluous(place: Place) -> bool:
    return place.bends or place.norm or place.dropout or isinstance(place.layer, Identity)


def _units(head: Place | None) -> int | None:
    own: Any = None if head is None else head.weighted
    return getattr(own, "units", None)


def _sized(layer: Weighted, units: int) -> Weighted:
    return layer.replace(units=units)


def _torch(loss: Loss) -> str:
    return "nn.BCEWithLogitsLoss()" if isinstance(loss, SigmoidCrossEntropy) else "nn.CrossEntropyLoss()"
