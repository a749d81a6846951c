"""A remedy: one change of a recipe, with the reason for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kilter.data.dataset import Dataset
from kilter.train.recipe import Recipe


@dataclass(frozen=True)
class Remedy:
    """A function from recipe to recipe that changes one thing, and says which and why.

    It was made for one recipe, but takes others too: those that other remedies have changed already. Where nothing is left
    to change it gives the recipe back as it is.

    Attributes:
        name: stable, with its setting: ``"activation:relu"``; the part in front of the colon is its family.
        sentence: what it does to the recipe that it was made for, why, and the source.
        torch: the same in PyTorch's terms, one line.
        change: what makes the new recipe.
        trains: whether the change itself trains for some seconds to find its setting; it may then find nothing to change.
    """

    name: str
    sentence: str
    torch: str
    change: Callable[[Recipe], Recipe]
    trains: bool = False

    @property
    def family(self) -> str:
        """Its name without the setting."""
        return self.name.partition(":")[0]

    def __call__(self, recipe: Recipe) -> Recipe:
        return self.change(recipe)


# Makes the remedies of one family that may help a recipe on data; `kilter.doctor.remedies.of` leaves out what is refused.
Maker = Callable[[Recipe, Dataset], Iterator[Remedy]]
