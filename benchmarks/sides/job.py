"""What all contestants of a row that trains do: one network on the same rows, from fresh weights to metrics at the end.

The work is the same for all: weights are drawn, so many epochs go over all rows in batches by fresh permutations with Adam
at 0.001, and at the end the network says something of all training rows, whose loss and accuracy are taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

RATE = 1e-3
# Rows that go through at once when all of them are judged.
BLOCK = 8192


@dataclass(frozen=True)
class Job:
    """Rows, batches and epochs; the network in every library that has it.

    Attributes:
        x: inputs; of images ``(rows, height, width, channels)``.
        y: classes.
        batch: rows of an update.
        epochs: passes.
        kilter: makes Kilter's network.
        torch: makes PyTorch's; images come with channels second, in the memory format of channels last.
        flax: makes Flax's.
        keras: makes Keras's.
        hidden: scikit-learn's hidden layers; None where it has no such network.
        scanned: whether JAX's peers do best as one scan; convolutions are slow in a loop on a CPU.
    """

    x: np.ndarray
    y: np.ndarray
    batch: int
    epochs: int
    kilter: Callable[[], Any]
    torch: Callable[[], Any]
    flax: Callable[[], Any] | None = None
    keras: Callable[[], Any] | None = None
    hidden: tuple[int, ...] | None = None
    scanned: bool = True

    @property
    def updates(self) -> int:
        """Updates of all epochs."""
        return self.epochs * -(-len(self.x) // self.batch)

    def orders(self, seed: int) -> np.ndarray:
        """A permutation an epoch."""
        rng = np.random.default_rng(seed)
        return np.stack([rng.permutation(len(self.x)) for _ in range(self.epochs)])


def accuracy(outputs: np.ndarray, y: np.ndarray) -> float:
    """Of the largest output."""
    return float((outputs.argmax(-1) == y).mean())
