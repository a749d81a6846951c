"""Data that memory need not hold: a dataset whose training rows are read again in every epoch."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from kilter.data.arrays import Array
from kilter.data.dataset import Dataset
from kilter.data.preprocess import Preprocess, Statistics

if TYPE_CHECKING:
    from kilter.data.streams.feed import Feed  # reads by pyarrow, which importing kilter shall not pay for


@dataclass(frozen=True)
class Stream(Dataset):
    """A dataset of which some rows are held and the others are read.

    Attributes:
        train: a sample of the training rows, drawn by the seed: what stands for them where a few are enough, as in metrics
            of the training part, quantiles, vitals and reports.
        validation: rows that decide; held.
        test: rows that nothing looks at before the end; held.
        feed: reads the training rows.
    """

    feed: "Feed" = field(kw_only=True, repr=False)

    @property
    def rows(self) -> int:
        return self.feed.rows

    @property
    def passing(self) -> int:
        return self.feed.budget.passing

    @property
    def unseen(self) -> bytes:
        feed = self.feed
        return repr((feed.lengths, feed.held, feed.seed, feed.rows, feed.weight)).encode()

    @property
    def sample(self) -> Dataset:
        return Dataset(**{each.name: getattr(self, each.name) for each in fields(Dataset)})

    def learned(self, preprocess: Preprocess, what: str) -> Statistics:
        def pieces() -> Iterator[tuple[Array, Array | None]]:
            return ((getattr(part, what), part.weights) for part in self.feed.parts())

        return preprocess.fit_pieces(pieces, (getattr(self.train, what), self.train.weights))

    def __repr__(self) -> str:
        held = {name: part for name, part in self.parts.items() if name != "train"}
        counts = "".join(f", {name} {len(part)}" for name, part in held.items())
        kind = f"{self.classes} classes" if self.classes else self.target.task
        return f"Stream({self.title}: train {self.rows}{counts} rows; inputs {self.shape}; {kind})"


def stream(
    source: Any,
    *,
    target: str | None = None,
    validation: Any = 0.1,
    test: Any = 0.0,
    seed: int = 0,
    task: str | None = None,
    weights: Any = None,
    categories: str = "one_hot",
    memory: int | str = "1GiB",
) -> Stream:
    """Make a dataset of rows that memory need not hold; `kilter.train` reads them again in every epoch.

    The rows are read once when the stream is made, to learn how to encode them, as `from_table` and `from_arrays` do; once
    more for preprocessing that needs all of them; and once an epoch. While a window of rows trains the next one is read.
    In every epoch of a recipe that shuffles, blocks (row groups of files, 4096 rows of arrays) come in a new order, and so
    do the rows of a window; without, rows come in the order of the source, and the run is that of the same rows in memory.

    Medians, categories and the kind of a column or of the target are learned from a sample of the rows and all gaps, ends
    and texts (up to 4096 a column) that were seen beside it; from all rows where these fit into the sample.

    Args:
        source: Parquet files (a path, a list of paths, a folder, or a pattern such as ``"part-*.parquet"``); a
            ``pyarrow.dataset.Dataset``; a pair ``(x, y)`` of arrays, mapped arrays or paths of ``.npy`` files; or a
            function that makes an iterator of batches: pairs ``(x, y)``, triples ``(x, y, weights)``, or with a target
            Arrow record batches or frames. A function is called once a pass and must give the same rows.
        target: name of the column to predict, where rows are tables.
        validation: share of the rows held out, drawn by the seed and the number of the row; fewer where memory does not
            hold them, which stands in ``.notes``; or a source of one's own.
        test: the same for the test part.
        seed: of what is held out and of the order of blocks.
        task: as for `from_table`.
        weights: weight of each example in the training loss: name of a column, or an array beside ``(x, y)``.
        categories: as for `from_table`.
        memory: bytes, or a size such as ``"512MiB"``, that the rows may take, whatever their number; at least ``"1MiB"``.
            The network, its programs and the libraries come on top.

    Raises:
        FileError: a file that is not there, corrupt, or whose columns are not those of the first.
        InputError: an empty source, an iterator that can be gone through only once, columns that change on the way, numbers
            that are not finite, a target that cannot be learned.

    >>> import numpy as np
    >>> x = np.eye(10, dtype=np.float32)
    >>> stream((x, np.arange(10) % 2), validation=0)
    Stream(arrays: train 10 rows; inputs (10,); 2 classes)
    """
    from kilter.data.streams.making import made  # reads by pyarrow, which importing kilter shall not pay for

    return made(source, target, {"validation": validation, "test": test}, seed, task, weights, categories, memory)
