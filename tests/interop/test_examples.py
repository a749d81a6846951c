"""The examples: broken networks are diagnosed with two lines, and what is named heals them."""

import os
import sys
from pathlib import Path

import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "jax")
torch.set_num_threads(1)
sys.path.append(str(Path(__file__).parents[2] / "examples"))


@pytest.mark.slow
def test_what_is_named_heals_the_torch_example(capsys):
    import torch_broken

    torch.manual_seed(0)
    assert torch_broken.train(torch_broken.network()) < 0.5
    told = capsys.readouterr().out
    assert "the gradient fades on its way back to the first layers" in told
    assert "try: nn.ReLU()" in told
    assert torch_broken.train(torch_broken.network(torch.nn.ReLU)) > 0.9


@pytest.mark.slow
def test_what_is_named_heals_the_keras_example(capsys):
    import keras
    import keras_broken

    keras.utils.set_random_seed(0)
    assert keras_broken.train(keras_broken.network()) < 0.5
    told = capsys.readouterr().out
    assert "the gradient fades on its way back to the first layers" in told
    assert 'try: activation="relu" in hidden layers' in told
    assert keras_broken.train(keras_broken.network("relu")) > 0.9
