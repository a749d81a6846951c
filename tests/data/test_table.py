"""Tables: from messy files and frames to finite features, and back from JSON with the same bits."""

import datetime
import gzip
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import DoubtWarning, FileError, InputError
from kilter.data.doors import door_from_dict

ROWS = 120


@pytest.fixture(scope="module")
def messy() -> pd.DataFrame:
    """Numbers, truth, categories, dates in two forms, free text, a key, a constant, gaps."""
    rng = np.random.default_rng(0)
    age = np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(40, 9, ROWS).round(2))
    color = rng.choice(["red", "green", "blue"], ROWS)
    frame = pd.DataFrame(
        {
            "age": age,
            "rooms": rng.integers(1, 7, ROWS),
            "owner": rng.random(ROWS) < 0.5,
            "color": color,
            "signed": pd.date_range("2020-01-01", periods=ROWS, freq="97h"),
            "born": pd.date_range("1990-01-10", periods=ROWS, freq="9D").strftime("%d/%m/%Y"),
            "remark": [f"a {word} of {number}" for word, number in zip(color, rng.integers(0, 999, ROWS), strict=True)],
            "key": [f"k{index:04d}" for index in range(ROWS)],
            "row_id": np.arange(ROWS),
            "kind": "house",
            "wage": (np.nan_to_num(age, nan=40) + 10 * (color == "red")).round(3),
        }
    )
    frame.loc[[3, 50], "color"] = None
    frame.loc[5, "signed"] = pd.NaT
    return frame


@pytest.fixture(scope="module")
def sources(messy: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("tables")
    messy.to_csv(folder / "wages.csv", index=False)
    messy.to_csv(folder / "numbered.csv")
    messy.to_csv(folder / "semicolons.csv", index=False, sep=";")
    messy.to_csv(folder / "wages.tsv", index=False, sep="\t")
    (folder / "marked.csv").write_bytes(b"\xef\xbb\xbf" + (folder / "wages.csv").read_bytes().replace(b"\n", b"\r\n"))
    (folder / "wages.csv.gz").write_bytes(gzip.compress((folder / "wages.csv").read_bytes()))
    messy.to_parquet(folder / "wages.parquet")
    pl.from_pandas(messy).write_parquet(folder / "polars.parquet")
    files = {path.name: path for path in folder.iterdir()}
    columns = {name: messy[name].tolist() for name in messy}
    backward = messy[messy.columns[::-1]]
    return {"pandas": messy, "polars": pl.from_pandas(messy), "columns": columns, "backward": backward, **files}


def through_json(door):
    return door_from_dict(json.loads(json.dumps(door.to_dict(), allow_nan=False)))


def features(columns, **options):
    """Dataset of columns with a numeric target beside them, all rows for training."""
    rows = len(next(iter(columns.values())))
    return kl.data.from_table({**columns, "y": np.arange(rows) + 0.5}, "y", validation=0, **options)


def named(data) -> dict[str, list[float]]:
    return dict(zip(data.names, data.train.x.T.tolist(), strict=True))


# what it is for


def test_trains_saves_and_predicts_the_same(messy, sources, tmp_path):
    data = kl.data.from_table(sources["wages.csv"], target="wage", test=0.1, seed=1)
    assert data.title == "wages"
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(1))
    recipe = kl.Recipe(
        net,
        loss=losses.SquaredError(),
        optimizer=optim.Adam(1e-3),
        inputs=kl.data.Standardize(),
        batch_size=32,
        epochs=2,
    )
    run = kl.train(recipe, data, seed=0, progress=False)
    new = messy.drop(columns="wage").iloc[:20]
    expected = run.predict(new)
    assert expected.shape == (20,)
    assert np.isfinite(expected).all()
    again = kl.load(run.save(tmp_path / "run"))
    assert again.names == data.names
    np.testing.assert_array_equal(again.predict(new), expected)
    np.testing.assert_array_equal(again.predict(sources["wages.csv"])[:20], expected)
    with pytest.raises(InputError, match="lacks the column 'age'"):
        again.predict(new.drop(columns="age"))


