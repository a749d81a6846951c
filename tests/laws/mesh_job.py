"""One process of a job: what it trains as an array file, then a training that is kept. Run by test_mesh.py."""

import itertools
import sys
from pathlib import Path

import jax
import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.train.streaming import StreamError


def recipe_of(optimizer, epochs):
    net = nn.Chain(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, batch_size=50, epochs=epochs)


def trained():
    recipe, data = recipe_of(optim.Adam(0.01), 4), kl.data.iris(seed=0)
    alone = kl.train(recipe, data)
    fleet = kl.train_fleet([recipe.put("optimizer.lr", lr) for lr in (0.003, 0.01, 0.03)], data)
    return [alone, *fleet, kl.train(recipe, stream_of(lambda: 186))]


def stream_of(rows):
    """A stream with windows of 50 rows, of which a pass gives as many as it is told."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(186, 200)).astype(np.float32), draw.integers(0, 3, 186)
    held = x[:30], y[:30]
    return kl.data.stream(lambda: [(x[:count], y[:count]) for count in [rows()]], validation=held, memory="1MiB")


def broken(number):
    """What a stream says that ends early in the second epoch of process 1 alone, and the epochs that are left."""
    passes = itertools.count(1)
    data = stream_of(lambda: 186 if number == 0 or next(passes) < 3 else 80)
    try:
        kl.train(recipe_of(optim.Adam(0.01), 4), data)
    except StreamError as error:
        return f"{len(error.runs[0].history['loss'])} {error}"


def kept(folder):
    """A training of many short stretches."""
    return kl.train(recipe_of(optim.SGD(0.01), 400), kl.data.iris(seed=0), checkpoint=folder, every="4 epochs")


def main(number, coordinator, folder):
    kl.distributed.start(coordinator, processes=2, process=number, timeout=300, silence=60)
    runs = trained()
    arrays = [leaf for run in runs for leaf in jax.tree.leaves((run.params, run.state, run.history, run.score))]
    runs[0].save(folder / f"run{number}")
    (folder / f"broken{number}.txt").write_text(str(broken(number)))
    np.savez(folder / f"found{number}.npz", *arrays)
    kept(folder / "kept")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
