"""The seam between a search and what trains its trials: in this process, or elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from kilter.core.journal import Journal
from kilter.data.dataset import Dataset
from kilter.search.fleets import Ended, Group, Members, trained
from kilter.train.foresight import Company, Foresight

# Whether someone or the time has ended the search.
Over = Callable[[], bool]
# Trains groups, those that go on from the members given, and yields trials as they end, in any order. It stops where the
# search is over; what had not ended then is not yielded, and nor is anything of a fleet that was interrupted.
Crew = Callable[[Sequence[Group], Members, Over], Iterator[list[Ended]]]


class Runner(ABC):
    """Where the trials of a search are trained. A member defines `crew`."""

    @abstractmethod
    def crew(self, data: Dataset, seeds: tuple[int, ...], company: Company) -> AbstractContextManager[Crew]:
        """What trains the groups of one search, until the block ends.

        Args:
            data: of the search.
            seeds: of each trial.
            company: recipes like those that will come.
        """


@dataclass(frozen=True)
class Here(Runner):
    """Trains in this process, one group after the other, and notes the epochs in a journal where there is one."""

    journal: Journal | None = None

    @contextmanager
    def crew(self, data: Dataset, seeds: tuple[int, ...], company: Company) -> Iterator[Crew]:
        foresight = Foresight.of(company, data)

        def train(groups: Sequence[Group], members: Members, over: Over) -> Iterator[list[Ended]]:
            for group in groups:
                if over():
                    return
                for ended in trained(group, data, seeds, members, foresight, self.journal):
                    yield ended
                    if over():
                        return

        yield train