def test_every_source_gives_the_same_features(sources):
    reference = kl.data.from_table(sources["pandas"], "wage", seed=3)
    for name, source in sources.items():
        data = kl.data.from_table(source, "wage", seed=3)
        order = [data.names.index(feature) for feature in reference.names]
        np.testing.assert_array_equal(data.train.x[:, order], reference.train.x, err_msg=name)
        np.testing.assert_array_equal(data.validation.x[:, order], reference.validation.x, err_msg=name)
        np.testing.assert_array_equal(data.train.y, reference.train.y, err_msg=name)
        np.testing.assert_array_equal(reference.door.enter(source), through_json(data.door).enter(source)[:, order])


def test_notes_say_what_was_left_out_and_guessed(sources):
    data = kl.data.from_table(sources["wages.csv"], "wage")
    for part in (
        "'born' is read as dates written as %d/%m/%Y",
        "'remark' has",
        "'key' is left",
        "'row_id' is",
        "'kind' is",
    ):
        assert sum(part in note for note in data.notes) == 1, part
    assert {"age", "age is missing", "owner", "color=red", "color is missing", "signed.year", "born.days"} < {
        *data.names
    }
    assert not any(name.startswith(("key", "row_id", "kind")) for name in data.names)
    assert data.train.x.dtype == np.float32


def test_importing_kilter_imports_no_table_library():
    code = "import sys, kilter; print(sorted({'pandas', 'pyarrow', 'polars', 'sklearn', 'skrub'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# what is learned, and from which rows


def test_learned_from_training_rows_only():
    colors = np.array(["red", "green"] * 20, object)
    sizes = np.arange(40.0)
    plain = kl.data.from_table({"color": colors, "size": sizes, "y": np.arange(40.0)}, "y", seed=0)
    held = np.flatnonzero(~np.isin(np.arange(40), plain.train.y[:, 0]))
    colors[held[0]], sizes[held[1]], sizes[held[2]] = "violet", np.nan, 1e6
    data = kl.data.from_table({"color": colors, "size": sizes, "y": np.arange(40.0)}, "y", seed=0)
    assert data.names == ("color=green", "color=red", "size")
    assert data.door == plain.door
    np.testing.assert_array_equal(data.train.x, plain.train.x)
    assert data.validation.x[0, :2].tolist() == [0, 0]
    assert data.validation.x[1, 2] == np.float32(np.median(plain.train.x[:, 2]))


def test_numbers_are_filled_with_the_median_and_gaps_marked():
    columns = named(
        features({"a": [1, None, 4, 10], "b": ["12.5", "N/A", "1e3", "none"], "c": [True, None, False, True]})
    )
    assert columns["a"] == [1, 4, 4, 10]
    assert columns["a is missing"] == [0, 1, 0, 0]
    assert columns["b"] == [12.5, 506.25, 1000, 506.25]
    assert columns["b is missing"] == [0, 1, 0, 1]
    assert columns["c"] == [1, 1, 0, 1]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 2, 2**63 + 5], np.uint64),
        [Decimal("1.5"), Decimal("2"), None, Decimal("sNaN")],
        [10**30, 1, 2],
        [1, "2", "N/A"],
        [np.float32(1), np.int8(2), float("nan")],
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series([1, 2, 2], dtype="Int8"),
        pd.Series([True, False, None], dtype="boolean"),
        pl.Series([1, 2, None], dtype=pl.UInt8),
        pl.Series(["1", "2", "3"]).cast(pl.Decimal(10, 2)),
        ["TRUE", "false", ""],
        np.array([1, 2, 3], np.float16),
    ],
    ids=str,
)
def test_numbers_of_any_type(values):
    data = features({"a": values})
    assert data.names[0] == "a"
    assert np.isfinite(data.train.x).all()


def test_categories():
    data = features({"a": ["x", "y", None, " x"], "b": pd.Series([1, 2, 1, 2]).astype("category"), "c": list("uuuv")})
    columns = named(data)
    assert columns["a=x"] == [1, 0, 0, 1]
    assert columns["a is missing"] == [0, 0, 1, 0]
    assert columns["b=2"] == [0, 1, 0, 1]
    new = data.door.enter({"a": ["x", "q", ""], "b": [2, 9, None], "c": ["v", None, "w"]})
    assert dict(zip(data.names, new.T.tolist(), strict=True)) == {
        "a=x": [1, 0, 0], "a=y": [0, 0, 0], "a is missing": [0, 0, 1],
        "b=1": [0, 0, 0], "b=2": [1, 0, 0], "c=u": [0, 0, 0], "c=v": [1, 0, 0],
    }  # fmt: skip


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["x", "y", "z"]), pl.String])
def test_categories_of_polars(kind):
    data = features({"a": pl.Series(["x", "y", None, "x"], dtype=kind)})
    assert data.names == ("a=x", "a=y", "a is missing")
    np.testing.assert_array_equal(data.door.enter({"a": ["x", "y", None, "x"]}), data.train.x)


