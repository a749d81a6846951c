"""What a fleet is told: which members on which data, and from where to where."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kilter.core.journal import Journal
from kilter.data.dataset import Dataset
from kilter.train.foresight import Foresight
from kilter.train.keeper import Keeper
from kilter.train.outcome import Outcome
from kilter.train.paused import Paused
from kilter.train.recipe import Recipe
from kilter.train.run import Run
from kilter.train.visits import Visitor
from kilter.vitals.watch import Watch


@dataclass(frozen=True)
class Task:
    """What is trained, and from where to where.

    Attributes:
        members: a recipe and a seed each.
        data: to train on.
        start: a run whose weights all begin with, rather than fresh ones.
        bootstrap: whether each seed goes through a sample of the rows of its own.
        until: the epoch after which members pause; None: they go on to their last.
        paused: the members as they were, all paused after the same epoch, to go on from there; empty: they begin.
        foresight: programs that were chosen before; None: they are chosen for these members alone.
        watch: what is measured while they train; None: nothing.
        journal: that epochs are noted in; None: in none.
        places: of the members in the journal; empty: 0, 1, 2, ...
        stride: the epochs of one in so many members are noted.
        keeper: that checkpoints are left with; None: with none.
        devices: that the batches of each member are spread over.
        shard: whether these keep the optimizer's state in shards; None: where memory asks for it.
        visitor: who looks at them on their way and may end them; None: nobody.
    """

    members: Sequence[tuple[Recipe, int]]
    data: Dataset
    start: Run | None = None
    bootstrap: bool = False
    until: int | None = None
    paused: Sequence[Paused] = ()
    foresight: Foresight | None = None
    watch: Watch | None = None
    journal: Journal | None = None
    places: Sequence[int] = ()
    stride: int = 1
    keeper: Keeper | None = None
    devices: int = 1
    shard: bool | None = None
    visitor: Visitor | None = None

    def take(self, indices: Sequence[int]) -> "Task":
        """The same for some of the members."""
        paused = [self.paused[index] for index in indices] if self.paused else ()
        places = [self.places[index] for index in indices] if self.places else indices
        return replace(self, members=[self.members[index] for index in indices], paused=paused, places=places)

    def place(self, index: int) -> int:
        """The place of a member in the journal."""
        return int(self.places[index]) if self.places else int(index)

    @property
    def seats(self) -> list[int]:
        """Places of the members."""
        return list(map(self.place, range(len(self.members))))

    @property
    def first(self) -> int:
        """Epochs that all members have behind them."""
        return self.paused[0].epochs if self.paused else 0

    def last(self, recipe: Recipe) -> int:
        """The epoch after which a member ends or pauses."""
        return recipe.epochs if self.until is None else min(self.until, recipe.epochs)

    def pauses(self, index: int, outcome: Any) -> bool:
        """Whether a member that ended with this code of an outcome is to be trained on."""
        recipe, _ = self.members[index]
        return int(outcome) == Outcome.FINISHED.code and self.last(recipe) < recipe.epochs
