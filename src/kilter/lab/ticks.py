"""Ticks of logarithmic axes that span few powers of ten: plain numbers at 1, 2 and 5 times each."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plain_log(axes: "Axes") -> None:
    """Make the upright axis logarithmic."""
    from matplotlib.ticker import LogLocator  # takes long to import

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