def test_rare_levels_stand_together_and_unseen_ones_with_them():
    levels = [f"level {index % 30}" for index in range(600)] + [f"rare {index}" for index in range(30)]
    data = features({"a": levels})
    assert len(data.names) == 41
    assert data.names[-1] == "a=(other)"
    np.testing.assert_array_equal(data.train.x.sum(1), 1)
    assert data.door.enter({"a": ["never seen", None, "level 3"]})[:, -1].tolist() == [1, 0, 0]


def test_text_with_many_values_is_hashed_and_prose_is_no_key():
    data = features(
        {"a": [f"the word {index} of many" for index in range(50)], "b": [f"t{index % 48}" for index in range(50)]}
    )
    assert data.names[:2] == ("a#0", "a#1")
    assert len(data.names) == 64
    same, other = data.door.enter({"a": ["the word", "Zebra"], "b": [None, ""]})
    assert np.linalg.norm(same[:32]) == pytest.approx(1, abs=1e-5)
    assert (same[:32] != other[:32]).any()
    assert not same[32:].any()


def test_codes_with_leading_zeros_are_no_numbers():
    assert features({"zip": ["01234", "01234", "99999"]}).names == ("zip=01234", "zip=99999")
    assert features({"zip": ["0", "0.5", "-3"]}).names == ("zip",)


def test_parts_of_dates():
    dates = ["2024-02-29 06:00", "2023-01-01 00:00", "", "1969-12-31 18:00"]
    data = features({"d": dates})
    columns = named(data)
    for row in (0, 1, 3):
        moment = datetime.datetime.fromisoformat(dates[row])
        days = (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)
        turn = 2 * np.pi * np.array([(moment.month - 1) / 12, moment.weekday() / 7, moment.hour / 24])
        assert columns["d.days"][row] == pytest.approx(days)
        assert (columns["d.year"][row], columns["d.day"][row]) == (moment.year, moment.day)
        found = [[columns[f"d.{part} {kind}"][row] for part in ("month", "weekday", "hour")] for kind in ("sin", "cos")]
        np.testing.assert_allclose(found, [np.sin(turn), np.cos(turn)], atol=1e-6)
    assert columns["d is missing"] == [0, 0, 1, 0]
    assert columns["d.year"][2] == 2023


def test_dates_of_one_year_have_no_feature_of_it_and_time_zones_count():
    zoned = pd.Series(pd.date_range("2024-03-01", periods=6, freq="7D", tz="Asia/Tokyo"))
    data = features({"d": zoned})
    assert "d.year" not in data.names
    naive = zoned.dt.tz_convert("UTC").dt.tz_localize(None)
    for same in (naive, pl.from_pandas(zoned), zoned.astype(str), naive.dt.strftime("%Y-%m-%dT%H:%M:%S")):
        np.testing.assert_array_equal(data.door.enter({"d": same}), data.train.x)
    assert features({"d": [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1), None]}).names[0] == "d.days"


def test_columns_in_any_order_with_others_beside_them(messy):
    data = kl.data.from_table(messy, "wage")
    shuffled = messy[messy.columns[::-1]].assign(more=[[1]] * ROWS)
    np.testing.assert_array_equal(data.door.enter(shuffled), data.door.enter(messy))


def test_names_of_columns_may_hold_anything_and_features_are_unique():
    odd = {'<b>"a"</b>\n': [1, 2, 4], "n=x": [1, 2, 4], "n": ["x", "y", "x"], "": [7, 8, 9]}
    assert features(odd).names == ('<b>"a"</b>', "n=x", "n=x (2)", "n=y")
    numbered = pd.DataFrame(np.arange(12).reshape(4, 3) ** 2)
    assert kl.data.from_table(numbered, "2", validation=0).names == ("0", "1")


