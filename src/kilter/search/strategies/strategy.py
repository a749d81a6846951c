"""The contract of a strategy: asks for trials, is told scores, and knows nothing of networks or devices."""

from collections.abc import Sequence
from typing import ClassVar, Self

from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.core.listed import Listed
from kilter.search.dimension import Dimension
from kilter.search.strategies.state import Ask, State


class Strategy(Listed, abstract=True):
    """Base of all strategies: values whose memory is a `State` outside of them. A member defines `next`.

    Scores are higher-is-better numbers, or tuples of such where there are several objectives: strategies that go by
    `State.ranked` need not know. NaN is a trial that failed. A trial may be a step of a longer one: an ask says up
    to which epoch to train, and with whose weights to begin. Simple strategies leave both open.

    The next ask depends on the record and the seed alone. So the same seed asks the same, a state read from JSON goes on as
    the one written, the order of telling within a batch does not matter, and asking 8 at once is asking 3 and then 5.

    Class attributes:
        formula: what it asks for.
        batch: trials that are best asked for at once: they train side by side, but none learns from the others.
        latest: whether scores are those of the last epoch, which tell how good a network is now, rather than of its best.

    >>> from kilter.search.dimension import Dimension
    >>> from kilter.search.strategies import Random
    >>> state = Random().init((Dimension("lr", 1e-4, 1e-1, "log"),), seed=0)
    >>> state, asks = Random().ask(state, 2)
    >>> state = Random().tell(state, asks, [0.7, float("nan")])
    >>> state.pending
    False
    """

    home: ClassVar[str] = "kl.strategies"
    batch: ClassVar[int] = 64
    latest: ClassVar[bool] = False

    def next(self, state: State) -> Ask | None:
        """The next trial, or ``None``: more must be told first or, where no trial is out, the search is over."""
        raise NotImplementedError

    def init(self, dimensions: Sequence[Dimension], seed: int = 0) -> State:
        """The empty record.

        Raises:
            InputError: ``epochs`` is still open; `over` fills it in.
        """
        if getattr(self, "epochs", 0) is None:
            raise InputError(f"{self!r}: epochs is open; give it, or use .over(epochs) to fill in the recipe's")
        return State(tuple(dimensions), check_seed(seed))

    def ask(self, state: State, n: int) -> tuple[State, tuple[Ask, ...]]:
        """Up to ``n`` trials. None at all, with no trial out: the search is over."""
        before = len(state.asks)
        while len(state.asks) < before + n and (ask := self.next(state)) is not None:
            state = state.asked(ask)
        return state, state.asks[before:]

    def tell(self, state: State, asks: Sequence[Ask], scores: Sequence[float | Sequence[float]]) -> State:
        """Record the scores of trials that are out, in any order and number.

        Raises:
            InputError: a trial is not out, or the numbers of trials and scores differ.
        """
        if len(asks) != len(scores):
            raise InputError(f"a score a trial is needed, got {len(scores)} for {len(asks)} trials")
        return state.told({ask.id: score for ask, score in zip(asks, scores, strict=True)})

    def resumable(self, state: State) -> set[int]:
        """Trials that later asks may name as their parent, told or not; those of asks that are out need not be in it."""
        return set(range(len(state.asks))) - {ask.parent for ask in state.asks}

    def over(self, epochs: int) -> Self:
        """A copy whose ``epochs``, where it has any and they were left open, are those of a recipe."""
        return self.replace(epochs=epochs) if getattr(self, "epochs", epochs) is None else self
