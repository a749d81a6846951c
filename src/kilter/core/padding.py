"""Whether networks of different widths may share a program: the narrow ones padded with zeros at the ends of axes."""

from typing import Any

from kilter.core.paths import walk


def paddable(value: Any) -> bool:
    """Whether zeros at the ends of axes change nothing for the rest, by what each part says of itself.

    Args:
        value: a layer, an initializer, an optimizer, a constraint or a penalty, with all that is in it; parts that say
            nothing (schedules) do not depend on shapes.

    >>> from kilter import nn, optim
    >>> paddable(nn.Chain(nn.Dense(8), nn.ReLU())), paddable(nn.Chain(nn.Dense(8), nn.LayerNorm()))
    (True, False)
    >>> paddable(optim.ClipByGlobalNorm(optim.Adam()))
    True
    """
    return all(getattr(each, "paddable", True) for _, each in walk(value))