# targets


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["a", "b"] * 3, None, ("a", "b")),
        ([True, False] * 3, None, (False, True)),
        (["True", "False"] * 3, None, (False, True)),
        (["1", "2"] * 3, None, (1, 2)),
        (["01", "02"] * 3, None, ("01", "02")),
        ([1, 2] * 3, None, (1, 2)),
        (pd.Series(["a", "b"] * 3, dtype="category"), None, ("a", "b")),
        (pd.Series([3, 7] * 3, dtype="category"), None, (3, 7)),
        ([0.0, 1.0] * 3, None, (0, 1)),
        ([1.5, 2.5] * 3, None, ()),
        (["1.5", "2"] * 3, None, ()),
        ([1, 2] * 3, "numbers", ()),
        ([0, 1] * 3, "labels", ()),
        (["1", "2", "x"] * 2, "classes", ("1", "2", "x")),
    ],
)
def test_task_and_classes_of_the_target(values, task, classes):
    data = kl.data.from_table({"x": np.arange(6.0), "y": values}, "y", validation=0, task=task)
    assert data.target.classes == classes
    assert [type(found) for found in data.target.classes] == [type(wanted) for wanted in classes]
    json.dumps(data.target.classes)


def test_rows_without_a_target_are_left_out_aloud():
    table = pd.DataFrame({"x": np.arange(8.0), "w": np.arange(8.0) + 1, "y": [1, 2, None, 1, 2, 1, None, 2]})
    with pytest.warns(DoubtWarning, match="2 of 8 rows are left out") as caught:
        data = kl.data.from_table(table, "y", validation=0, weights="w")
    assert Path(caught[0].filename).name == "test_table.py"
    assert data.target.classes == (1, 2)
    assert data.train.x[:, 0].tolist() == [0, 1, 3, 4, 5, 7]
    assert data.train.weights.tolist() == [1, 2, 4, 5, 6, 8]
    assert data.names == ("x",)
    with pytest.warns(DoubtWarning):
        weighted = kl.data.from_table(table, "y", validation=0, weights=table["w"].to_numpy())
    np.testing.assert_array_equal(weighted.train.weights, data.train.weights)


def test_tables_of_ones_own_to_validate_and_test(messy, sources):
    with pytest.warns(DoubtWarning):
        data = kl.data.from_table(messy[:80], "color", validation=messy[80:100], test=sources["wages.parquet"])
    assert (len(data.train), len(data.validation), len(data.test)) == (78, 20, 118)
    np.testing.assert_array_equal(data.test.x[80 - 2 : 98], data.validation.x)
    with pytest.raises(InputError, match="validation lacks the column 'wage'"):
        kl.data.from_table(messy, "wage", validation=messy.drop(columns="wage"))
    with pytest.raises(InputError, match="holds text in test, but numbers in source"):
        kl.data.from_table({"x": [1, 2], "y": [1.5, 2]}, "y", validation=0, test={"x": [1], "y": ["a"]})


def test_numbers_with_a_stray_word_are_read_as_text_aloud():
    values = [str(index % 5) for index in range(40)] + ["abc"]
    with pytest.warns(DoubtWarning, match="holds numbers, but also 'abc'"):
        assert "a=abc" in features({"a": values}).names


# what is refused

