"""Keras models under the doctor's eyes: what wrapped layers see, what rules say, what stays as it was."""

import json
import os
import subprocess
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from kilter import losses
from kilter import nn as own
from kilter.core.errors import InputError
from kilter.doctor import Cause
from kilter.doors import examine
from kilter.interop import keras as interop
from kilter.interop import keras_layers
from kilter.interop.keras_hooks import Wrapped, backward
from kilter.interop.keras_layers import array
from kilter.interop.node import organs
from kilter.interop.record import stacked
from kilter.vitals import measure

LAYERS = keras.layers
CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
CLOSE = {"rtol": 2e-4, "atol": 1e-6}


def easy(rows=320, features=8, classes=3):
    draw = np.random.default_rng(0)
    centers = draw.normal(size=(classes, features)) * 1.5
    y = draw.integers(0, classes, rows)
    x = centers[y] + 0.7 * draw.normal(size=(rows, features))
    return (x / x.std()).astype(np.float32), y


X, Y = easy()


def three(activation="relu", *, end=None, loss=CE, optimizer="adam", **settings):
    keras.utils.set_random_seed(0)
    hidden = [LAYERS.Dense(32, activation=activation, **settings) for _ in range(2)]
    model = keras.Sequential([LAYERS.Input((8,)), *hidden, LAYERS.Dense(3, activation=end, **settings)])
    model.compile(optimizer=optimizer, loss=loss)
    return model


def mixed():
    keras.utils.set_random_seed(0)
    x = LAYERS.Input((4, 4, 2))
    y = LAYERS.Activation("relu")(LAYERS.BatchNormalization()(LAYERS.Conv2D(3, 3, padding="same", name="conv")(x)))
    y = LAYERS.Add()([y, LAYERS.Conv2D(3, 3, padding="same", activation="tanh", name="conv2")(y)])
    return keras.Model(x, LAYERS.Dense(3, name="head")(LAYERS.Flatten()(LAYERS.AveragePooling2D(2)(y))))


def seen(model, x, y):
    wrapped = Wrapped(model)
    with wrapped.on():
        wrapped.look(x)
        value, weights = backward(wrapped, model, CE, x, y)
    return wrapped.nodes, value, weights


def test_vitals_are_those_of_the_translated_network_and_its_gradients():
    model = mixed()
    x, y = np.random.default_rng(0).normal(size=(16, 4, 4, 2)).astype(np.float32), np.arange(16) % 3
    of = lambda name: {k: jnp.asarray(model.get_layer(name).get_weights()[i]) for i, k in enumerate(("kernel", "bias"))}  # noqa: E731
    body = own.Chain(own.Conv(3, 3), own.Tanh())
    net = own.Chain(
        own.Conv(3, 3, bias=True), own.BatchNorm(0.99, 1e-3), own.ReLU(), own.Residual(body), own.AvgPool(2),
        own.Flatten(), own.Dense(3),
    )  # fmt: skip
    params = (
        of("conv"),
        {"scale": jnp.ones(3), "shift": jnp.zeros(3)},
        (),
        {"body": (of("conv2"), ())},
        (),
        (),
        of("head"),
    )
    state = net.init(jax.random.key(0), (4, 4, 2))[1]
    expected = jax.jit(measure)(net, losses.SoftmaxCrossEntropy(), params, state, x, y, key=jax.random.key(0))
    nodes, value, weights = seen(model, x, y)
    assert [node.place for node in organs(nodes)] == [
        "conv", "batch_normalization", "activation", "conv2", "conv2.tanh", "average_pooling2d", "flatten", "head",
    ]  # fmt: skip
    found = stacked([node.signal for node in organs(nodes)])
    for name in found._fields:
        np.testing.assert_allclose(getattr(found, name)[0], getattr(expected.signals, name), err_msg=name, **CLOSE)
    np.testing.assert_allclose(value, expected.whole.loss, rtol=1e-5)
    size = np.sqrt(np.square(weights["head.kernel"].gradient).mean())
    # params: conv bias, kernel; scale, shift; conv2 bias, kernel; head bias, kernel
    np.testing.assert_allclose(size, expected.weights.gradient[-1], rtol=1e-4)


ELSEWHERE = """
import json, numpy as np, keras
from kilter.interop.keras_layers import array
from kilter.interop.keras_hooks import Wrapped, backward
model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(6, activation="tanh"), keras.layers.Dense(3)])
draw = np.random.default_rng(0)
model.set_weights([draw.normal(size=w.shape) for w in model.get_weights()])
wrapped = Wrapped(model)
x, y = draw.normal(size=(16, 8)).astype("float32"), np.arange(16) % 3
with wrapped.on():
    wrapped.look(x)
    value, weights = backward(wrapped, model, keras.losses.SparseCategoricalCrossentropy(from_logits=True), x, y)
print(json.dumps([value, [[float(n.signal.rms), float(n.signal.backward)] for n in wrapped.nodes]]))
"""


@pytest.mark.slow
def test_another_backend_gives_the_same_vitals():
    told = [
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"KERAS_BACKEND": backend},
        ).stdout.splitlines()[-1]
        for backend in ("jax", "torch")
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), *map(json.loads, told))


