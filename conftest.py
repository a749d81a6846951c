"""For all tests and doctests: Keras runs on JAX, which is there, rather than on TensorFlow."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
