"""Objects that can draw themselves."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plotted:
    """Has a picture, which `kilter.report.plots` draws: above all that can be drawn, and loaded when it is asked for."""

    def plot(self, path: str | Path | None = None) -> "Figure":
        """A matplotlib figure; no display is needed.

        Args:
            path: where to write it too, as its ending says (``.png``, ``.svg``, ``.pdf``).

        Raises:
            InputError: there is nothing to draw yet.
            FileError: the picture cannot be written.
        """
        return import_module("kilter.report.plots").plot(self, path)
