"""Vitals: what goes on inside a network, as small summaries of fixed shape."""

from kilter.vitals.activity import Activity, activity
from kilter.vitals.measure import Vitals, Weights, Whole, measure
from kilter.vitals.noise import Noise, noise
from kilter.vitals.nonfinite import NonFinite, first_nonfinite
from kilter.vitals.norms import Drift, drifts
from kilter.vitals.sharpness import largest_eigenvalue, sharpness
from kilter.vitals.signal import EDGES, Signal, summary
from kilter.vitals.taps import Places, places
from kilter.vitals.trace import Trace
from kilter.vitals.watch import Watch

__all__ = [
    "EDGES",
    "Activity",
    "Drift",
    "Noise",
    "NonFinite",
    "Places",
    "Signal",
    "Trace",
    "Vitals",
    "Watch",
    "Weights",
    "Whole",
    "activity",
    "drifts",
    "first_nonfinite",
    "largest_eigenvalue",
    "measure",
    "noise",
    "places",
    "sharpness",
    "summary",
]
