"""A Keras training that goes nowhere, and two lines that say why: those with `check` in them."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kilter as kl

DEPTH, WIDTH, EPOCHS = 6, 64, 15


def network(activation="sigmoid"):
    hidden = [keras.layers.Dense(WIDTH, activation=activation) for _ in range(DEPTH)]
    return keras.Sequential([keras.layers.Input((64,)), *hidden, keras.layers.Dense(10)])


def train(model):
    pixels, digits = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(pixels / 16, digits, test_size=297, random_state=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    check = kl.examine(model, x, y)
    print(check)
    model.fit(x, y, epochs=EPOCHS, batch_size=32, verbose=0)
    return model.evaluate(x_test, y_test, verbose=0)[1]


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    print(f"right: {train(network()):.0%}")