def test_weights_layers_and_what_was_compiled_stay_as_they_were():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            LAYERS.Input((8,)),
            LAYERS.Dense(16, activation="relu"),
            LAYERS.BatchNormalization(),
            LAYERS.Dropout(0.2),
            LAYERS.Dense(3),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=CE)
    before = [array(each) for each in model.variables]
    optimizer, iterations = model.optimizer, int(model.optimizer.iterations)
    outputs = np.asarray(model(X[:8]))
    interop.examine(model, X, Y, epochs=1)
    jax.tree.map(np.testing.assert_array_equal, before, [array(each) for each in model.variables])
    assert model.optimizer is optimizer
    assert int(optimizer.iterations) == iterations
    np.testing.assert_array_equal(np.asarray(model(X[:8])), outputs)
    assert not any("call" in vars(layer) for layer in model.layers)
    assert model.layers[0].activation is keras.activations.relu


def test_layers_are_as_before_where_a_model_raises():
    model = three(optimizer="sgd")
    with pytest.raises(InputError, match="model: raised"):
        interop.examine(model, X[:, :5], Y)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_models_are_translated_with_what_drew_their_weights():
    model = three("tanh", optimizer=keras.optimizers.SGD(0.1, momentum=0.9), kernel_initializer="he_normal")
    recipe, data = interop.to_recipe(model, X, Y, batch_size=16)
    assert [type(each) for each in recipe.net.layers] == [own.Dense, own.Tanh, own.Dense, own.Tanh, own.Dense]
    assert type(recipe.net.layers[2].initializer) is own.initializers.HeNormal
    assert recipe.loss == losses.SoftmaxCrossEntropy()
    assert (recipe.optimizer.momentum, recipe.batch_size) == (pytest.approx(0.9), 16)
    assert recipe.optimizer.lr == pytest.approx(0.1)
    assert data.classes == 3
    shortcut = interop.to_recipe(mixed(), np.ones((40, 4, 4, 2), "float32"), np.arange(40) % 3, loss=CE)[0]
    assert [type(each) for each in shortcut.net.layers][3] is own.Residual


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_dilated_convolution_is_translated_to_the_one_that_does_the_same(padding):
    given = LAYERS.Conv2D(4, (2, 3), padding=padding, dilation_rate=(3, 2))
    x = np.random.default_rng(0).normal(size=(3, 8, 9, 2)).astype(np.float32)
    expected, translated = np.asarray(given(x)), keras_layers.layer(given)
    found, _ = translated.apply({"kernel": array(given.kernel), "bias": array(given.bias)}, (), jnp.asarray(x))
    assert translated.dilation == (3, 2)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_what_kilter_does_not_know_is_refused_by_its_name():
    x = LAYERS.Input((8,))
    model = keras.Model(x, LAYERS.Dense(3)(LAYERS.UnitNormalization(name="unit")(LAYERS.Dense(4)(x))))
    with pytest.raises(InputError, match="unit UnitNormalization: Kilter has no layer for it"):
        interop.to_recipe(model, X, Y, loss=CE)
    with pytest.raises(InputError, match="Kilter has none like LogCosh"):
        interop.to_recipe(three(), X, np.eye(3)[Y], loss=keras.losses.LogCosh())


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        ((X, Y[:5]), {}, "with a row an example"),
        (([], None), {}, "the loader gives no rows"),
        ((iter([3]), None), {}, "this one raised TypeError after 0 batches"),
        ((X, Y), {"loss": "nonsense"}, "Keras knows none such"),
        ((X, Y), {"epochs": -1}, "epochs must be a whole number"),
    ],
)
def test_what_cannot_be_used_is_refused(given, settings, message):
    with pytest.raises(InputError, match=message):
        interop.examine(three(), *given, **settings)


def test_models_and_losses_are_needed():
    with pytest.raises(InputError, match=r"keras\.Model"):
        interop.examine(3, X, Y)
    with pytest.raises(InputError, match="not compiled"):
        interop.examine(keras.Sequential([LAYERS.Input((8,)), LAYERS.Dense(3)]), X, Y)
    with pytest.raises(InputError, match="examine takes"):
        examine(3, X, Y)


def test_too_few_rows_are_no_ground_for_a_verdict():
    assert examine(three(), X[:12], Y[:12]).verdict == "cannot tell"


def test_a_healthy_model_is_left_alone():
    check = examine(three(), X, Y)
    assert check.healthy, str(check)


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        (lambda: three(optimizer=keras.optimizers.SGD(-0.1)), Cause.LR_NEGATIVE),
        (lambda: three(end="softmax"), Cause.DOUBLE_SOFTMAX),
        (lambda: three(kernel_initializer="zeros"), Cause.BAD_INIT_SYMMETRY),
    ],
)
def test_faults_are_found_and_what_helps_is_said(model, cause):
    check = examine(model(), X, Y)
    assert check.cause is cause, str(check)
    assert check.advice[0]


class Own(keras.Model):
    """A model with a function that Kilter cannot see, so that two dense layers seem to follow each other."""

    def __init__(self):
        super().__init__()
        self.hidden, self.head = LAYERS.Dense(32), LAYERS.Dense(3)

    def call(self, x, training=None):
        return self.head(keras.ops.relu(self.hidden(x)))


def test_a_function_between_layers_is_something():
    keras.utils.set_random_seed(0)
    check = examine(Own(), X, Y, loss=CE)
    assert check.healthy, str(check)
    assert [organ.label.split()[-1] for organ in check.chart.design.anatomy.organs] == ["Dense", "operation", "Dense"]


def test_a_watch_says_what_was_wrong_with_a_fit():
    model = three(kernel_initializer="zeros")
    watch = interop.watch(model, X, Y)
    assert watch.vitals.signals.rms.shape == (1, 5)
    assert watch.checkup().chart.course is None
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[watch])
    check = watch.checkup()
    assert check.cause is Cause.BAD_INIT_SYMMETRY, str(check)
    assert check.chart.course.history["loss"].shape == (1, 3)
