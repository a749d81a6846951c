"""For all tests and doctests: Keras runs on JAX, which is there, and XLA compiles quickly what says nothing else.

Compiling took half of the suite's time. What Kilter trains, judges and predicts with names its own options, which win.
"""

import os

from kilter.core.compiling import QUICKLY

os.environ.setdefault("KERAS_BACKEND", "jax")
flags = [f"--{name}={str(value).lower()}" for name, value in QUICKLY.items()]
os.environ["XLA_FLAGS"] = " ".join([*flags, os.environ.get("XLA_FLAGS", "")])
