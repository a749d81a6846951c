"""What the tests of remedies share: recipes of all kinds, each with data that it can train on."""

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.nn import initializers as draws

_RNG = np.random.default_rng(0)


def _data(shape, task, rows=120, columns=3):
    x = (5 * _RNG.normal(size=(rows, *shape)) + 3).astype(np.float32)
    if task == "two":
        y = (np.arange(rows) % 4 == 0).astype(int)
    elif task == "classes":
        y = np.minimum(np.arange(rows) % 6, columns - 1)
    elif task == "labels":
        y = (_RNG.random((rows, columns)) < 0.4).astype(np.float32)
    else:
        y = (100 * _RNG.standard_t(1.5, size=(rows, 1))).astype(np.float32)
    return kl.data.from_arrays(x, y, validation=0.25, task="classes" if task == "two" else task)


TABLE, PAIRS, LABELS, NUMBERS = (_data((6,), task) for task in ("classes", "two", "labels", "numbers"))
IMAGES, SEQUENCES = _data((8, 8, 3), "classes"), _data((5, 6), "two")
CODES = kl.data.from_arrays(_RNG.integers(0, 9, (80, 4)), np.arange(80) % 3, validation=0.25)

SOFTMAX, SIGMOID = losses.SoftmaxCrossEntropy(), losses.SigmoidCrossEntropy()


def _recipe(loss, *layers, optimizer=None, **given):
    net = nn.Chain(*layers)
    return kl.Recipe(net, loss, optimizer=optimizer or optim.SGD(0.3), batch_size=40, epochs=20, **given)


def _repeated(count, *layers):
    return tuple(layer for _ in range(count) for layer in layers)


_FROM_ZERO = nn.Dense(8, initializer=draws.Zeros())
# Name: recipe and data.
ALL = {
    "plain": (_recipe(SOFTMAX, nn.Dense(8), nn.ReLU(), nn.Dense(3)), TABLE),
    "linear": (_recipe(SOFTMAX, nn.Dense(3), shuffle=False), TABLE),
    "linear stack": (_recipe(SOFTMAX, nn.Dense(8), nn.Identity(), nn.Dense(8), nn.BatchNorm(), nn.Dense(3)), TABLE),
    "deep": (
        _recipe(
            losses.CategoricalCrossEntropy(),
            *_repeated(6, nn.Dense(5, initializer=draws.Constant(0.1)), nn.Sigmoid()),
            *(nn.Dense(3, initializer=draws.Normal(9.0)), nn.Softmax(), nn.Softmax()),
            optimizer=optim.ClipByValue(optim.RMSProp(optim.Warmup(optim.Cosine(0.5)))),
        ),
        TABLE,
    ),
    "softmax of one": (
        _recipe(losses.BinaryCrossEntropy(), nn.Dense(8), nn.Tanh(), nn.Dense(1), nn.Softmax()),
        PAIRS,
    ),
    "two classes": (
        _recipe(
            SIGMOID, nn.Dense(8), nn.Dropout(0.5), nn.BatchNorm(), nn.ELU(), nn.Dense(1), optimizer=optim.Adam(-1e-3)
        ),
        PAIRS,
    ),
    "labels": (
        _recipe(losses.SquaredError(), nn.Dense(8), nn.SELU(), nn.Dropout(0.9), nn.Dense(3), nn.Softmax()),
        LABELS,
    ),
    "numbers": (
        _recipe(
            losses.SquaredError(), nn.Dense(8), nn.GELU(), nn.Dense(1), nn.ReLU(), penalty=losses.L2(1.0, on="all")
        ),
        NUMBERS,
    ),
    "likelihood": (
        _recipe(
            losses.GaussianLikelihood(),
            *(nn.WeightNorm(nn.Dense(8)), nn.Tanh(), nn.Dense(2)),
            optimizer=optim.Average(optim.AdamW(1e-3)),
            targets=kl.data.Standardize(),
        ),
        NUMBERS,
    ),
    "search along the loss": (_recipe(SOFTMAX, nn.Dense(8), nn.Tanh(), nn.Dense(3), optimizer=optim.LBFGS()), TABLE),
    "conv": (
        _recipe(
            SOFTMAX,
            *(nn.Conv(4), nn.BatchNorm(), nn.ReLU(), nn.Conv(4), nn.MaxPool(2), *_repeated(3, nn.Conv(4), nn.ReLU())),
            *(nn.Flatten(), nn.Dense(8), nn.ReLU(), nn.Dense(3)),
            stopping=kl.EarlyStopping(),
        ),
        IMAGES,
    ),
    "all conv": (
        _recipe(SOFTMAX, nn.Conv(4, initializer=draws.GlorotUniform()), nn.ReLU(), nn.Conv(3, 1), nn.GlobalAvgPool()),
        IMAGES,
    ),
    "residual": (
        _recipe(
            SOFTMAX,
            nn.Dense(8),
            *_repeated(
                2, nn.Residual(nn.Chain(nn.ReLU(), nn.Dense(8), nn.Sigmoid(), nn.Dense(8, initializer=draws.Zeros())))
            ),
            *(nn.LayerNorm(), nn.Chain(nn.ReLU(), nn.Dense(3))),
        ),
        TABLE,
    ),
    "branches": (
        _recipe(
            SOFTMAX,
            nn.Concatenate(nn.Chain(nn.Select((0, 1)), nn.Dense(4), nn.Tanh()), nn.Select((2, 3, 4))),
            *(nn.DropConnect(nn.Dense(8)), nn.ReLU(), nn.Dense(3)),
        ),
        TABLE,
    ),
    "recurrent": (_recipe(SIGMOID, nn.LSTM(6, dropout=0.5), nn.Dense(6), nn.Tanh(), nn.Dense(1)), SEQUENCES),
    "transformer": (
        _recipe(
            SOFTMAX,
            *(nn.Dense(8), nn.TransformerBlock(2, rate=0.1), nn.LayerNorm(), nn.GlobalAvgPool(), nn.Dense(2)),
            optimizer=optim.Adam(1e-3, weight_decay=0.1),
        ),
        SEQUENCES,
    ),
    "codes": (_recipe(SOFTMAX, nn.Embedding(9, 4), nn.Flatten(), nn.Dense(8), nn.Maxout(6), nn.Dense(3)), CODES),
    "margins": (_recipe(losses.Hinge(), nn.Maxout(6), nn.Dense(3), nn.Tanh()), TABLE),
}
