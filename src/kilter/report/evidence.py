"""The evidence of a run: how it learned, the signal through the net, its weights."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from kilter.core.paths import at
from kilter.metrics import describe
from kilter.nn.layer import Layer
from kilter.report.blocks import Block, Chart, Section, Table
from kilter.report.charts import lines, number
from kilter.train.run import Run
from kilter.vitals.signal import EDGES
from kilter.vitals.taps import places
from kilter.vitals.trace import Trace

Array = np.ndarray[Any, Any]
# What of the vitals is shown: its name, whether colors are logarithmic, and its least and greatest value where it has any.
_SIGNALS = (
    ("std", "spread (standard deviation)", True, None, None),
    ("mean", "mean", False, None, None),
    ("zero", "share exactly zero", False, 0, 1),
    ("dead", "dead units", False, 0, 1),
    ("saturated", "saturated", False, 0, 1),
    ("backward", "back-propagated gradient (rms)", True, None, None),
    ("rank", "effective rank", False, None, None),
    ("examples", "likeness of examples", False, 0, 1),
)
_WEIGHTS = (
    ("update", "update over weight", True, None, None),
    ("gradient", "gradient (rms)", True, None, None),
    ("rms", "weights (rms)", True, None, None),
    ("moved", "distance from the start", False, None, None),
)


def curves(run: Run) -> Section | None:
    """Loss, deciding metric and learning rate by epoch; None where no epoch was run."""
    history = run.history
    if not len(history["loss"]):
        return None
    epochs = np.arange(1, len(history["loss"]) + 1)
    losses = {"training, while learning": (epochs, history["loss"])}
    if "val_loss" in history:
        losses["validation"] = (epochs, history["val_loss"])
    blocks: list[Block] = [
        Chart(lines(losses, "epoch", "loss", log=_wide(losses), mark=run.epoch), _told(run), table=_numbers(run))
    ]
    score = history.get(f"val_{run.metric.key}")
    if score is not None:
        option = lines({f"validation {run.metric.key}": (epochs, score)}, "epoch", run.metric.key, mark=run.epoch)
        blocks.append(Chart(option, f"Validation {run.metric.key} by epoch; best at epoch {run.epoch}."))
    if len(set(history["lr"].tolist())) > 1:
        option = lines({"learning rate": (epochs, history["lr"])}, "epoch", "learning rate")
        blocks.append(Chart(option, "Learning rate by epoch.", height=200))
    return Section("How it learned", tuple(blocks))


def _wide(each: dict[str, tuple[Array, Array]]) -> bool:
    """Whether lines are above zero and go through a decade, so that a logarithmic scale shows more."""
    every = np.concatenate([ys for _, ys in each.values()])
    every = every[np.isfinite(every)]
    return len(every) > 0 and float(every.min()) > 0 and float(every.max()) > 10 * float(every.min())


def _told(run: Run) -> str:
    loss = run.history["loss"]
    gap = ""
    if "val_loss" in run.history:
        gap = f"; that of validation ends at {describe(float(run.history['val_loss'][-1]))}"
    return f"Loss by epoch: training goes from {describe(float(loss[0]))} to {describe(float(loss[-1]))}{gap}."


def _numbers(run: Run) -> Table:
    """At most 20 epochs of the history."""
    names, count = list(run.history), len(run.history["loss"])
    chosen = np.unique(np.linspace(0, count - 1, min(count, 20)).astype(int))
    rows = [[str(index + 1), *(describe(float(run.history[name][index])) for name in names)] for index in chosen]
    return Table(["epoch", *names], rows, "History")


def signal(trace: Trace, net: Layer) -> Section:
    """The signal through the net: layers across, records down."""
    layers = tuple(f"{path} {type(at(net, path)).__name__}" for path in trace.layers)
    blocks = [
        Chart(option, told, "signal", 320 + 6 * len(trace))
        for option, told in (
            (
                _signal_map(trace, layers),
                "Each layer's outputs on the same training rows, epoch by epoch; hover for the histogram.",
            ),
            (_weight_map(trace), "Each parameter array; sound updates are about a thousandth of the weights."),
        )
        if option["vitals"]
    ]
    return Section("The signal through the net", tuple(blocks))


def _signal_map(trace: Trace, layers: tuple[str, ...]) -> dict[str, Any]:
    shares = trace.signals.histogram
    return {
        "epochs": trace.epochs.tolist(),
        "vitals": dict(_maps(trace.signals, layers, _SIGNALS, layers=True)),
        "histograms": None if shares is None else [[_bars(cell) for cell in record] for record in shares],
    }


def _weight_map(trace: Trace) -> dict[str, Any]:
    return {"epochs": trace.epochs.tolist(), "vitals": dict(_maps(trace.weights, trace.arrays, _WEIGHTS, layers=False))}


def _maps(part: Any, places: tuple[str, ...], shown: Any, *, layers: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, label, log, least, most in shown:
        values = getattr(part, name)
        if values is None or not np.isfinite(values).any():
            continue
        cells = [[number(value) for value in row] for row in np.asarray(values, float)]
        bounds = {key: value for key, value in (("least", least), ("most", most)) if value is not None}
        yield label, {"places": list(places), "values": cells, "log": log, "layers": layers} | bounds


def _bars(shares: Array) -> dict[str, Any] | None:
    """The bins that hold anything, and where they begin and end."""
    held = np.flatnonzero(np.nan_to_num(shares) > 0)
    if not len(held):
        return None
    first, last = int(held[0]), int(held[-1])
    ends = np.concatenate([[2 * EDGES[0]], EDGES, [2 * EDGES[-1]]])
    shown = [round(float(share), 4) for share in shares[first : last + 1]]
    return {"shares": shown, "ends": [float(ends[first]), float(ends[last + 1])]}


def weights(run: Run) -> Section:
    """A row for each parameter array."""
    leaves = jax.tree.leaves(run.params)
    names = places(run.recipe.net, run.params, run.state, run.shape).weights
    rows = [_array(name, np.asarray(leaf)) for name, leaf in zip(names, leaves, strict=True)]
    count = sum(leaf.size for leaf in leaves)
    head = ["array", "shape", "mean", "std", "least", "greatest"]
    return Section("Weights", (Table(head, rows, f"{count:,} parameters"),))


def _array(name: str, leaf: Array) -> list[str]:
    told = [leaf.mean(), leaf.std(), leaf.min(), leaf.max()] if leaf.size else []
    return [name, "x".join(map(str, leaf.shape)) or "1", *(describe(float(value)) for value in told)]
