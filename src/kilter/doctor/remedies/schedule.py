"""A learning rate that warms up and falls."""

from collections.abc import Iterator

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.rates import core, with_core
from kilter.doctor.remedy import Remedy
from kilter.optim import Cosine, Warmup
from kilter.train.recipe import Recipe


def schedule(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Warm-up and a cosine, where the rate is a plain number."""
    if scheduled(recipe) != recipe:
        yield Remedy(
            "schedule:warmup_cosine",
            "Let the learning rate rise over the first twentieth of the updates and then fall along a cosine: first steps "
            "do no harm, last ones settle (Goyal et al. 2017; Loshchilov and Hutter 2017).",
            "SequentialLR(optimizer, [LinearLR(optimizer), CosineAnnealingLR(optimizer, steps)], [steps // 20])",
            scheduled,
        )


def scheduled(recipe: Recipe) -> Recipe:
    """The recipe with its rate on a schedule, unless it is on one or there is none."""
    lr = getattr(core(recipe.optimizer), "lr", None)
    if recipe.optimizer.needs == "objective" or not isinstance(lr, float):
        return recipe
    changed = with_core(recipe.optimizer, lambda own: own.replace(lr=Warmup(Cosine(lr))))
    return recipe.replace(optimizer=changed)
