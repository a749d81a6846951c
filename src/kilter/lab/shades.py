"""Colors: of settings that have an order, as bright as they are large, and of those that have none."""

import numpy as np

from kilter.report.charts import COLORS

# The map viridis at equal steps, without its lightest end, which white paper swallows.
_STOPS = np.array([(0.267, 0.005, 0.329), (0.230, 0.322, 0.546), (0.128, 0.567, 0.551), (0.369, 0.789, 0.383)])
_STOPS = np.vstack([_STOPS, (0.741, 0.873, 0.150)])

Color = tuple[float, float, float]


def shades(count: int) -> list[Color]:
    """So many colors, in order.

    >>> first, last = shades(2)
    >>> [round(each, 1) for each in first], [round(each, 1) for each in last]
    ([0.3, 0.0, 0.3], [0.7, 0.9, 0.1])
    """
    places = np.linspace(0, len(_STOPS) - 1, count)
    channels = [np.interp(places, np.arange(len(_STOPS)), _STOPS[:, channel]) for channel in range(3)]
    return [(float(r), float(g), float(b)) for r, g, b in zip(*channels, strict=True)]


def hue(place: int) -> str:
    """The color of the setting at this place, those of the report; they come again from the eighth on.

    >>> hue(0), hue(7)
    ('#0072b2', '#0072b2')
    """
    return COLORS[place % len(COLORS)]
