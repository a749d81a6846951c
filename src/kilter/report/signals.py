"""The signal through the net as maps: layers across, records down, a map for each vital."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.core.paths import at
from kilter.metrics import describe
from kilter.nn.layer import Layer
from kilter.report.blocks import Chart, Section, Table
from kilter.report.charts import number
from kilter.vitals.signal import EDGES
from kilter.vitals.trace import Trace

Array = np.ndarray[Any, Any]
# What of the vitals is shown: its name, what it is called, and how it is colored: by its logarithm, both ways around zero,
# or between bounds of its own.
_SIGNALS = (
    ("mean", "mean", {"both": True}),
    ("std", "spread (standard deviation)", {"log": True}),
    ("dead", "dead units", {"least": 0, "most": 1}),
    ("saturated", "saturated inputs", {"least": 0, "most": 1}),
    ("backward", "back-propagated gradient (rms)", {"log": True}),
    ("zero", "share exactly zero", {"least": 0, "most": 1}),
    ("rank", "effective rank", {}),
    ("examples", "likeness of examples", {"least": 0, "most": 1}),
)
_WEIGHTS = (
    ("update", "update over weight", {"log": True}),
    ("gradient", "gradient (rms)", {"log": True}),
    ("rms", "weights (rms)", {"log": True}),
    ("moved", "distance from the start", {}),
)
# Cells of a map that a page draws fluently.
_CELLS = 1500


def signal(trace: Trace, net: Layer) -> Section:
    """Maps of the layers' outputs and of the parameter arrays, and the last record as tables."""
    layers = tuple(f"{path} {type(at(net, path)).__name__}" for path in trace.layers)
    charts = (
        _chart(trace, trace.signals, layers, _SIGNALS, "Each layer's outputs on the same training rows, epoch by epoch"),
        _chart(
            trace, trace.weights, trace.arrays, _WEIGHTS,
            "Each parameter array; sound updates are about a thousandth of the weights",
        ),
    )  # fmt: skip
    return Section("The signal through the net", tuple(chart for chart in charts if chart.option["vitals"]))


def _chart(trace: Trace, part: Any, places: tuple[str, ...], shown: Any, words: str) -> Chart:
    chosen = _records(len(trace), len(places))
    vitals = dict(_maps(part, places, shown, chosen))
    option = {"epochs": trace.epochs[chosen].tolist(), "vitals": vitals}
    shares = getattr(part, "histogram", None)
    if shares is not None:
        option["histograms"] = [[_bars(cell) for cell in record] for record in shares[chosen]]
        words += "; point at a cell for the histogram"
    told, table = f"{words}. Blank where there is nothing to measure.", _last(vitals, trace.epochs[-1])
    return Chart(option, told, "maps", height=0, table=table)


def _records(records: int, places: int) -> Array:
    """Those that are shown: all, or as many as there is room for, evenly spread, first and last among them."""
    room = max(_CELLS // max(places, 1), 2)
    return np.unique(np.linspace(0, records - 1, min(records, room)).astype(int))


def _maps(part: Any, places: tuple[str, ...], shown: Any, chosen: Array) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, label, coloring in shown:
        values = getattr(part, name)
        if values is None or not np.isfinite(values).any():
            continue
        cells = [[number(value) for value in row] for row in np.asarray(values, float)[chosen]]
        yield label, {"places": list(places), "values": cells, "layers": shown is _SIGNALS} | coloring


def _last(vitals: dict[str, dict[str, Any]], epoch: int) -> Table:
    """The last record."""
    names = next(iter(vitals.values()))["places"] if vitals else []
    columns = [each["values"][-1] for each in vitals.values()]
    rows = [
        [name, *("" if value is None else describe(value) for value in row)]
        for name, *row in zip(names, *columns, strict=True)
    ]
    return Table(["", *vitals], rows, f"After epoch {epoch}")


def _bars(shares: Array) -> dict[str, Any] | None:
    """The bins that hold anything, and where they begin and end."""
    held = np.flatnonzero(np.nan_to_num(shares) > 0)
    if not len(held):
        return None
    first, last = int(held[0]), int(held[-1])
    ends = np.concatenate([[2 * EDGES[0]], EDGES, [2 * EDGES[-1]]])
    shown = [round(float(share), 4) for share in shares[first : last + 1]]
    return {"shares": shown, "ends": [float(ends[first]), float(ends[last + 1])]}
