"""The evidence of a run: how it learned, and its weights."""

from typing import Any

import jax
import numpy as np

from kilter.metrics import describe
from kilter.report.blocks import Block, Chart, Histograms, Section, Table, Text
from kilter.report.charts import lines
from kilter.train.outcome import Outcome
from kilter.train.run import Run
from kilter.vitals.taps import places

Array = np.ndarray[Any, Any]
# Bins of a histogram, and arrays that have one.
_BINS, _DRAWN = 40, 24


def curves(run: Run) -> Section | None:
    """Loss, deciding metric and learning rate by epoch; None where no epoch was run."""
    history = run.history
    if not len(history["loss"]):
        return None
    if not np.isfinite(history["loss"]).any():
        return Section("How it learned", (Text("The loss was not finite from the first epoch on."), _numbers(run)))
    epochs = np.arange(1, len(history["loss"]) + 1)
    mark = None if run.outcome is Outcome.DIVERGED else run.epoch
    losses = {"training, while learning": (epochs, history["loss"])}
    if "val_loss" in history:
        losses["validation"] = (epochs, history["val_loss"])
    blocks: list[Block] = [
        Chart(lines(losses, "epoch", "loss", log=wide(losses), mark=mark), _told(run), table=_numbers(run))
    ]
    score = history.get(f"val_{run.metric.key}")
    if score is not None:
        option = lines(
            {f"validation {run.metric.key}": (epochs, score)}, "epoch", f"validation {run.metric.key}", mark=mark
        )
        blocks.append(Chart(option, f"Validation {run.metric.key} by epoch; best at epoch {run.epoch}."))
    if len(set(history["lr"].tolist())) > 1:
        option = lines({"learning rate": (epochs, history["lr"])}, "epoch", "learning rate")
        blocks.append(Chart(option, "Learning rate by epoch.", height=200))
    return Section("How it learned", tuple(blocks))


def wide(each: dict[str, tuple[Array, Array]]) -> bool:
    """Whether lines are above zero and go through a decade, so that a logarithmic scale shows more."""
    every = np.concatenate([ys for _, ys in each.values()])
    every = every[np.isfinite(every)]
    return len(every) > 0 and float(every.min()) > 0 and float(every.max()) > 10 * float(every.min())


def _told(run: Run) -> str:
    loss = run.history["loss"]
    words = f"Loss by epoch: training goes from {describe(loss[0])} to {describe(loss[-1])}"
    if "val_loss" not in run.history:
        return f"{words}."
    gap, kept = gaps(run), max(run.epoch, 1) - 1
    ends = f"that of validation ends at {describe(run.history['val_loss'][-1])}"
    apart = f"The gap between them is {describe(gap[kept])} at epoch {kept + 1}, {describe(gap[-1])} at the end."
    return f"{words}; {ends}. {apart}"


def gaps(run: Run) -> Array:
    """Validation loss less training loss, by epoch; both are measured as the network learns, training with dropout on."""
    return np.subtract(run.history["val_loss"], run.history["loss"])


def _numbers(run: Run) -> Table:
    """At most 20 epochs of the history."""
    every = dict(run.history) | ({"gap": gaps(run)} if "val_loss" in run.history else {})
    count = len(run.history["loss"])
    chosen = np.unique(np.linspace(0, count - 1, min(count, 20)).astype(int))
    rows = [[str(index + 1), *(describe(line[index]) for line in every.values())] for index in chosen]
    return Table(["epoch", *every], rows, "History")


def weights(run: Run) -> Section:
    """A histogram and a row for each parameter array."""
    leaves = list(map(np.asarray, jax.tree.leaves(run.params)))
    names = places(run.recipe.net, run.params, run.state, run.shape).weights
    each = dict(zip(names, leaves, strict=True))
    rows = [_array(name, leaf) for name, leaf in each.items()]
    head = ["array", "shape", "mean", "std", "least", "greatest"]
    table = Table(head, rows, f"{sum(leaf.size for leaf in leaves):,} parameters")
    drawn = [_histogram(name, leaf) for name, leaf in each.items() if leaf.size > 1 and np.isfinite(leaf).all()]
    pictures = Histograms(tuple(drawn[:_DRAWN]), "How the numbers of each array are spread.")
    return Section("Weights", (pictures, table) if drawn else (table,))


def _histogram(name: str, leaf: Array) -> tuple[str, list[int], float, float]:
    counts, ends = np.histogram(leaf.astype(float), _BINS)
    return name, counts.tolist(), float(ends[0]), float(ends[-1])


def _array(name: str, leaf: Array) -> list[str]:
    told = [leaf.mean(), leaf.std(), leaf.min(), leaf.max()] if leaf.size else []
    return [name, "x".join(map(str, leaf.shape)) or "1", *map(describe, told)]
