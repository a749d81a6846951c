"""Preprocessing: fitted on the training rows, kept with the run, undone on predictions where it was on targets."""

from typing import ClassVar

from kilter.core.listed import Listed
from kilter.core.specs import part
from kilter.data.arrays import Array
from kilter.data.tallies import Pieces, Sample

Statistics = dict[str, Array]


class Preprocess(Listed, abstract=True):
    """Base of all preprocessing: a value that learns statistics of training rows and transforms rows by them.

    Class attributes:
        formula: what it does to a row.
    """

    home: ClassVar[str] = "kl.data"

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        """Statistics of training rows ``(rows, *shape)``, float64 arrays by name; ``weights`` ``(rows,)`` count rows."""
        raise NotImplementedError

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        """The same of rows that come piece by piece, in one pass; what needs all of them at once is of the sample."""
        return self.fit(*sample)

    def apply(self, statistics: Statistics, x: Array) -> Array:
        """Transform rows, to float32 of the same shape."""
        raise NotImplementedError

    def invert(self, statistics: Statistics, x: Array) -> Array:
        """Undo `apply`, as far as it can be undone."""
        raise NotImplementedError


class Steps(Preprocess):
    """One preprocessing after the other, each fitted on what the one before gives.

    >>> from kilter import data
    >>> Steps(data.Robust(), data.SmoothClip())
    kl.data.Steps(kl.data.Robust(), kl.data.SmoothClip())
    """

    formula = "x -> steps[-1](... steps[0](x))"
    source = "composition"
    choose = "Where one is not enough, as with a robust scale followed by a smooth clip."

    steps: tuple[Preprocess, ...] = part(kinds=Preprocess, many=True)

    def __init__(self, *steps: Preprocess) -> None:
        self._fill({"steps": steps})

    def fit(self, x: Array, weights: Array | None = None) -> Statistics:
        found: Statistics = {}
        for index, step in enumerate(self.steps):
            own = step.fit(x, weights)
            x = step.apply(own, x)
            found |= {f"{index}.{name}": values for name, values in own.items()}
        return found

    def fit_pieces(self, pieces: Pieces, sample: Sample) -> Statistics:
        found: Statistics = {}
        for index, step in enumerate(self.steps):
            own = step.fit_pieces(pieces, sample)
            pieces, sample = _after(step, own, pieces), (step.apply(own, sample[0]), sample[1])
            found |= {f"{index}.{name}": values for name, values in own.items()}
        return found

    def apply(self, statistics: Statistics, x: Array) -> Array:
        for index, step in enumerate(self.steps):
            x = step.apply(_own(statistics, index), x)
        return x

    def invert(self, statistics: Statistics, x: Array) -> Array:
        for index, step in reversed(list(enumerate(self.steps))):
            x = step.invert(_own(statistics, index), x)
        return x


def _after(step: Preprocess, statistics: Statistics, pieces: Pieces) -> Pieces:
    """The pieces behind a step."""
    return lambda: ((step.apply(statistics, x), weights) for x, weights in pieces())


def _own(statistics: Statistics, index: int) -> Statistics:
    """Statistics of one step."""
    start = f"{index}."
    return {name.removeprefix(start): values for name, values in statistics.items() if name.startswith(start)}
