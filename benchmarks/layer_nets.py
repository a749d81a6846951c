"""The networks that `layers.py` compares, in Kilter and in PyTorch."""

from itertools import pairwise

import torch
from torch import nn as t

from kilter import nn


class Last(t.Module):
    """The last output of a recurrent module, and a dense layer on it."""

    def __init__(self, inner: t.Module, units: int) -> None:
        super().__init__()
        self.inner, self.dense = inner, t.Linear(units, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As PyTorch asks for it."""
        return self.dense(self.inner(x)[0][:, -1])


class First(t.Module):
    """The outputs of a recurrent module alone."""

    def __init__(self, inner: t.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As PyTorch asks for it."""
        return self.inner(x)[0]


class Attention(t.Module):
    """Self-attention without weights as a result."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.inner = t.MultiheadAttention(features, heads, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As PyTorch asks for it."""
        return self.inner(x, x, x, need_weights=False)[0]


class Block(t.Module):
    """A residual block of He et al. 2016 for images of 32 x 32, with a projection where shapes differ."""

    def __init__(self, inputs: int, units: int, stride: int) -> None:
        super().__init__()
        self.body = t.Sequential(
            t.Conv2d(inputs, units, 3, stride, 1, bias=False), t.BatchNorm2d(units), t.ReLU(inplace=True),
            t.Conv2d(units, units, 3, 1, 1, bias=False), t.BatchNorm2d(units),
        )  # fmt: skip
        self.shortcut = t.Identity()
        if inputs != units:
            self.shortcut = t.Sequential(t.Conv2d(inputs, units, 1, stride, bias=False), t.BatchNorm2d(units))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As PyTorch asks for it."""
        return torch.relu(self.body(x) + self.shortcut(x))


def torch_resnet() -> t.Module:
    """ResNet-20."""
    layers: list[t.Module] = [t.Conv2d(3, 16, 3, 1, 1, bias=False), t.BatchNorm2d(16), t.ReLU(inplace=True)]
    inputs = 16
    for units in (16, 32, 64):
        for place in range(3):
            layers.append(Block(inputs, units, 2 if place == 0 and units > 16 else 1))
            inputs = units
    return t.Sequential(*layers, t.AdaptiveAvgPool2d(1), t.Flatten(), t.Linear(64, 10))


def resnet() -> nn.Chain:
    """The same in Kilter."""
    layers: list[nn.Layer] = [nn.Conv(16), nn.BatchNorm(), nn.ReLU()]
    inputs = 16
    for units in (16, 32, 64):
        for place in range(3):
            stride = 2 if place == 0 and units > 16 else 1
            body = nn.Chain(
                nn.Conv(units, stride=stride, padding=1), nn.BatchNorm(), nn.ReLU(), nn.Conv(units), nn.BatchNorm()
            )
            other = (
                None if inputs == units else nn.Chain(nn.Conv(units, 1, stride=stride, padding="valid"), nn.BatchNorm())
            )
            layers += [nn.Residual(body, other), nn.ReLU()]
            inputs = units
    return nn.Chain(*layers, nn.GlobalAvgPool(), nn.Dense(10))


def mnist_net() -> nn.Chain:
    """Two convolutions and two dense layers."""
    return nn.Chain(
        nn.Conv(32, 3), nn.ReLU(), nn.MaxPool(2),
        nn.Conv(64, 3), nn.ReLU(), nn.MaxPool(2),
        nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10),
    )  # fmt: skip


def torch_mnist_net() -> t.Module:
    """The same in PyTorch."""
    return t.Sequential(
        t.Conv2d(1, 32, 3, padding=1), t.ReLU(), t.MaxPool2d(2),
        t.Conv2d(32, 64, 3, padding=1), t.ReLU(), t.MaxPool2d(2),
        t.Flatten(), t.Linear(3136, 128), t.ReLU(), t.Linear(128, 10),
    )  # fmt: skip


def torch_wide() -> t.Module:
    """Four wide hidden layers."""
    sizes = (784, 1024, 1024, 1024, 1024)
    layers = [layer for a, b in pairwise(sizes) for layer in (t.Linear(a, b), t.ReLU())]
    return t.Sequential(*layers, t.Linear(1024, 10))


def encoder(features: int, heads: int) -> t.Module:
    """A transformer block in PyTorch."""
    return t.TransformerEncoderLayer(features, heads, 4 * features, 0.0, batch_first=True, norm_first=True)
