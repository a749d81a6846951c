"""What `layers.py` measures: each part in Kilter, and its best form in PyTorch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn as t

from kilter import nn, optim
from layer_nets import (
    Attention,
    First,
    Last,
    encoder,
    mnist_net,
    resnet,
    torch_mnist_net,
    torch_resnet,
    torch_wide,
)
from layer_sides import (
    Program,
    Shape,
    judged,
    judged_by_torch,
    normal,
    optimized,
    optimized_by_torch,
    ours,
    theirs,
    trained,
    trained_by_torch,
)


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: what is compared.
        ours: makes our loop of updates.
        theirs: makes PyTorch's, compiled or not.
        updates: that a loop makes.
        operations: of the products of an update, where these are most of it.
        product: rows, inner and columns of such a product.
    """

    name: str
    ours: Callable[[], Program]
    theirs: Callable[[bool], Program]
    updates: int
    operations: float | None = None
    product: tuple[int, int, int] = field(default=(1, 1, 1))


def alone(name: str, layer: nn.Layer, make: Callable[[], t.Module], shape: Shape, updates: int, **more: Any) -> Case:
    """A layer; ``shape`` is ours, channels last, which images and sequences for convolutions have second in PyTorch."""
    x = torch.from_numpy(normal(shape))
    if more.pop("channels_second", len(shape) == 4):
        x = x.movedim(-1, 1)
    return Case(
        name, lambda: ours(layer, shape, updates), lambda compiled: theirs(make, x, updates, compiled), updates, **more
    )


def whole(name: str, net: nn.Layer, make: Callable[[], t.Module], shape: Shape, updates: int) -> Case:
    """A net that trains."""
    order = (shape[0], shape[-1], *shape[1:-1]) if len(shape) == 4 else shape
    return Case(
        name,
        lambda: trained(net, shape, 10, updates),
        lambda compiled: trained_by_torch(make, order, 10, updates, compiled),
        updates,
    )


def cases(quick: bool) -> list[Case]:
    """The rows to measure: all; quick, every third."""
    return every(quick)[2::3] if quick else every(quick)


def every(quick: bool) -> list[Case]:
    """All rows; quick, of small batches and few updates."""
    n = 4 if quick else 128
    return [*nets(n, quick), *sequences(n, quick), *images(n, quick), *signals(n, quick), *steps(n, quick)]


