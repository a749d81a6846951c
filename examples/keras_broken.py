"""A Keras training that goes nowhere, and two lines that say why: those with `kilter` or `check` in them."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from sklearn.datasets import load_digits

import kilter.interop.keras

DEPTH, WIDTH, EPOCHS = 6, 64, 15


def network(activation="sigmoid"):
    hidden = [keras.layers.Dense(WIDTH, activation=activation) for _ in range(DEPTH)]
    return keras.Sequential([keras.layers.Input((64,)), *hidden, keras.layers.Dense(10)])


def train(model):
    pixels, digits = load_digits(return_X_y=True)
    pixels = pixels.astype("float32") / 16
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    check = kilter.interop.keras.examine(model, pixels[:1500], digits[:1500])
    print(check)
    model.fit(pixels[:1500], digits[:1500], epochs=EPOCHS, batch_size=32, verbose=0)
    return model.evaluate(pixels[1500:], digits[1500:], verbose=0)[1]


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    print(f"right: {train(network()):.0%}")
