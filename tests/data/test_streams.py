"""Streams: what is read piece by piece is what tables and arrays give, whatever the source; bad input is one sentence."""

import datetime
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import dataset, parquet

import kilter as kl
from kilter import data
from kilter.core.errors import DoubtWarning, FileError, InputError
from kilter.core.pages import Pages
from kilter.data.streams.budget import Budget
from kilter.data.streams.lots import lots
from kilter.data.streams.windows import window_size, windows

ROWS = 600
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(ROWS, 3)).astype(np.float32)
Y = np.where(X[:, 0] > 0, "yes", "no")
FRAME = pd.DataFrame(
    {
        "age": np.where(np.arange(ROWS) % 7 == 3, np.nan, X[:, 0]),
        "height": X[:, 1],
        "town": [("rome", "bern", "oslo", None)[place] for place in DRAW.integers(0, 4, ROWS)],
        "since": [datetime.date(2020, 1 + place % 12, 1 + place % 28) for place in range(ROWS)],
        "price": X[:, 2].astype(np.float64),
    }
)


def parquet_files(folder, frame, files=3, group=50):
    for number, part in enumerate(np.array_split(np.arange(len(frame)), files)):
        parquet.write_table(
            pa.Table.from_pandas(frame.iloc[part]), folder / f"part-{number}.parquet", row_group_size=group
        )
    return folder


def rows_of(stream, blocks=None):
    parts = list(stream.feed.parts(blocks))
    return np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return parquet_files(tmp_path_factory.mktemp("table"), FRAME)


def test_a_stream_of_files_encodes_as_the_table_in_memory(folder):
    whole = data.from_table(FRAME, "price", validation=0)
    stream = data.stream(folder, target="price", validation=0)
    assert stream.names == whole.names
    assert stream.door == whole.door
    assert stream.rows == ROWS
    x, y = rows_of(stream)
    np.testing.assert_array_equal(x, whole.train.x)
    np.testing.assert_array_equal(y, whole.train.y)


@pytest.mark.parametrize("kind", ["path", "list", "pattern", "dataset", "table", "batches", "frames", "filtered"])
def test_every_kind_of_source_gives_the_same_rows(kind, folder):
    table = pa.Table.from_pandas(FRAME)
    sources = {
        "path": lambda: str(folder),
        "list": lambda: sorted(folder.iterdir()),
        "pattern": lambda: str(folder / "part-*.parquet"),
        "dataset": lambda: dataset.dataset(folder),
        "table": lambda: table,
        "batches": lambda: lambda: iter(table.to_batches(max_chunksize=70)),
        "frames": lambda: lambda: (FRAME.iloc[first : first + 90] for first in range(0, ROWS, 90)),
        "filtered": lambda: dataset.dataset(folder).filter(dataset.field("height") < 1e9),
    }
    x, y = rows_of(data.stream(sources[kind](), target="price", validation=0))
    whole = data.from_table(FRAME, "price", validation=0)
    np.testing.assert_array_equal(x, whole.train.x)
    np.testing.assert_array_equal(y, whole.train.y)


