"""Runs as TensorBoard event files, for those who are used to them: curves, and what was watched of every layer."""

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from kilter.core.errors import FileError, InputError
from kilter.train.run import Run
from kilter.vitals.trace import Trace


def write(runs: Run | Sequence[Run], folder: str | Path) -> Path:
    """Write event files that ``tensorboard --logdir FOLDER`` shows; steps are epochs.

    One run is written to the folder itself, several to folders ``run-0``, ``run-1``, ... in it. Curves go by their names
    (``loss``, ``val_loss``, ``val_accuracy``, ``lr``), vitals by ``vitals/std/layers[0]``; the recipe is a text. Needs the
    package ``tensorboard``: ``pip install 'kilter[tensorboard]'``.

    Args:
        runs: one run, or several.
        folder: for the files; what is there stays.

    Raises:
        InputError: the package is missing, or there is no run.
        FileError: the folder cannot be written.
    """
    several = [runs] if isinstance(runs, Run) else list(runs) if isinstance(runs, Sequence) else []
    if not several or not all(isinstance(run, Run) for run in several):
        raise InputError("tensorboard.write takes a run, or a list of at least one")
    folder = Path(folder)
    for index, run in enumerate(several):
        _write(run, folder if isinstance(runs, Run) else folder / f"run-{index}")
    return folder


def _write(run: Run, folder: Path) -> None:
    try:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise InputError(
            "kl.interop.tensorboard needs the package tensorboard: pip install 'kilter[tensorboard]'"
        ) from None
    try:
        writer = EventFileWriter(str(folder))
        for event in _events(run):
            writer.add_event(event)
        writer.close()
    except OSError as error:
        raise FileError(f"cannot write {folder}: {error.strerror or error}") from error


def _events(run: Run) -> Iterator[Any]:
    Event, Summary, now = _message("event", "Event"), _message("summary", "Summary"), time.time()
    yield Event(wall_time=now, step=0, summary=_text(repr(run.recipe)))
    for name, step, value in (*_curves(run), *(() if run.vitals is None else _vitals(run.vitals))):
        yield Event(wall_time=now, step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)]))


def _curves(run: Run) -> Iterator[tuple[str, int, float]]:
    for name, line in run.history.items():
        yield from ((name, epoch, float(value)) for epoch, value in enumerate(line, 1))


def _vitals(trace: Trace) -> Iterator[tuple[str, int, float]]:
    for part, places in ((trace.signals, trace.layers), (trace.weights, trace.arrays)):
        for name, values in zip(part._fields, part, strict=True):
            if values is None or name == "histogram":
                continue
            for epoch, row in zip(trace.epochs, np.asarray(values, float), strict=True):
                finite = ((place, value) for place, value in zip(places, row, strict=True) if np.isfinite(value))
                yield from ((f"vitals/{name}/{place}", int(epoch), float(value)) for place, value in finite)


def _text(words: str) -> Any:
    """A text as the plugin for texts reads it."""
    Summary, About = _message("summary", "Summary"), _message("summary", "SummaryMetadata")
    about = About(plugin_data=About.PluginData(plugin_name="text"))
    tensor = _message("tensor", "TensorProto")(dtype=_message("types", "DT_STRING"), string_val=[words.encode()])
    return Summary(value=[Summary.Value(tag="recipe", metadata=about, tensor=tensor)])


def _message(module: str, name: str) -> Any:
    """A message of TensorBoard's formats; they are made when their modules are imported."""
    return getattr(import_module(f"tensorboard.compat.proto.{module}_pb2"), name)
