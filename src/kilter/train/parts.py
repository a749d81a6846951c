"""From a recipe to what the compiled program needs of it."""

from kilter.data.dataset import Dataset
from kilter.nn.precision import net_in
from kilter.optim.optimizer import Optimizer
from kilter.train.check import deciding_metric
from kilter.train.recipe import Recipe
from kilter.train.step import Parts


def parts_of(recipe: Recipe, data: Dataset, optimizer: Optimizer) -> Parts:
    """The parts of a recipe, with its optimizer as it is to be used: every schedule of a known length."""
    return Parts(
        net_in(recipe.precision, recipe.net),
        recipe.loss,
        optimizer,
        recipe.stopping,
        deciding_metric(recipe, data),
        recipe.penalty,
        recipe.constraint,
        recipe.augment,
    )
