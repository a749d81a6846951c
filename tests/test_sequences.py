"""MNIST-1D: a dense, a convolutional and a recurrent net reach what is published of such nets."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
import sequences


@pytest.fixture(scope="module")
def rows():
    return sequences.mnist_1d()


# Rates as `benchmarks/sequences.py` chooses them on validation rows; published: 0.68, 0.94 and 0.91.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lr", "rate", "epochs", "least"),
    [("MLP", 3e-3, 0.3, 50, 0.66), ("CNN", 1e-2, 0.3, 12, 0.93), ("GRU", 1e-2, 0.3, 15, 0.90)],
)
def test_accuracy_on_the_test_rows(rows, name, lr, rate, epochs, least):
    reached = sequences.accuracy(sequences.settled(name, lr, rate, epochs), rows)
    assert reached >= least
