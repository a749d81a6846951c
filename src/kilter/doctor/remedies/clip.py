"""Gradients held below a limit."""

from collections.abc import Iterator

from kilter.core.paths import walk
from kilter.data.dataset import Dataset
from kilter.doctor.remedy import Remedy
from kilter.optim import ClipByGlobalNorm
from kilter.optim.wrapper import Clipping
from kilter.train.recipe import Recipe


def clip(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """The whole gradient at most 1 in norm."""
    if clipped(recipe) != recipe:
        yield Remedy(
            "clip",
            "Hold the norm of the whole gradient below 1, its direction kept, so that one steep place cannot throw the "
            "weights far off (Pascanu et al. 2013).",
            "nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step()",
            clipped,
        )


def clipped(recipe: Recipe) -> Recipe:
    """The recipe with its gradients clipped, unless they are or the optimizer takes none."""
    optimizer = recipe.optimizer
    held = any(isinstance(each, Clipping) for _, each in walk(optimizer))
    if held or optimizer.needs == "objective":
        return recipe
    return recipe.replace(optimizer=ClipByGlobalNorm(optimizer, 1.0))
