"""Do the recipes of the README reach their scores? Digits on five seeds, and a convolutional net on 10,000 MNIST digits.

python benchmarks/scores.py
"""

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from rows.mnist_cnn import kilter_net
from sets import MNIST, mnist


def digits_recipe() -> kl.Recipe:
    """The README's recipe."""
    block = (nn.Dense(256), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.3))
    return kl.Recipe(
        nn.Chain(*block, *block, nn.Dense(10)),
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.Adam(optim.Cosine(3e-3)),
        batch_size=64,
        epochs=50,
    )


def digits_scores() -> list[float]:
    """Test accuracy of five seeds."""
    runs = kl.train_fleet([digits_recipe()], kl.data.digits(), seeds=range(5))
    return [run.metrics["test_accuracy"] for run in runs]


def mnist_scores() -> list[float]:
    """Accuracy on 2000 digits after 10 epochs on 8000 others, of three seeds."""
    x, y = mnist(10_000)
    images = x.reshape(-1, 28, 28, 1)
    data = kl.data.from_arrays(images[:8000], y[:8000], validation=(images[8000:], y[8000:]))
    recipe = kl.Recipe(
        kilter_net(),
        losses.SoftmaxCrossEntropy(smoothing=0.1),
        optimizer=optim.Adam(optim.Cosine(4e-3)),
        batch_size=64,
        epochs=10,
    )
    return [float(run.history["val_accuracy"][-1]) for run in kl.train_fleet([recipe], data, seeds=range(3))]


if __name__ == "__main__":
    scores = digits_scores()
    print(f"digits, README's recipe: test accuracy {np.mean(scores):.4f} (mean of 5 seeds, lowest {min(scores):.4f})")
    if MNIST.exists():
        scores = mnist_scores()
        print(
            "MNIST 8000/2000, conv 32-64-128, 10 epochs: accuracy after the last epoch "
            f"{np.mean(scores):.4f} (mean of 3 seeds, lowest {min(scores):.4f})"
        )