X = {"x": [1.0, 2, 3, 4]}
REFUSED = {
    "target missing": ({**X, "price": [1, 2, 3, 4]}, "prize", "source lacks the column 'prize'; did you mean 'price'?"),
    "target no name": ({**X, "y": [1, 2, 3, 4]}, ["y"], "target must be the name of one column, got ['y']"),
    "one class": ({**X, "y": ["a"] * 4}, "y", "target 'y' holds one class only, 'a'; at least two are needed"),
    "no targets": ({**X, "y": [None] * 4}, "y", "target 'y' has no values in source"),
    "dates as target": ({**X, "y": pd.date_range("2020", periods=4)}, "y", "target 'y' holds dates; give numbers"),
    "text dates as target": ({**X, "y": ["2020-01-01", "2020-01-02"] * 2}, "y", "target 'y' holds dates; give numbers"),
    "stray target": ({"x": range(20), "y": [*range(19), "abc"]}, "y", "column 'y' mixes numbers and text"),
    "stray text target": ({"x": np.arange(20), "y": [*map(str, range(19)), "abc"]}, "y", "but also 'abc'; correct it"),
    "infinite target": ({**X, "y": [1, 2, 3, np.inf]}, "y", "column 'y' holds infinite values"),
    "only target": ({"y": [1, 2, 3, 4]}, "y", "source has no columns besides the target; give some"),
    "nothing to learn": (
        {"x": [1] * 4, "y": [1, 2, 3, 4]},
        "y",
        "no columns to learn from: column 'x' is left out: it has",
    ),
    "no rows": (pd.DataFrame({"x": [], "y": []}), "y", "source has no rows; at least one is needed"),
    "no columns": (pd.DataFrame(index=[1, 2]), "y", "source has no columns; at least one is needed"),
    "twice": (pd.DataFrame([[1, 2, 3]], columns=["a", "a", "y"]), "y", "more than one column named 'a'; rename"),
    "twice as text": (pd.DataFrame([[1, 2, 3]], columns=[1, "1", "y"]), "y", "more than one column named '1'; rename"),
    "two-storied names": (
        pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
        "y",
        "named ('a', 'b')",
    ),
    "unequal": ({"x": [1, 2], "y": [1, 2, 3]}, "y", "columns of unequal length, from 2 to 3"),
    "single value": ({"x": 3, "y": [1]}, "y", "column 'x' is a single int; give a list"),
    "array": (np.ones((3, 2)), "y", "source is a ndarray, but a table is needed: a path to a CSV"),
    "series": (pd.Series([1, 2]), "y", "source is a Series, but a table is needed"),
    "polars series": (pl.Series([1, 2]), "y", "source is a Series, but a table is needed"),
    "lazy": (pl.LazyFrame({"a": [1]}), "y", "call its collect() first"),
    "mixed": (
        {"x": ["a", 1, 2, 3], "y": [1, 2, 3, 4]},
        "y",
        "column 'x' mixes numbers and text; make it all of one kind",
    ),
    "lists": ({"x": [[1], [2]], "y": [1, 2]}, "y", "column 'x' holds list values, but a column holds numbers"),
    "structs": (pl.DataFrame({"x": [{"a": 1}, {"a": 2}], "y": [1, 2]}), "y", "column 'x' holds struct values"),
    "bytes": ({"x": [b"a", b"b"], "y": [1, 2]}, "y", "column 'x' holds binary values"),
    "durations": ({"x": pd.to_timedelta([1, 2]), "y": [1, 2]}, "y", "column 'x' holds duration[ns] values"),
    "periods": (
        pd.DataFrame({"x": pd.period_range("2020", periods=2), "y": [1, 2]}),
        "y",
        "column 'x' holds extension",
    ),
    "complex": ({"x": np.array([1j, 2]), "y": [1, 2]}, "y", "column 'x' holds complex128"),
    "objects": ({"x": [object(), object()], "y": [1, 2]}, "y", "column 'x' holds"),
    "surrogates": ({"x": ["\ud800", "a"], "y": [1, 2]}, "y", "column 'x' holds text that is no valid Unicode"),
    "infinite": (
        {"x": [1, np.inf, 2, 3], "y": [1, 2, 3, 4]},
        "y",
        "column 'x' holds infinite values; fill or drop them",
    ),
    "infinite text": ({"x": ["1", "-Inf", "2"], "y": [1, 2, 3]}, "y", "column 'x' holds infinite values"),
    "huge": ({"x": [1, 1e39, 2, 3], "y": [1, 2, 3, 4]}, "y", "column 'x' holds 1e+39, beyond what float32 can hold"),
    "huge integers": ({"x": [1, 10**400], "y": [1, 2]}, "y", "column 'x' holds a number, beyond what float32 can hold"),
    "huge text": (
        {"x": ["1", "2", "3", "1e400"], "y": [1, 2, 3, 4]},
        "y",
        "column 'x' holds 1e400, beyond what float32 can hold",
    ),
    "far dates": (pl.DataFrame({"x": pl.Series([2**62, 1]).cast(pl.Datetime("ms")), "y": [1, 2]}), "y", "too far off"),
    "one row": ({"x": [1], "y": [2.5]}, "y", "1 rows are too few to hold out a share of 0.2 for validation"),
}


