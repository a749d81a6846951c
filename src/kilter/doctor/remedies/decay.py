"""What pulls weights towards zero: taken out, weakened, put in."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.rates import core, rate, with_core
from kilter.doctor.remedy import Remedy
from kilter.losses import L2
from kilter.optim import Adam
from kilter.train.recipe import Recipe

_STRENGTH = 1e-4
# Share of the weights that all updates together take, over the root of their number; and the most that makes sense.
_NORMALIZED, _MOST = 0.05, 3.0


def decay(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """All changes of penalty and weight decay."""
    if undecayed(recipe) != recipe:
        yield Remedy(
            "decay:none",
            "Take out what pulls the weights towards zero and may outweigh the loss (Goodfellow et al. 2016, section 7.1).",
            "weight_decay=0",
            undecayed,
        )
        yield Remedy(
            "decay:x0.01",
            "Weaken what pulls the weights towards zero to a hundredth, so that the loss decides "
            "(Goodfellow et al. 2016, section 7.1).",
            "weight_decay / 100",
            _weakened,
        )
    else:
        yield Remedy(
            "decay:l2",
            f"Pull the weights towards zero by a penalty of {_STRENGTH:g} / 2 times their squares, so that rows are not "
            "learned by heart (Krogh and Hertz 1992).",
            f"torch.optim.SGD(..., weight_decay={_STRENGTH:g})",
            _penalized,
        )
        shrinking = partial(_shrinking, rows=len(data.train))
        if shrinking(recipe) != recipe:
            strength = getattr(core(shrinking(recipe).optimizer), "weight_decay", 0.0)
            yield Remedy(
                "decay:adamw",
                f"Let every update of Adam shrink the weights besides, by {strength:g} times the rate, a strength for this "
                "number of updates (Loshchilov and Hutter 2019, appendix B.1).",
                f"torch.optim.AdamW(..., weight_decay={strength:g})",
                shrinking,
            )
    if _on_kernels(recipe) != recipe:
        yield Remedy(
            "decay:kernels",
            "Let the penalty pull on kernels alone: biases and the scales of norms do not overfit "
            "(Goodfellow et al. 2016, section 7.1).",
            "parameter groups with weight_decay=0 for biases and norms",
            _on_kernels,
        )


def undecayed(recipe: Recipe) -> Recipe:
    """The recipe without penalty and weight decay."""
    return _decaying(recipe, 0.0).replace(penalty=None)


def _weakened(recipe: Recipe) -> Recipe:
    own = getattr(core(recipe.optimizer), "weight_decay", 0.0)
    return _decaying(recipe, own / 100).replace(penalty=jax.tree.map(lambda each: each / 100, recipe.penalty))


def _decaying(recipe: Recipe, strength: float) -> Recipe:
    if not getattr(core(recipe.optimizer), "weight_decay", 0.0):
        return recipe
    return recipe.replace(optimizer=with_core(recipe.optimizer, lambda own: own.replace(weight_decay=strength)))


def _penalized(recipe: Recipe) -> Recipe:
    return recipe.replace(penalty=L2(_STRENGTH)) if undecayed(recipe) == recipe else recipe


def _shrinking(recipe: Recipe, rows: int) -> Recipe:
    own, now = core(recipe.optimizer), rate(recipe.optimizer)
    if undecayed(recipe) != recipe or not isinstance(own, Adam) or not now or now < 0:
        return recipe
    updates = max(1, recipe.epochs * math.ceil(rows / recipe.batch_size))
    strength = float(f"{min(_MOST, _NORMALIZED / (now * math.sqrt(updates))):.2g}")

    def shrunk(adam: Any) -> Any:
        return adam.replace(weight_decay=strength)

    return recipe.replace(optimizer=with_core(recipe.optimizer, shrunk))


def _on_kernels(recipe: Recipe) -> Recipe:
    if recipe.penalty is None or recipe.penalty.on == "kernels":
        return recipe
    return recipe.put("penalty.on", "kernels")
