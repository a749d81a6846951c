"""Windows that slide over the spatial axes: sizes, strides, dilations and padding, checked against the input."""

from typing import Any

from kilter.core.errors import InputError
from kilter.nn.sweep import Pads, Sweep

Size = int | tuple[int, ...]
Padding = str | int | tuple[int, ...]
Shape = tuple[int, ...]
_STEPS = ("window", "stride", "dilation")


def sizes(layer: Any, name: str, given: Size, axes: int) -> Shape:
    """One number for every spatial axis."""
    each = (given,) * axes if isinstance(given, int) else given
    if len(each) != axes:
        raise InputError(f"{layer!r}: {name} has {len(each)} numbers, the input has {axes} spatial axes")
    return each


def steps(layer: Any, axes: int) -> tuple[Shape, Sweep]:
    """Window of a convolution, and its sweep before it is padded."""
    window, stride, dilation = (sizes(layer, name, getattr(layer, name), axes) for name in _STEPS)
    return window, Sweep(stride, ((0, 0),) * axes, dilation)


def frame(layer: Any, space: Shape) -> tuple[Shape, Sweep]:
    """Window and sweep of a convolution.

    Raises:
        InputError: a window is longer than the padded input.
    """
    window, sweep = steps(layer, len(space))
    return window, sweep._replace(padding=pads(layer, layer.padding, space, sweep.span(window), sweep.stride))


def pads(layer: Any, padding: Padding, space: Shape, window: Shape, stride: Shape) -> Pads:
    """Positions added before and after each spatial axis.

    ``"same"`` gives ceil(length / stride) positions, the odd one added after, as in Keras and unlike PyTorch.

    Raises:
        InputError: a window is longer than the padded input.
    """
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + w - n, 0) for n, w, s in zip(space, window, stride, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    each = sizes(layer, "padding", 0 if isinstance(padding, str) else padding, len(space))
    if any(n + 2 * p < w for n, p, w in zip(space, each, window, strict=True)):
        raise InputError(f"{layer!r}: a window that spans {window} does not fit into an input of {space}")
    return tuple((p, p) for p in each)