def nets(n: int, quick: bool) -> list[Case]:
    """Whole nets."""
    long, few = (16, 1) if quick else (256, 4)
    lstm = nn.Chain(nn.LSTM(128), nn.Dense(10))
    wide = [layer for _ in range(4) for layer in (nn.Dense(1024), nn.ReLU())]
    return [
        whole("net: MNIST CNN", mnist_net(), torch_mnist_net, (n, 28, 28, 1), few),
        whole("net: ResNet-20, 32 x 32", resnet(), torch_resnet, (n, 32, 32, 3), few // 2 or 1),
        whole(
            "net: LSTM 128 on 28 x 28", lstm, lambda: Last(t.LSTM(28, 128, batch_first=True), 128), (n, 28, 28), 5 * few
        ),
        whole(
            "net: LSTM 128 on 256 x 28", lstm, lambda: Last(t.LSTM(28, 128, batch_first=True), 128), (n, long, 28), few
        ),
        whole("net: 784-1024x4-10", nn.Chain(*wide, nn.Dense(10)), torch_wide, (n, 784), 4 * few),
    ]


def sequences(n: int, quick: bool) -> list[Case]:
    """Layers on sequences."""
    few = 1 if quick else 10
    block = nn.TransformerBlock(4)
    small = n // 4 or 1
    return [
        alone(
            "LSTM 128, all outputs, 28 x 64",
            nn.LSTM(128, sequences=True),
            lambda: First(t.LSTM(64, 128, batch_first=True)),
            (n, 28, 64),
            few,
        ),
        alone(
            "GRU 128, all outputs, 28 x 64",
            nn.GRU(128, sequences=True),
            lambda: First(t.GRU(64, 128, batch_first=True)),
            (n, 28, 64),
            few,
        ),
        alone(
            "attention, 4 heads, 32 x 64 x 128",
            nn.MultiHeadAttention(4),
            lambda: Attention(128, 4),
            (small, 64, 128),
            few,
        ),
        alone("transformer block, 32 x 64 x 128", block, lambda: encoder(128, 4), (small, 64, 128), few),
        *(convolution(n, (128,), *sizes, few) for sizes in ((32, 64, 5, 1), (32, 64, 5, 2))),
        convolution(n, (128,), 32, 64, 5, 1, few, dilation=8),
    ]


def images(n: int, quick: bool) -> list[Case]:
    """Layers on images."""
    few = 1 if quick else 4
    kinds = [
        (28, 1, 32, 3, 1),
        (14, 32, 64, 3, 1),
        (32, 3, 16, 3, 1),
        (32, 16, 16, 3, 1),
        (16, 32, 32, 3, 1),
        (8, 64, 64, 3, 1),
    ]
    kinds += [(32, 16, 32, 3, 2), (16, 32, 64, 3, 2), (32, 16, 32, 1, 2), (14, 64, 128, 1, 1)]
    return [
        *(convolution(n, (side, side), *sizes, few) for side, *sizes in kinds),
        convolution(n, (16, 16), 32, 32, 3, 1, few, dilation=2),
        *(spread(n // 2, *sizes, few) for sizes in ((7, 64, 32, 4, 2), (14, 32, 16, 4, 2))),
        *(
            alone(
                f"depthwise convolution, {side} x {side} x {c}",
                nn.DepthwiseConv(3),
                partial(t.Conv2d, c, c, 3, padding=1, groups=c),
                (n, side, side, c),
                few,
            )
            for side, c in ((14, 64), (28, 32))
        ),
        alone("max pooling 2, 28 x 28 x 32", nn.MaxPool(2), lambda: t.MaxPool2d(2), (n, 28, 28, 32), few),
        alone("max pooling 3 by 2, 28 x 28 x 32", nn.MaxPool(3, 2), lambda: t.MaxPool2d(3, 2), (n, 28, 28, 32), few),
        alone("mean pooling 2, 28 x 28 x 32", nn.AvgPool(2), lambda: t.AvgPool2d(2), (n, 28, 28, 32), few),
    ]


def convolution(
    n: int, space: Shape, inputs: int, units: int, window: int, stride: int, few: int, dilation: int = 1
) -> Case:
    """A convolution over time or over height and width."""
    kind = t.Conv1d if len(space) == 1 else t.Conv2d
    name = f"convolution {window} by {stride}, {' x '.join(map(str, space))}, {inputs} to {units}"
    name += f", dilated by {dilation}" if dilation > 1 else ""
    padding = dilation * (window // 2)
    layer = nn.Conv(units, window, stride=stride, padding=padding, dilation=dilation)
    make = partial(kind, inputs, units, window, stride, padding, dilation)
    return alone(name, layer, make, (n, *space, inputs), few, channels_second=True)


def spread(n: int, side: int, inputs: int, units: int, window: int, stride: int, few: int) -> Case:
    """A transposed convolution."""
    name = f"transposed convolution {window} by {stride}, {side} x {side}, {inputs} to {units}"
    make = partial(t.ConvTranspose2d, inputs, units, window, stride, 1)
    return alone(name, nn.ConvTranspose(units, window, stride=stride, padding=1), make, (n, side, side, inputs), few)


def signals(n: int, quick: bool) -> list[Case]:
    """What stands between layers with weights, and dense layers."""
    few, image = 1 if quick else 20, (n, 32, 32, 16)
    return [
        alone("dropout, 128 x 1024", nn.Dropout(0.5), t.Dropout, (n, 1024), 5 * few),
        alone("dropout, 128 x 32 x 32 x 16", nn.Dropout(0.5), t.Dropout, image, few),
        alone("batch norm, 128 x 1024", nn.BatchNorm(), lambda: t.BatchNorm1d(1024), (n, 1024), 5 * few),
        alone("batch norm, 128 x 32 x 32 x 16", nn.BatchNorm(), lambda: t.BatchNorm2d(16), image, few),
        alone("layer norm, 128 x 64 x 128", nn.LayerNorm(), lambda: t.LayerNorm(128), (n, 64, 128), few),
        *(dense(rows, inputs, units, few) for rows, inputs, units in ((n, 1024, 1024), (n, 512, 512), (n, 784, 1024))),
    ]


def dense(rows: int, inputs: int, units: int, few: int) -> Case:
    """A dense layer, whose three products are nearly all there is to it."""
    return alone(
        f"dense, {rows} rows, {inputs} to {units}",
        nn.Dense(units), lambda: t.Linear(inputs, units), (rows, inputs), few,
        operations=6.0 * rows * inputs * units, product=(rows, inputs, units),
    )  # fmt: skip


def steps(n: int, quick: bool) -> list[Case]:
    """Losses and optimizers."""
    few = 1 if quick else 20
    many = [(64, 64), (64,)] * (2 if quick else 40)
    large = [(64, 64)] if quick else [(1024, 1024), (1024,)] * 4
    return [
        *(cross_entropy(rows, classes, few) for rows, classes in ((n, 10), (n, 1000), (8 * n, 1000))),
        *(
            Case(name, partial(optimized, ours, shapes, few), partial(optimized_by_torch, make, shapes, few), few)
            for kind, shapes in (("80 small leaves", many), ("8 large leaves", large))
            for name, ours, make in (
                (f"Adam, {kind}", optim.Adam(1e-3), torch.optim.Adam),
                (f"momentum, {kind}", optim.SGD(1e-3, momentum=0.9), partial(torch.optim.SGD, lr=1e-3, momentum=0.9)),
            )
        ),
    ]


def cross_entropy(rows: int, classes: int, few: int) -> Case:
    """The cross-entropy with its gradient."""
    name = f"cross-entropy, {rows} rows, {classes} classes"
    return Case(name, partial(judged, rows, classes, few), partial(judged_by_torch, rows, classes, few), few)
