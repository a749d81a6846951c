"""Runs on disk: read back to the last bit, and hostile folders refused in one sentence."""

import json
import pickle
import shutil

import jax
import numpy as np
import pytest
from safetensors.numpy import save as save_tensors

import kilter as kl
from kilter import nn, optim
from kilter.core.errors import FileError, InputError
from kilter.train import store

FILES = ["history.csv", "recipe.json", "run.json", "weights.safetensors"]


@pytest.fixture(scope="module")
def saved(small_run, tmp_path_factory):
    return small_run.save(tmp_path_factory.mktemp("runs") / "good")


@pytest.fixture
def folder(saved, tmp_path):
    """A good run, free to be spoiled."""
    return shutil.copytree(saved, tmp_path / "run")


def assert_refused(path, *phrases):
    with pytest.raises(InputError) as error:
        kl.load(path)
    text = str(error.value)
    assert text.startswith("cannot read ")
    assert "\n" not in text
    for phrase in phrases:
        assert phrase in text


def edit(folder, **changes):
    """Change facts in run.json."""
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(facts | changes))


def assert_same(run, again):
    """All that a user can ask of two runs is equal, to the last bit."""
    for name in (
        "recipe",
        "seed",
        "metric",
        "metrics",
        "outcome",
        "epoch",
        "seconds",
        "shape",
        "names",
        "title",
        "classes",
    ):
        assert getattr(again, name) == getattr(run, name), name
    np.testing.assert_array_equal(run.score, again.score)
    assert run.history.keys() == again.history.keys()
    for name, column in run.history.items():
        np.testing.assert_array_equal(column, again.history[name])
        assert column.dtype == again.history[name].dtype
    jax.tree.map(np.testing.assert_array_equal, (run.params, run.state), (again.params, again.state))


def test_a_run_is_read_back_to_the_last_bit(small_run, saved, iris):
    again = kl.load(saved)
    assert_same(small_run, again)
    np.testing.assert_array_equal(small_run.predict_proba(iris.test.x), again.predict_proba(iris.test.x))
    np.testing.assert_array_equal(small_run.predict(iris.test.x), again.predict(iris.test.x))
    assert repr(again) == repr(small_run)
    assert sorted(path.name for path in saved.iterdir()) == FILES


def test_scaling_and_state_are_read_back(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3)) * 100
    data = kl.data.from_arrays(x, x.sum(1) * 50 + 1e4)
    recipe = kl.Recipe(
        nn.Chain(nn.Dense(4), nn.BatchNorm(), nn.ReLU(), nn.Dense(1)),
        kl.losses.SquaredError(),
        optimizer=optim.Adam(optim.Cosine(0.01)),
        inputs=kl.data.Standardize(),
        targets=kl.data.MinMax(),
        stopping=kl.EarlyStopping(2),
        epochs=3,
    )
    run = kl.train(recipe, data, progress=False)
    again = kl.load(run.save(tmp_path / "run"))
    assert_same(run, again)
    np.testing.assert_array_equal(run.predict(x), again.predict(x))


def test_a_run_of_no_epochs_is_read_back(small_recipe, iris, tmp_path):
    run = kl.train(small_recipe.replace(epochs=0), iris, progress=False)
    assert run.epoch == len(run.history["loss"]) == 0
    assert_same(run, kl.load(run.save(tmp_path / "run")))


def test_a_diverged_run_with_nan_in_its_history_is_read_back(small_recipe, iris, tmp_path):
    run = kl.train(small_recipe.put("optimizer.lr", 1e30), iris, progress=False)
    assert np.isnan(run.score)
    again = kl.load(run.save(tmp_path / "run"))
    assert again.outcome is kl.Outcome.DIVERGED
    assert np.isnan(again.score)
    for name, column in run.history.items():
        np.testing.assert_array_equal(column, again.history[name])


def test_a_diverged_run_is_written_as_strict_json(small_recipe, iris, tmp_path):
    run = kl.train(small_recipe.put("optimizer.lr", 1e30), iris, progress=False)

    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    json.loads((run.save(tmp_path / "run") / "run.json").read_text(), parse_constant=refuse)


def test_missing_folder(tmp_path):
    assert_refused(tmp_path / "nowhere", "there is no such folder")


def test_a_file_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    assert_refused(tmp_path / "file", "there is no such folder")


def test_empty_folder(tmp_path):
    assert_refused(tmp_path, "not a run of Kilter, recipe.json is missing")


def test_foreign_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert_refused(tmp_path, "not a run of Kilter")


@pytest.mark.parametrize("name", ["model.pkl", "model.pt", "model.joblib"])
def test_a_folder_that_holds_only_a_pickle(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps({"weights": 1}))
    assert_refused(tmp_path, f"it holds {name}, and Kilter opens no pickles")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    assert_refused(folder, f"not a run of Kilter, {name} is missing")


