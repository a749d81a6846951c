"""What of a space can be trained: built, fitting the data, not too large; looked at once a structure."""

from dataclasses import dataclass, field
from typing import Any

from kilter.core import trees
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.nn.layer import shapes
from kilter.search.dimension import Point
from kilter.search.space import Space
from kilter.train.check import check
from kilter.train.pattern import pattern
from kilter.train.recipe import Recipe, structure


@dataclass(frozen=True)
class Gate:
    """Builds the recipes of a search and refuses those that cannot be trained.

    Attributes:
        space: that is searched.
        data: to train on.
        max_params: most parameters of a network; None: any number.
        verdicts: sentence of refusal, or None where there is none, by pattern or else by structure: numbers change nothing
            about it, and widths and activations nothing within a pattern.
    """

    space: Space
    data: Dataset
    max_params: int | None = None
    verdicts: dict[Any, str | None] = field(default_factory=dict)

    def built(self, point: Point) -> Recipe:
        """The recipe at a point.

        Raises:
            InputError: it cannot be built, does not fit the data, or has too many parameters.
        """
        recipe = self.space.build(point)
        key = pattern(recipe, self.data) or structure(recipe)
        if key not in self.verdicts:
            self.verdicts[key] = self._refusal(recipe)
        refusal = self.verdicts[key] or self._too_large(recipe)
        if refusal is not None:
            raise InputError(refusal)
        return recipe

    def _refusal(self, recipe: Recipe) -> str | None:
        try:
            check(recipe, self.data)
        except InputError as error:
            return str(error)
        return None

    def _too_large(self, recipe: Recipe) -> str | None:
        if self.max_params is None:
            return None
        count = trees.size(shapes(recipe.net, self.data.shape)[0])
        if count <= self.max_params:
            return None
        return f"the network has {count:,} parameters, more than max_params={self.max_params:,}"
