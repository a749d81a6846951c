"""ResNet-20 of He et al. 2016 on images of 32 x 32, with projections where shapes differ."""

from typing import Any

from contest import Contest, Row
from rows.mnist_cnn import GROUP
from sets import noise
from sides.job import Job
from sides.training import contest

STAGES = (16, 32, 64)
BLOCKS = 3


def blocks(quick: bool) -> list[tuple[int, int, int]]:
    """Inputs, units and stride of each block; quick, the first and a wider one."""
    found, inputs = [], STAGES[0]
    for units in STAGES[: 2 if quick else None]:
        for _ in range(1 if quick else BLOCKS):
            found.append((inputs, units, 1 if inputs == units else 2))
            inputs = units
    return found


def make(quick: bool) -> Contest:
    """The contest."""
    rows, batch, side = (12, 6, 8) if quick else (512, 64, 32)
    plan = blocks(quick)
    job = Job(
        *noise(rows, (side, side, 3), 10), batch, 1 if quick else 2,
        lambda: kilter_net(plan), lambda: torch_net(plan), lambda: flax_net(plan), lambda: keras_net(plan), scanned=False,
    )  # fmt: skip
    places = batch * side * side
    sizes = [(places >> 2 * stage, 9 * units, units) for stage, units in enumerate(STAGES)]
    return contest(job, [*sizes, *((inner, rows, units) for rows, inner, units in sizes)], tuned=not quick, quick=quick)


def kilter_net(plan: list[tuple[int, int, int]]) -> Any:
    """In Kilter."""
    from kilter import nn

    layers: list[Any] = [nn.Conv(STAGES[0]), nn.BatchNorm(), nn.ReLU()]
    for inputs, units, stride in plan:
        first = nn.Conv(units, stride=stride, padding=1)
        body = nn.Chain(first, nn.BatchNorm(), nn.ReLU(), nn.Conv(units), nn.BatchNorm())
        other = nn.Chain(nn.Conv(units, 1, stride=stride, padding="valid"), nn.BatchNorm())
        layers += [nn.Residual(body, None if inputs == units else other), nn.ReLU()]
    return nn.Chain(*layers, nn.GlobalAvgPool(), nn.Dense(10))


def torch_net(plan: list[tuple[int, int, int]]) -> Any:
    """In PyTorch."""
    import torch
    from torch import nn

    def convolution(inputs: int, units: int, window: int, stride: int) -> list[Any]:
        return [nn.Conv2d(inputs, units, window, stride, window // 2, bias=False), nn.BatchNorm2d(units)]

    class Block(nn.Module):
        def __init__(self, inputs: int, units: int, stride: int) -> None:
            super().__init__()
            first = convolution(inputs, units, 3, stride)
            self.body = nn.Sequential(*first, nn.ReLU(inplace=True), *convolution(units, units, 3, 1))
            self.other = nn.Identity() if inputs == units else nn.Sequential(*convolution(inputs, units, 1, stride))

        def forward(self, x: Any) -> Any:
            return torch.relu_(self.body(x) + self.other(x))

    front = [*convolution(3, STAGES[0], 3, 1), nn.ReLU(inplace=True)]
    back = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(plan[-1][1], 10)]
    return nn.Sequential(*front, *(Block(*each) for each in plan), *back)


def flax_net(plan: list[tuple[int, int, int]]) -> Any:
    """In Flax."""
    from flax import linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool) -> Any:
            def convolution(x: Any, units: int, window: int, stride: int) -> Any:
                pad = window // 2
                x = nn.Conv(units, (window, window), (stride, stride), ((pad, pad), (pad, pad)), use_bias=False)(x)
                return nn.BatchNorm(not train, momentum=0.9)(x)

            x = nn.relu(convolution(x, STAGES[0], 3, 1))
            for inputs, units, stride in plan:
                y = convolution(nn.relu(convolution(x, units, 3, stride)), units, 3, 1)
                x = nn.relu(y + (x if inputs == units else convolution(x, units, 1, stride)))
            return nn.Dense(10)(x.mean((1, 2)))

    return Net()


def keras_net(plan: list[tuple[int, int, int]]) -> Any:
    """In Keras."""
    import keras
    from keras import layers

    def convolution(x: Any, units: int, window: int, stride: int) -> Any:
        x = layers.ZeroPadding2D(window // 2)(x) if window > 1 else x
        return layers.BatchNormalization(momentum=0.9)(layers.Conv2D(units, window, stride, use_bias=False)(x))

    inputs_ = keras.Input((None, None, 3))
    x = layers.ReLU()(convolution(inputs_, STAGES[0], 3, 1))
    for inputs, units, stride in plan:
        y = convolution(layers.ReLU()(convolution(x, units, 3, stride)), units, 3, 1)
        x = layers.ReLU()(layers.add([y, x if inputs == units else convolution(x, units, 1, stride)]))
    return keras.Model(inputs_, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


ROW = Row("resnet", "ResNet-20 on 32 x 32; 512 rows, batch 64", GROUP, make, aim=1.0, weight=4.0)
