"""What eight devices of one process train, beside what one of them trains: differences as JSON. Run by test_mesh.py."""

import json
import sys
import warnings

import jax
import numpy as np

import kilter as kl
from kilter import losses, nn, optim

warnings.simplefilter("error")


def apart(a, b):
    """How far two runs are apart at most: weights and state, and lines of the history; and whether they chose alike."""
    weights = zip(jax.tree.leaves((a.params, a.state)), jax.tree.leaves((b.params, b.state)), strict=True)
    return {
        "weights": max(float(np.abs(p - q).max()) for p, q in weights),
        "history": max(float(np.abs(a.history[name] - b.history[name]).max()) for name in a.history),
        "metrics": max(abs(a.metrics[name] - b.metrics[name]) for name in a.metrics),
        "moved": max(float(np.ptp(leaf)) for leaf in jax.tree.leaves(a.params)),
        "alike": (a.epoch, a.outcome) == (b.epoch, b.outcome),
    }


def data_of(shape, rows=170):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, *shape)).astype(np.float32)
    y = (x.reshape(rows, -1)[:, :3].sum(1) + 0.3 * draw.normal(size=rows) > 0).astype(int)
    return kl.data.from_arrays(x, y, validation=0.2, seed=0)


def recipe_of(*layers, optimizer=None, batch_size=50, **more):
    return kl.Recipe(
        nn.Chain(*layers, nn.Dense(2)), losses.SoftmaxCrossEntropy(), optimizer=optimizer or optim.Adam(0.01),
        batch_size=batch_size, epochs=4, **more,
    )  # fmt: skip


def streamed():
    """Windows of 50 rows, the last one of 36 padded to 50; eight devices divide neither."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(186, 200)).astype(np.float32)
    y = (x[:, :3].sum(1) + 0.3 * draw.normal(size=186) > 0).astype(int)
    rows = kl.data.stream((x, y), validation=(x[:30], y[:30]), memory="1MiB")
    own = recipe_of(nn.Dense(16), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.3), optimizer=optim.Adam(0.003))
    one, fleet = kl.train(own, rows), [own.put("optimizer.lr", lr) for lr in (0.001, 0.003, 0.01)]
    return {
        "stream": apart(one, kl.train(own, rows, devices=8)),
        "stream in shards": apart(one, kl.train(own, rows, devices="all", shard=True)),
        "stream of members and batches": apart(one, kl.train_fleet(fleet, rows, devices=2)[1]),
    }


def main():
    table = data_of((6,))
    # Batches of 50 on 8 devices, the last one of 36 padded to 50: neither divides the other.
    dense = recipe_of(nn.Dense(16), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.3), penalty=losses.L2(1e-3))
    one = kl.train(dense, table)
    found = {
        "dense": apart(one, kl.train(dense, table, devices=8)),
        "in shards": apart(one, kl.train(dense, table, devices="all", shard=True)),
    }
    images = data_of((9, 9, 2))
    layers = nn.Conv(8, 3), nn.BatchNorm(), nn.ReLU(), nn.MaxPool(2), nn.Conv(8, 2, dilation=2, groups=2), nn.Flatten()
    conv = recipe_of(*layers, optimizer=optim.SGD(0.05))
    found["convolution"] = apart(kl.train(conv, images), kl.train(conv, images, devices=8))
    sequences = data_of((5, 3))
    recurrent = recipe_of(nn.GRU(8, recurrent_dropout=0.2), batch_size=30)
    found["recurrent"] = apart(kl.train(recurrent, sequences), kl.train(recurrent, sequences, devices=8))
    fleet = [dense.put("optimizer.lr", lr) for lr in (0.003, 0.01, 0.03)]
    spread = kl.train_fleet(fleet, table, devices=2)
    found["members and batches"] = apart(one, spread[1])
    found["watched"] = apart(one, kl.train(dense, table, devices=8, watch=kl.Watch(every=2)))
    found |= streamed()
    json.dump(found, sys.stdout)


main()
