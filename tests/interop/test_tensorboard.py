"""Event files, read back by TensorBoard itself."""

import sys

import numpy as np
import pytest

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.errors import FileError, InputError


@pytest.fixture(scope="module")
def runs():
    net = nn.Chain(nn.Dense(4), nn.ReLU(), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=6)
    return kl.train_fleet([recipe], kl.data.iris(), seeds=[0, 1], watch=kl.Watch(every=3), progress=False)


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def test_curves_and_vitals_are_read_back(runs, tmp_path):
    kl.interop.tensorboard.write(runs[0], tmp_path)
    found = read(tmp_path)
    for name, line in runs[0].history.items():
        assert [each.step for each in found.Scalars(name)] == [1, 2, 3, 4, 5, 6]
        np.testing.assert_allclose([each.value for each in found.Scalars(name)], line, rtol=1e-6)
    spread = [each.value for each in found.Scalars("vitals/std/layers[0]")]
    np.testing.assert_allclose(spread, runs[0].vitals.signals.std[:, 0], rtol=1e-6)
    assert b"nn.Dense(4)" in found.Tensors("recipe")[0].tensor_proto.string_val[0]


def test_several_runs_have_a_folder_each(runs, tmp_path):
    kl.interop.tensorboard.write(runs, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-0", "run-1"]
    np.testing.assert_allclose(
        read(tmp_path / "run-1").Scalars("loss")[-1].value, runs[1].history["loss"][-1], rtol=1e-6
    )


def test_what_cannot_be_written_is_told(runs, tmp_path, monkeypatch):
    for nothing in ([], "runs", 3):
        with pytest.raises(InputError, match="takes a run, or a list"):
            kl.interop.tensorboard.write(nothing, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write"):
        kl.interop.tensorboard.write(runs[0], tmp_path / "file" / "events")
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(InputError, match=r"pip install 'kilter\[tensorboard\]'"):
        kl.interop.tensorboard.write(runs[0], tmp_path)