@pytest.mark.parametrize("kind", ["arrays", "paths", "mapped", "batches", "triples"])
def test_arrays_come_as_they_are(kind, tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    ones = np.ones(ROWS)
    sources = {
        "arrays": (X, Y),
        "paths": (tmp_path / "x.npy", str(tmp_path / "y.npy")),
        "mapped": (np.load(tmp_path / "x.npy", mmap_mode="r"), Y),
        "batches": lambda: ((X[first : first + 64], Y[first : first + 64]) for first in range(0, ROWS, 64)),
        "triples": [
            (X[first : first + 64], Y[first : first + 64], ones[first : first + 64]) for first in range(0, ROWS, 64)
        ],
    }
    stream = data.stream(sources[kind], validation=0)
    x, y = rows_of(stream)
    np.testing.assert_array_equal(x, X)
    assert stream.target.classes == ("no", "yes")
    np.testing.assert_array_equal(np.array(stream.target.classes)[y], Y)


def test_the_rows_held_out_and_those_trained_on_are_all_the_rows(folder):
    stream = data.stream(folder, target="price", validation=0.2, test=0.1, seed=3)
    held = [stream.validation, stream.test]
    assert stream.rows + sum(map(len, held)) == ROWS
    x, _ = rows_of(stream)
    together = np.concatenate([x, *(part.x for part in held)])
    height = stream.names.index("height")  # has no gaps, which are filled with the median of the rows to train on
    np.testing.assert_array_equal(np.sort(together[:, height]), np.sort(X[:, 1]))
    assert 0.2 * ROWS * 0.7 < len(stream.validation) < 0.2 * ROWS * 1.3
    again = data.stream(folder, target="price", validation=0.2, test=0.1, seed=3)
    np.testing.assert_array_equal(again.validation.x, stream.validation.x)
    other = data.stream(folder, target="price", validation=0.2, test=0.1, seed=4)
    assert len(other.validation) != len(stream.validation) or (other.validation.x != stream.validation.x).any()


def test_what_is_held_keeps_within_the_budget():
    x = DRAW.normal(size=(40_000, 10)).astype(np.float32)
    stream = data.stream((x, x[:, 0]), validation=0.5, memory="1MiB")
    held = stream.train.x.nbytes + stream.validation.x.nbytes
    assert held <= Budget.of("1MiB").pool
    assert len(stream.validation) > 2 * len(stream.train) > 100
    assert stream.rows == len(x) - len(stream.validation)
    assert any("fewer rows are held out" in note for note in stream.notes)


def test_what_the_sample_lacks_is_seen_beside_it():
    """One gap, one rare category and one column that is constant but for a row, among rows that are too many to hold."""
    count = 40_000
    frame = pd.DataFrame({"a": DRAW.normal(size=count), "flag": 0.0, "kind": "usual", "y": DRAW.normal(size=count)})
    frame.loc[count - 5, "a"] = np.nan
    frame.loc[17, "flag"] = 1.0
    frame.loc[count // 2, "kind"] = "rare"
    stream = data.stream(pa.Table.from_pandas(frame), target="y", memory="1MiB")
    assert stream.names == ("a", "a is missing", "flag", "kind=rare", "kind=usual")


def test_classes_that_come_late_are_known():
    labels = np.zeros(40_000, int)
    labels[1::2] = 1
    labels[-1] = 7
    x = DRAW.normal(size=(40_000, 10)).astype(np.float32)
    assert data.stream((x, labels), memory="1MiB").target.classes == (0, 1, 7)


def test_an_order_of_blocks_is_a_permutation_of_the_seed_and_the_epoch():
    stream = data.stream((np.zeros((100_000, 1), np.float32), np.arange(100_000) % 2), validation=0)
    orders = [stream.feed.order(epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(25)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert tuple(stream.feed.order(1)) == tuple(orders[1])


def test_lots_are_even_and_independent_of_where_one_begins():
    drawn = lots(5, 0, 100_000)
    np.testing.assert_array_equal(drawn[777:1777], lots(5, 777, 1000))
    counts = np.histogram(drawn, 20, (0, 1))[0]
    chi2 = ((counts - 5000) ** 2 / 5000).sum()
    assert chi2 < 43.8  # of 19 degrees of freedom, exceeded once in a thousand
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 4 / np.sqrt(len(drawn))
    assert abs(np.corrcoef(drawn, lots(6, 0, 100_000))[0, 1]) < 4 / np.sqrt(len(drawn))


@pytest.mark.parametrize("kind", data.PREPROCESSING, ids=lambda kind: kind.__name__)
def test_preprocessing_learns_from_pieces_what_it_learns_from_all(kind):
    x = (X * [1, 100, 1e-3] + [0, 1e4, 5]).astype(np.float32)
    weights = DRAW.uniform(0.2, 2, ROWS).astype(np.float32)
    for own in (None, weights):
        whole = kind().fit(x, own)

        def pieces(own=own):
            return ((x[at : at + 77], None if own is None else own[at : at + 77]) for at in range(0, ROWS, 77))

        found = kind().fit_pieces(pieces, (x, own))
        assert found.keys() == whole.keys()
        applied = kind().apply(found, x), kind().apply(whole, x)
        np.testing.assert_allclose(*applied, rtol=1e-5, atol=1e-5)
        for name in whole if kind not in (data.PCAWhitening, data.ZCAWhitening, data.CholeskyWhitening) else ():
            np.testing.assert_allclose(found[name], whole[name], rtol=1e-12)


def test_steps_and_parts_of_the_features_learn_from_pieces():
    step = data.Steps(data.Only((0, 2), data.Standardize()), data.MinMax(), data.PCAWhitening())
    whole = step.fit(X)
    found = step.fit_pieces(lambda: ((X[at : at + 100], None) for at in range(0, ROWS, 100)), (X, None))
    np.testing.assert_allclose(np.abs(step.apply(found, X)), np.abs(step.apply(whole, X)), rtol=1e-4, atol=1e-4)


def test_images_are_scaled_by_channel_from_pieces():
    images = DRAW.uniform(size=(50, 4, 4, 3)).astype(np.float32)
    found = data.ChannelStandardize().fit_pieces(
        lambda: ((images[at : at + 7], None) for at in range(0, 50, 7)), (images, None)
    )
    whole = data.ChannelStandardize().fit(images)
    np.testing.assert_allclose(found["offset"], whole["offset"], rtol=1e-12)
    np.testing.assert_allclose(found["scale"], whole["scale"], rtol=1e-10)


def test_rows_without_a_target_are_left_out_with_a_word(tmp_path):
    frame = FRAME.copy()
    frame.loc[::10, "price"] = np.nan
    with pytest.warns(DoubtWarning, match="60 of 600 rows are left out"):
        stream = data.stream(parquet_files(tmp_path, frame), target="price", validation=0)
    assert stream.rows == 540 == len(rows_of(stream)[0])


def test_a_source_of_its_own_is_held_out():
    stream = data.stream((X, Y), validation=(X[:50], Y[:50]))
    assert stream.rows == ROWS
    np.testing.assert_array_equal(stream.validation.x, X[:50])


BAD = {
    "iterator": (lambda: iter([(X, Y)]), {}, "can be gone through only once.*give a function"),
    "nothing": (lambda: lambda: iter(()), {}, "is empty"),
    "number": (lambda: 3, {}, "source is a int"),
    "batch": (lambda: [X], {}, "needed is a pair"),
    "no target": (lambda: pa.Table.from_pandas(FRAME), {}, "needs target="),
    "unknown target": (lambda: pa.Table.from_pandas(FRAME), {"target": "prize"}, "did you mean 'price'"),
    "pair with a target": (lambda: [(X, Y)], {"target": "price"}, "leave target out"),
    "lengths": (lambda: (X, Y[1:]), {}, "unequal length"),
    "shapes": (lambda: [(X, Y), (X[:, :2], Y)], {}, r"shape \(2,\), but \(3,\) before"),
    "infinite": (
        lambda: (np.where(X[40, 1] == X, np.inf, X), Y),
        {},
        "rows from 0: x holds 1 values that are not finite",
    ),
    "infinite cells": (
        lambda: pa.Table.from_pandas(FRAME.assign(height=np.inf)),
        {"target": "price"},
        "dataset column 'height' holds infinite values",
    ),
    "huge": (lambda: pa.table({"a": [1e300, 1.0], "y": [0, 1]}), {"target": "y"}, "beyond what float32 can hold"),
    "lists": (lambda: pa.table({"a": [[1], [2]], "y": [0, 1]}), {"target": "y"}, "column 'a' holds list values"),
    "no weight": (lambda: (X, Y, np.zeros(ROWS)), {}, "no row of source arrays has a weight above 0"),
    "nan": (lambda: [(X, Y), (X * np.nan, Y)], {}, "not finite"),
    "one class": (lambda: (X, np.zeros(ROWS, int)), {}, "one class only"),
    "kinds": (lambda: [(X, Y), (X, np.zeros(ROWS))], {}, "y holds numbers, but text before"),
    "memory": (lambda: (X, Y), {"memory": "a lot"}, "memory must be"),
    "too little": (lambda: (X, Y), {"memory": 1000}, "at least 1MiB"),
    "shares": (lambda: (X, Y), {"validation": 1.5}, r"a share in \[0, 1\)"),
    "few": (lambda: (X[:4], X[:4, 0]), {"validation": 0.001}, "too few to hold out"),
    "missing file": (lambda: "no/such.parquet", {"target": "price"}, "there is no such file"),
    "csv": (lambda: __file__, {"target": "price"}, "the ending must be"),
    "nothing like it": (lambda: "no/such-*.parquet", {"target": "price"}, "there are no Parquet files"),
    "npy": (lambda: (__file__, Y), {}, "it is no .npy file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    make, given, told = BAD[name]
    source = make()
    with pytest.raises(InputError, match=told) as caught:
        data.stream(source, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda part: part.drop(columns="town"), "lacks the columns 'town'"),
        (lambda part: part.assign(age="old"), "column 'age' holds .*string, but float in"),
    ],
)
def test_files_whose_columns_change_are_named(change, told, tmp_path):
    parquet_files(tmp_path, FRAME)
    bad = tmp_path / "part-1.parquet"
    change(FRAME.iloc[:100]).to_parquet(bad)
    with pytest.raises(FileError, match=told) as caught:
        data.stream(tmp_path, target="price")
    assert str(bad) in str(caught.value)


def test_frames_whose_columns_change_are_refused():
    parts = [FRAME.iloc[:300], FRAME.iloc[300:].assign(town=3.0)]
    with pytest.raises(InputError, match="source column 'town' holds double, but large_string before"):
        data.stream(lambda: iter(parts), target="price")


@pytest.mark.parametrize("damage", ["short", "inside", "text"])
def test_a_corrupt_file_is_named(damage, tmp_path):
    parquet_files(tmp_path, FRAME)
    bad = tmp_path / "part-2.parquet"
    content = bad.read_bytes()
    if damage == "short":
        bad.write_bytes(content[: len(content) // 2])
    elif damage == "inside":
        bad.write_bytes(content[:4] + bytes(2000) + content[2004:])
    else:
        bad.write_text("age,height\n1,2\n")
    with pytest.raises(FileError, match="corrupt or no Parquet file") as caught:
        data.stream(tmp_path, target="price")
    assert str(bad) in str(caught.value)


def test_a_stream_that_gives_other_rows_the_second_time_is_refused():
    passes = []

    def shrinking():
        passes.append(None)
        return ((X[at : at + 100], Y[at : at + 100]) for at in range(0, ROWS if len(passes) == 1 else 300, 100))

    stream = data.stream(shrinking, validation=0)
    with pytest.raises(FileError, match="only 300 rows came, but there were 600"):
        list(stream.feed.parts())


@pytest.mark.parametrize(
    ("size", "count"), [("1GiB", 2**30), ("1.5 MiB", 3 << 19), (2**21, 2**21), ("2GB", 2 * 10**9), ("4096k", None)]
)
def test_sizes(size, count):
    if count is None:
        with pytest.raises(InputError, match="memory"):
            Budget.of(size)
    else:
        assert Budget.of(size).all == count


def test_recipes_reckon_with_all_rows():
    x = DRAW.normal(size=(40_000, 10)).astype(np.float32)
    stream = data.stream((x, x[:, 0]), memory="1MiB")
    assert kl.recipes.plain(stream).batch_size == 256


def test_pages_are_used_again_when_nothing_refers_to_them():
    import jax

    pages = Pages()
    first = pages.room((1000, 4), np.float32)
    first[:] = 1
    place, part = first.ctypes.data, first[10:20]
    del first
    assert pages.room((1000, 4), np.float32).ctypes.data != place  # the part still refers to them
    del part
    again = pages.room((1000, 4), np.float32)
    assert again.ctypes.data == place
    again[:] = 2
    on_device = jax.device_put(again)
    del again
    other = pages.room((1000, 4), np.float32)
    other[:] = 3
    assert (np.asarray(on_device) == 2).all()


@pytest.mark.parametrize("batch", [32, 100])
def test_windows_hold_every_row_once_and_fill_up_the_last_batch_with_the_first_rows(batch):
    rows = np.arange(9001, dtype=np.float32)[:, None] * np.ones(10, np.float32)
    feed = data.stream((rows, rows[:, 0]), validation=0, memory="1MiB").feed
    size = window_size(feed, batch)
    epochs = [list(windows(feed, size, batch, epoch, True, lambda part: part)) for epoch in (0, 1)]
    for found in epochs:
        assert all(window.rows == size for window in found[:-1])
        assert len(found) > 3
        seen = np.concatenate([window.part.x[: window.rows, 0] for window in found])
        np.testing.assert_array_equal(np.sort(seen), rows[:, 0])
        last = found[-1]
        missing = -last.rows % batch
        np.testing.assert_array_equal(last.part.x[last.rows : last.rows + missing, 0], seen[:missing])
        np.testing.assert_array_equal(last.part.x[:, 0], last.part.y[:, 0])
    assert (epochs[0][0].part.x != epochs[1][0].part.x).any()
    for window, again in zip(epochs[0][2:], windows(feed, size, batch, 0, True, lambda part: part, 2), strict=True):
        np.testing.assert_array_equal(window.part.x[: window.rows], again.part.x[: window.rows])
        assert window.rows == again.rows


@pytest.mark.parametrize("lacking", [0, 40], ids=["whole", "without some targets"])
@pytest.mark.parametrize("start", [1, 4, 40])
def test_windows_behind_the_training_are_not_read_again(tmp_path, monkeypatch, start, lacking):
    """Where a row without a target does not hide how many there are, row groups are passed over by their numbers."""
    target = pd.Series(np.arange(9001.0)).where(np.arange(9001) >= lacking)
    frame = pd.DataFrame({f"x{index}": np.arange(9001.0) for index in range(20)} | {"y": target})
    parquet_files(tmp_path, frame, group=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtWarning)
        feed = data.stream(tmp_path, target="y", validation=0.2, memory="1MiB").feed
    size, reads, read = window_size(feed, 30), [], type(feed.source).read
    found = list(windows(feed, size, 30, 1, True, lambda part: part))

    def noted(source, block, rows):
        reads.append(block)
        return read(source, block, rows)

    monkeypatch.setattr(type(feed.source), "read", noted)
    rest = list(windows(feed, size, 30, 1, True, lambda part: part, start))
    assert len(rest) == max(0, len(found) - start)
    for window, again in zip(found[start:], rest, strict=True):
        filled = slice(0, -(-window.rows // 30) * 30)
        np.testing.assert_array_equal(window.part.x[filled], again.part.x[filled])
        assert window.rows == again.rows
    if lacking:
        assert len(reads) == len(feed.lengths)
    else:
        assert len(reads) <= len(feed.lengths) * max(0, 1 - start / len(found)) + 3


def test_reading_kilter_needs_no_arrow():
    code = "import sys, kilter; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