class Bomb:
    """A pickle that would make a file when opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickle_for_weights_is_never_opened(folder, tmp_path):
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb(tmp_path / "opened")))
    assert_refused(folder, "weights.safetensors is corrupt or no safetensors file")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", np.random.default_rng(0).bytes(500), b"\xff\xfe{}", b"[]", b"{}", b"null", b"[" * 100_000],
    ids=["empty", "zero", "random", "not utf-8", "list", "object", "null", "deep"],
)
def test_spoiled_files(folder, name, content):
    (folder / name).write_bytes(content)
    assert_refused(folder)


@pytest.mark.parametrize("name", ["recipe.json", "run.json", "weights.safetensors"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * share)])
    assert_refused(folder)


def test_a_history_cut_within_a_line(folder):
    content = (folder / "history.csv").read_bytes()
    (folder / "history.csv").write_bytes(content.rpartition(b",")[0])
    assert_refused(folder, "a file of it is corrupt")


def test_weights_of_other_shapes(folder, saved):
    recipe = json.loads((folder / "recipe.json").read_text())
    recipe["value"]["net"]["layers"][0]["units"] = 9
    (folder / "recipe.json").write_text(json.dumps(recipe))
    assert_refused(folder, "weights.safetensors does not fit the recipe", "should be (9,) and is (8,)")


def test_weights_that_lack_a_layer(folder):
    (folder / "weights.safetensors").write_bytes(save_tensors({"other": np.zeros(3, np.float32)}))
    assert_refused(folder, "does not fit the recipe", "absent")


@pytest.mark.parametrize(
    ("key", "message"), [("type", "unknown type 'os.system'"), ("units", "units must be a whole number")]
)
def test_recipes_that_cannot_be(folder, key, message):
    recipe = json.loads((folder / "recipe.json").read_text())
    recipe["value"]["net"]["layers"][0][key] = "os.system"
    (folder / "recipe.json").write_text(json.dumps(recipe))
    assert_refused(folder, "net.layers[0]", message)


@pytest.mark.parametrize("units", [10**12, 10**19, 10**30])
def test_sizes_that_no_array_can_have(folder, units):
    recipe = json.loads((folder / "recipe.json").read_text())
    recipe["value"]["net"]["layers"][0]["units"] = units
    (folder / "recipe.json").write_text(json.dumps(recipe))
    assert_refused(folder)


def test_a_base_class_for_a_layer(folder):
    recipe = json.loads((folder / "recipe.json").read_text())
    recipe["value"]["net"]["layers"][1] = {"type": "nn.Layer"}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    assert_refused(folder)


def test_a_newer_format(folder):
    edit(folder, version=999)
    assert_refused(folder, "it was written by a newer Kilter (format 999", "update Kilter")


WRONG_FACTS = {
    "version": "1", "outcome": "WON", "metric": "{", "target": None, "shape": [5], "door": {"kind": "trap"}, "score": "?",
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FACTS)
def test_wrong_facts(folder, name):
    edit(folder, **{name: WRONG_FACTS[name]})
    assert_refused(folder)


@pytest.mark.parametrize("table", ["epoch,loss\n1,text\n", "epoch,loss\n1\n", "epoch,loss\n1,2,3\n"])
def test_a_spoiled_history(folder, table):
    (folder / "history.csv").write_text(table)
    assert_refused(folder, "a file of it is corrupt")


def test_saving_over_a_run_replaces_it(small_run, small_recipe, iris, tmp_path):
    other = kl.train(small_recipe, iris, seed=1, progress=False)
    path = other.save(tmp_path / "run")
    (path / "note.txt").write_text("belongs to the old run")
    small_run.save(path)
    assert kl.load(path).seed == small_run.seed
    assert sorted(each.name for each in path.iterdir()) == FILES
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_saving_over_a_foreign_folder_is_refused(small_run, tmp_path):
    place = tmp_path / "thesis"
    place.mkdir()
    (place / "chapter").write_text("one")
    with pytest.raises(FileError, match="something else stands there"):
        small_run.save(place)
    assert {path.name: path.read_text() for path in place.iterdir()} == {"chapter": "one"}
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_saving_below_a_file_is_refused(small_run, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="cannot write "):
        small_run.save(tmp_path / "file" / "run")


def test_a_save_that_fails_leaves_the_old_run(small_run, small_recipe, iris, tmp_path, monkeypatch):
    path = small_run.save(tmp_path / "run")

    def full(run):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_tensors", full)
    with pytest.raises(FileError, match="No space left on device"):
        small_run.save(path)
    assert_same(small_run, kl.load(path))
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_class_values_of_any_kind_are_read_back(small_recipe, tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 4))
    for values in (["a", "b", "c"], [10, 20, 30], [-1.0, 0.0, 5.0]):
        y = np.array(values)[np.arange(30) % 3]
        run = kl.train(small_recipe, kl.data.from_arrays(x, y, task="classes"), progress=False)
        again = kl.load(run.save(tmp_path / "run"))
        assert again.classes == run.classes == tuple(sorted(values))
        np.testing.assert_array_equal(again.predict(x), run.predict(x))


def test_dates_are_no_classes():
    x, days = (
        np.random.default_rng(0).normal(size=(30, 4)),
        np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]"),
    )
    with pytest.raises(InputError, match="no classes"):
        kl.data.from_arrays(x, days[np.arange(30) % 3])


def test_states_of_single_numbers_come_back(iris, small_recipe, tmp_path):
    net = nn.Chain(nn.Dense(8), nn.BatchNorm(cumulative=True), nn.ReLU(), nn.Dense(3))
    run = kl.train(small_recipe.replace(net=net, epochs=1), iris, progress=False)
    assert_same(run, kl.load(run.save(tmp_path / "run")))
