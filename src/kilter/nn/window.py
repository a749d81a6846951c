"""Windows that slide over the spatial axes: sizes, strides, dilations and padding, checked against the input."""

from typing import Any

from kilter.core.errors import InputError
from kilter.nn.convolve import Pads

Size = int | tuple[int, ...]
Padding = str | int | tuple[int, ...]
Shape = tuple[int, ...]


def sizes(layer: Any, name: str, given: Size, axes: int) -> Shape:
    """One number for every spatial axis."""
    each = (given,) * axes if isinstance(given, int) else given
    if len(each) != axes:
        raise InputError(f"{layer!r}: {name} has {len(each)} numbers, the input has {axes} spatial axes")
    return each


def spans(window: Shape, dilation: Shape) -> Shape:
    """Positions from the first to the last of a window whose positions are ``dilation`` apart."""
    return tuple(d * (w - 1) + 1 for w, d in zip(window, dilation, strict=True))


def frame(layer: Any, space: Shape) -> tuple[Shape, Shape, Pads, Shape]:
    """Window, stride, padding and dilation of a convolution, by spatial axis.

    Raises:
        InputError: a window is longer than the padded input.
    """
    names = ("window", "stride", "dilation")
    window, stride, dilation = (sizes(layer, name, getattr(layer, name), len(space)) for name in names)
    return window, stride, pads(layer, layer.padding, space, spans(window, dilation), stride), dilation


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