@pytest.mark.parametrize(("source", "target", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refuses_a_table_in_a_sentence(source, target, sentence):
    with pytest.raises(InputError) as caught:
        kl.data.from_table(source, target)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_options_in_a_sentence():
    table = {**X, "y": [1.5, 2, 3, 4]}
    for options, sentence in (
        ({"validation": 1.5}, "validation must be a share in"),
        ({"validation": np.ones(3)}, "validation is a ndarray, but a table is needed"),
        ({"task": "regression"}, "task must be one of"),
        ({"weights": "w"}, "source lacks the column 'w'; it has 'x', 'y'"),
        ({"weights": [1, 2]}, "one weight an example is needed: (4,)"),
    ):
        with pytest.raises(InputError) as caught:
            kl.data.from_table(table, "y", **options)
        assert sentence in str(caught.value)
    with pytest.raises(InputError, match="column 'y' holds 'a', but numbers are needed"):
        kl.data.from_table({**X, "y": list("abab")}, "y", task="numbers")


CONTENTS = {
    "empty.csv": (b"", "it is empty; a header and rows are needed"),
    "blank.csv": (b"\n \n", "it is empty"),
    "header.csv": (b"x,y\n", "has no rows; at least one is needed"),
    "latin.csv": ("x,y\ncaf\u00e9,1\n".encode("latin-1"), "byte 7 (e9) is not UTF-8; save it as CSV in UTF-8"),
    "wide.csv": ("x,y\n".encode("utf-16"), "it holds bytes that are no text"),
    "binary.csv": (bytes(range(256)), "it holds bytes that are no text"),
    "long.csv": (b"x,y\n1,2\n1,2,3\n", "row 3 has 3 fields where the header has 2"),
    "short.csv": (b"x,y\n1,2\n1\n", "row 3 has 1 fields where the header has 2"),
    "twice.csv": (b"x,x,y\n1,2,3\n", "more than one column named 'x'"),
    "lies.csv.gz": (b"x,y\n1,2\n", "it is cut short or no gzip archive"),
    "cut.csv.gz": (gzip.compress(b"x,y\n1,2\n")[:-9], "it is cut short or no gzip archive"),
    "junk.parquet": (b"PAR1 and then nothing of use PAR1", "it is empty, cut short or no Parquet file"),
    "void.parquet": (b"", "it is empty, cut short or no Parquet file"),
    "model.pkl": (b"\x80\x04", "the ending '.pkl' is unknown; it must be one of .csv"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_refuses_a_file_in_a_sentence(name, tmp_path):
    content, sentence = CONTENTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        kl.data.from_table(tmp_path / name, "y")
    assert sentence in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


ODD = {
    "old Macs": (b"x,y\r1,2\r3,4\r", ("x",), [[1], [3]]),
    "blank lines": (b"\n\nx,y\n1,2\n\n3,4\n", ("x",), [[1], [3]]),
    "header in two lines": (b'"x\nz",y\n1,2\n3,4\n', ("x\nz",), [[1], [3]]),
    "separators of Unicode": ("x\u2028z,y\n1,2\n3,4\n".encode(), ("x\u2028z",), [[1], [3]]),
    "quoted delimiters": (b'"x,z",y\n"1",2\n"3",4\n', ("x,z",), [[1], [3]]),
    "bars": (b"x|y\n1|2\n3|4\n", ("x",), [[1], [3]]),
    "trailing commas": (b"x,y,\n 1 ,2,\n3,4,\n", ("x",), [[1], [3]]),
    "cells in two lines": (b'x,y\n"a\nb",2\nc,4\n', ("x=a\nb", "x=c"), [[1, 0], [0, 1]]),
}


@pytest.mark.parametrize(("content", "names", "x"), ODD.values(), ids=ODD)
def test_reads_odd_but_sound_files(content, names, x, tmp_path):
    (tmp_path / "odd.csv").write_bytes(content)
    data = kl.data.from_table(tmp_path / "odd.csv", "y", validation=0)
    assert data.names == names
    assert data.train.x.tolist() == x


def test_refuses_what_is_no_file(tmp_path):
    with pytest.raises(FileError, match=r"cannot read .*nothing\.csv: No such file"):
        kl.data.from_table(tmp_path / "nothing.csv", "y")
    with pytest.raises(FileError, match="it is a folder; name a CSV or Parquet file in it"):
        kl.data.from_table(str(tmp_path), "y")


ENTERED = {
    "missing": ({"number": [1]}, "x lacks the columns 'color', 'day'; it has 'number'"),
    "misspelled": ({"number": [1], "colour": ["r"], "day": ["2020-01-01"]}, "'color'; did you mean 'colour'?"),
    "text": ({"number": ["1", "abc"]}, "column 'number' holds 'abc', but numbers are needed"),
    "dates": ({"number": pd.date_range("2020", periods=2)}, "column 'number' holds dates, but numbers are needed"),
    "infinite": ({"number": [1, np.inf]}, "column 'number' holds infinite values"),
    "huge": ({"number": [1, -1e300]}, "column 'number' holds -1e+300, beyond what float32"),
    "no day": ({"day": ["2020-01-01", "soon"]}, "column 'day' holds 'soon', but dates written as %Y-%m-%d or ISO 8601"),
    "number day": ({"day": [1, 2]}, "column 'day' holds 1, but dates are needed"),
    "date color": ({"color": pd.date_range("2020", periods=2)}, "column 'color' holds dates, but text is needed"),
    "lists": ({"color": [["a"], ["b"]]}, "column 'color' holds list values"),
    "no rows": ({"number": [], "color": [], "day": []}, "x has no rows; at least one is needed"),
    "array": (np.ones((2, 3)), "x is a ndarray, but a table is needed"),
}


@pytest.fixture(scope="module")
def door():
    days = ["2020-01-01", "2021-02-03", "2022-05-06", None]
    return features({"number": [1, 2, 3, None], "color": ["a", "b", "a", None], "day": days}).door


@pytest.mark.parametrize(("rows", "sentence"), ENTERED.values(), ids=ENTERED)
def test_refuses_new_rows_in_a_sentence(door, rows, sentence):
    if "lacks" not in sentence and "did you" not in sentence and isinstance(rows, dict):
        rows = {"number": [1, 2], "color": ["a", "b"], "day": ["2020-01-01", None], **rows}
    with pytest.raises(InputError) as caught:
        door.enter(rows)
    assert sentence in str(caught.value)


def test_refuses_unknown_doors():
    with pytest.raises(InputError, match="unknown kind of door 'gate'"):
        door_from_dict({"kind": "gate"})


# any small table

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        ["a", "b", "", "NA", "none", "1", "007", "2.5", "true", "2020-01-31", "31/01/2020", "10:30", "inf", "1e99"]
    ),
    st.dates(),
    st.datetimes(),
    st.decimals(),
    st.binary(max_size=2),
    st.lists(st.integers(), max_size=2),
)
KINDS = [
    st.booleans(), st.integers(-9, 9), st.integers(), st.floats(), st.text(max_size=4), st.dates(), st.datetimes(),
    st.sampled_from(["a", "b", "c", "", "NA"]), st.sampled_from(["1", "2.5", "N/A", "1e5"]),
    st.dates().map(str), st.decimals(allow_nan=False, allow_infinity=False),
]  # fmt: skip


@st.composite
def columns_of(draw, rows):
    cells = draw(st.sampled_from([*KINDS, *KINDS, CELLS]))
    return draw(st.lists(st.none() | cells, min_size=rows, max_size=rows))


@st.composite
def tables(draw):
    rows = draw(st.integers(3, 14))
    names = draw(st.lists(st.text(max_size=4), min_size=1, max_size=3, unique_by=str.strip))
    first = {name: draw(columns_of(rows)) for name in names}
    second = {name: draw(columns_of(rows)) if draw(st.booleans()) else first[name] for name in names}
    return first, second


def attempted(call):
    """What a call returns; None if it refuses in one sentence."""
    try:
        return call()
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    return None


@pytest.mark.filterwarnings("ignore::kilter.DoubtWarning")
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(tables(), st.booleans())
def test_any_table_is_refused_or_becomes_finite_features(both, framed):
    first, second = (pd.DataFrame(table, dtype=object) if framed else table for table in both)
    rows = len(next(iter(both[0].values())))
    whole = {**dict(first), "the target": np.arange(rows) + 0.5}
    data = attempted(lambda: kl.data.from_table(whole, "the target", seed=1))
    if data is None:
        return
    assert data.train.x.dtype == np.float32
    assert data.train.x.shape[1:] == data.validation.x.shape[1:] == (len(data.names),)
    assert len(set(data.names)) == len(data.names)
    assert np.isfinite(data.train.x).all()
    assert np.isfinite(data.validation.x).all()
    again = through_json(data.door)
    assert again == data.door
    np.testing.assert_array_equal(data.door.enter(first), again.enter(first))
    entered = attempted(lambda: again.enter(second))
    if entered is not None:
        assert entered.shape == (rows, len(data.names))
        assert np.isfinite(entered).all()
        np.testing.assert_array_equal(entered, data.door.enter(second))
