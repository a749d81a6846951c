"""The rows that benchmarks train on."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

MNIST = Path(__file__).parent.parent.parent / "shared" / "data" / "mnist10k.npz"
Set = tuple[np.ndarray, np.ndarray]


def digits() -> Set:
    """1437 digits of 64 pixels."""
    x, y = load_digits(return_X_y=True)
    return (x[:1437] / 16).astype(np.float32), y[:1437]


def mnist(rows: int) -> Set:
    """MNIST digits, shuffled; noise of the same shape where the file is not at hand."""
    if not MNIST.exists():
        rng = np.random.default_rng(0)
        return rng.random((rows, 784), np.float32), rng.integers(0, 10, rows)
    with np.load(MNIST) as file:
        order = np.random.default_rng(0).permutation(len(file["y"]))[:rows]
        return file["x"][order].reshape(rows, 784).astype(np.float32) / 255, file["y"][order].astype(np.int64)


def noise(rows: int, shape: tuple[int, ...], classes: int) -> Set:
    """Normal numbers with classes that a linear map of a few of them tells; the first rows have one class each."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, *shape), np.float32)
    seen = x.reshape(rows, -1)[:, :20]
    y = (seen @ rng.normal(size=(seen.shape[1], classes))).argmax(1)
    y[:classes] = np.arange(min(rows, classes))
    return x, y
