"""Small PyTorch networks and rows that the tests examine."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)


def easy(rows=320, features=8, classes=3, seed=0):
    draw = np.random.default_rng(seed)
    centers = draw.normal(size=(classes, features)) * 1.5
    y = draw.integers(0, classes, rows)
    x = centers[y] + 0.7 * draw.normal(size=(rows, features))
    return torch.from_numpy((x / x.std()).astype(np.float32)), torch.from_numpy(y)


def loader(x, y, size=32, shuffle=True):
    return DataLoader(TensorDataset(x, y), size, shuffle=shuffle)


def perceptron(*layers, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(*(layer() if isinstance(layer, type) else layer for layer in layers))


def three(activation=nn.ReLU, depth=2, width=32, features=8, outputs=3, seed=0):
    torch.manual_seed(seed)
    sizes = [features, *[width] * depth]
    hidden = [each for a, b in pairwise(sizes) for each in (nn.Linear(a, b), activation())]
    return nn.Sequential(*hidden, nn.Linear(width, outputs))


class Residual(nn.Module):
    """Convolutions with batch norms around a shortcut, and functions among them."""

    def __init__(self, channels=8, classes=10):
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(channels * 16, classes)

    def forward(self, x):
        x = self.act(self.norm1(self.first(x)))
        x = self.act(x + self.norm2(self.second(x)))
        x = nn.functional.max_pool2d(x, 2)
        return self.head(torch.flatten(x, 1))
