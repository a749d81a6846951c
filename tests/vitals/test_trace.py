"""Traces: cut, framed, saved and read; hostile files end in one sentence. Watches say what they refuse."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load, save

import kilter as kl
from kilter.core.errors import FileError, InputError
from kilter.vitals import EDGES, Signal, Trace, Vitals, Watch, Weights, Whole
from kilter.vitals.recorder import Recorder

LAYERS, ARRAYS = ("layers[0]", "layers[1].body", "layers[10]"), ("layers[0].kernel", "layers[1].body.kernel")


def record(number):
    signal = Signal(*(np.full(3, number + i, np.float32) for i in range(13)))
    signal = signal._replace(histogram=np.full((3, len(EDGES) + 1), number, np.float32))
    return Vitals(signal, Weights(*(np.full(2, number, np.float32),) * 5), Whole(*(np.float32(number),) * 3))


@pytest.fixture
def trace():
    return Trace.of(LAYERS, ARRAYS, [0, 2, 4, 6], [record(number) for number in range(4)])


def test_a_trace_is_cut_by_records_and_places(trace):
    assert len(trace) == 4
    assert trace[1:3].epochs.tolist() == [2, 4]
    assert trace[-1].whole.loss == 3
    assert trace.signals.histogram.shape == (4, 3, len(EDGES) + 1)
    inner = trace.at("layers[1]")
    assert (inner.layers, inner.arrays) == (("layers[1].body",), ("layers[1].body.kernel",))
    assert inner.signals.histogram.shape == (4, 1, len(EDGES) + 1)
    assert trace.at("layers[0].kernel").layers == ()
    with pytest.raises(InputError, match=r"no such layer or array; near it: .*layers\[10\]"):
        trace.at("layers[11]")


def test_the_frame_has_a_row_a_number(trace):
    frame = trace.frame()
    assert len(frame) == 4 * (12 * 3 + 5 * 2 + 3)
    row = frame.query("place == 'layers[10]' and vital == 'std' and epoch == 4")
    assert row["value"].tolist() == [3.0]
    partial = Trace(*trace.at("layers[0].kernel").__dict__.values())
    assert set(partial.frame()["place"]) == {"layers[0].kernel", ""}


def test_its_text_says_what_is_in_it(trace):
    assert repr(trace) == "Trace(4 records, epochs 0 to 6: 3 layers, 2 parameter arrays)"
    assert repr(trace[:0]) == "Trace(0 records, no epochs: 3 layers, 2 parameter arrays)"


def test_a_saved_trace_is_the_same(trace, tmp_path):
    missing = trace.vitals._replace(signals=Signal(*(None,) * 13))
    for name, each in {"whole": trace, "partial": Trace(LAYERS, ARRAYS, trace.epochs, missing)}.items():
        again = Trace.load(each.save(tmp_path / name))
        assert (again.layers, again.arrays) == (each.layers, each.arrays)
        assert jax.tree.structure(again.vitals) == jax.tree.structure(each.vitals)
        jax.tree.map(np.testing.assert_array_equal, (again.epochs, again.vitals), (each.epochs, each.vitals))


def cut(folder):
    path = folder / "trace.safetensors"
    path.write_bytes(path.read_bytes()[:-40])


def other_shapes(folder):
    path = folder / "trace.safetensors"
    path.write_bytes(save(load(path.read_bytes()) | {"signals.rms": np.zeros((4, 9), np.float32)}))


def foreign_arrays(folder):
    (folder / "trace.safetensors").write_bytes(save({"layer.weight": np.zeros(3)}))


def more_arrays(folder):
    path = folder / "trace.safetensors"
    path.write_bytes(save(load(path.read_bytes()) | {"signals.evil": np.zeros((4, 3), np.float32)}))


def facts(**changed):
    def change(folder):
        path = folder / "trace.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return change


HOSTILE = {
    "cut off": cut,
    "other shapes": other_shapes,
    "foreign arrays": foreign_arrays,
    "more arrays": more_arrays,
    "newer": facts(version=99),
    "other names": facts(layers=["a"]),
    "names that are none": facts(arrays=[1, 2]),
    "no version": facts(version=None),
    "no JSON": lambda folder: (folder / "trace.json").write_text("{"),
    "deep JSON": lambda folder: (folder / "trace.json").write_text("[" * 100000),
    "a list": lambda folder: (folder / "trace.json").write_text("[]"),
    "no facts": lambda folder: (folder / "trace.json").unlink(),
    "no arrays": lambda folder: (folder / "trace.safetensors").unlink(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_one_sentence(name, trace, tmp_path):
    folder = trace.save(tmp_path / "trace")
    HOSTILE[name](folder)
    with pytest.raises(FileError, match=r"^cannot read") as error:
        Trace.load(folder)
    assert "\n" not in str(error.value)


def test_a_folder_of_something_else_is_left_alone(trace, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="something else stands there"):
        trace.save(tmp_path)


def test_a_full_recorder_drops_every_second_record():
    recorder = Recorder(LAYERS, ARRAYS, 1)
    for epoch in range(1001):
        if recorder.due(epoch, False):
            recorder.add(epoch, record(epoch))
        assert recorder.next(epoch) > epoch
    found = recorder.trace
    assert found is not None
    assert found.epochs.tolist() == list(range(0, 1001, 16))
    np.testing.assert_array_equal(found.whole.loss, found.epochs)
    assert recorder.due(1001, True)
    assert not recorder.due(992, True)  # it has been recorded


@pytest.mark.parametrize(
    "given", [{"what": "signals"}, {"what": ()}, {"where": "("}, {"every": 0}, {"rows": 1}, {"what": 3}], ids=str
)
def test_watches_that_mean_nothing_are_refused(given):
    with pytest.raises(InputError, match=f"{next(iter(given))} must be"):
        Watch(**given)


def test_a_watch_is_a_value():
    watch = kl.Watch(what=("run", "weights"), where="kernel", every=3)
    assert kl.Watch.from_json(watch.to_json()) == watch
    assert repr(watch) == "kl.Watch(what=('run', 'weights'), where='kernel', every=3)"
    assert Watch.default() == Watch()


@pytest.mark.parametrize("epochs", [0, 1, 62, 63, 64, 1000])
@pytest.mark.parametrize("trained", [10, 1000, 60000])
@pytest.mark.parametrize("products", [1e3, 1e5, 1e7])
def test_the_default_stride_needs_no_dropping_and_keeps_to_its_share(epochs, trained, products):
    watch = Watch()
    records = len({*range(0, epochs, watch.stride(epochs=epochs, trained=trained, products=products)), epochs})
    assert records <= 64
    probe = 4 * min(watch.rows, trained) * 3 * products + 2e8
    assert records <= 2 or probe * records <= 0.03 * trained * epochs * 3 * products
