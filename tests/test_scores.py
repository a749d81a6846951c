"""Real data: the README's recipe on digits, and a convolutional net on 10,000 MNIST digits."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
import scores

needs_mnist = pytest.mark.skipif(not scores.MNIST.exists(), reason="needs the 10,000 MNIST digits beside the project")


@pytest.mark.slow
def test_digits_of_the_readme_reach_0975_on_five_seeds():
    assert np.mean(scores.digits_scores()) >= 0.975


@pytest.mark.slow
@needs_mnist
def test_a_convolutional_net_reaches_098_on_mnist_in_ten_epochs_on_three_seeds():
    assert np.mean(scores.mnist_scores()) >= 0.98
