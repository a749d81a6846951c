"""Datasets of tables: files or frames with numbers, categories, text, dates and gaps."""

from pathlib import Path
from typing import Any

from kilter.data.dataset import Dataset

HeldTable = float | str | Path | Any


def from_table(
    source: Any,
    target: str,
    *,
    validation: HeldTable = 0.2,
    test: HeldTable = 0.0,
    seed: int = 0,
    task: str | None = None,
    weights: Any = None,
    categories: str = "one_hot",
) -> Dataset:
    """Make a dataset of a table; every column but the target becomes features.

    Numbers stay as they are (``inputs=kl.data.Standardize()`` of a recipe scales them), their gaps are filled with the
    median; categories become a feature of zeros and ones for each value; text with many values is hashed by its
    pieces; dates become days, year, month, day, weekday and hour. A further feature says where values were missing.
    Medians, values and whatever else is learned comes from the training rows alone. What is left out or guessed stands
    in ``.notes``, the names of the features in ``.names``; a run keeps in its ``door`` how to encode new rows.

    Args:
        source: path of a CSV (``.csv``, ``.tsv``, ``.csv.gz``, UTF-8, with a header) or Parquet file, a pandas or
            polars DataFrame, an Arrow table, or columns by name.
        target: name of the column to predict; rows without a value in it are left out, with a `DoubtWarning`.
        validation: share of the rows held out, 0 for none, or a table of one's own, with the target column.
        test: the same for the test part.
        seed: of the split; classes keep their shares in every part.
        task: ``"classes"``, ``"labels"`` or ``"numbers"``; guessed from the target where it is left open.
        weights: weight of each example in the training loss: name of a column, or one number a row.
        categories: ``"one_hot"``, or ``"codes"``: one feature a column of categories, with the number of the value, as
            `kilter.nn.Embedding` takes it. ``.categories`` then says how many each feature has; scale the others alone, by
            ``inputs=kl.data.Only(columns, kl.data.Standardize())``.

    Raises:
        FileError: a file that is not there, empty, ragged, not UTF-8, or corrupt.
        InputError: a table without the target, without rows or without features, columns that hold lists or mixtures,
            numbers that are infinite or beyond float32, a target that cannot be learned.

    >>> wages = {"age": [31, 42, 58, None], "sex": ["f", "m", "m", "f"], "wage": [20.5, 19.0, 31.5, 25.0]}
    >>> data = from_table(wages, "wage", validation=0)
    >>> data
    Dataset(table: train 4 rows; inputs (4,); numbers)
    >>> data.names
    ('age', 'age is missing', 'sex=f', 'sex=m')
    >>> from_table(wages, "wage", validation=0, categories="codes").categories
    (0, 0, 2)
    """
    from kilter.data.assemble import assemble  # reads by pyarrow, which importing kilter shall not pay for

    return assemble(source, target, {"validation": validation, "test": test}, seed, task, weights, categories)
