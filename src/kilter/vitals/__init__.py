"""Vitals: what goes on inside a network, as small summaries of fixed shape."""

from kilter.vitals.measure import Vitals, Weights, Whole, measure
from kilter.vitals.signal import EDGES, Signal, summary
from kilter.vitals.taps import Places, places

__all__ = ["EDGES", "Places", "Signal", "Vitals", "Weights", "Whole", "measure", "places", "summary"]
