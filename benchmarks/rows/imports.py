"""How long an import takes, each in a process of its own."""

import sys
from functools import partial
from tempfile import mkdtemp

from contest import OWN, Contest, Row, Side
from rows.cold import GROUP, seconds

IMPORTS = {
    OWN: "import kilter",
    "scikit-learn": "from sklearn.neural_network import MLPClassifier",
    "PyTorch": "import torch",
    "Flax": "import flax.linen, jax, optax",
    "Keras": "import keras",
    "Kilter, JAX's part of it": "import jax",
}


def make(quick: bool) -> Contest:
    """The contest."""
    names = list(IMPORTS)[: 2 if quick else None]
    return Contest({name: partial(side, IMPORTS[name]) for name in names})


def side(line: str) -> Side:
    """A contestant that imports; files have been read once before."""
    return lambda seed: seconds([sys.executable, "-c", line], mkdtemp())


ROW = Row("import", "import", GROUP, make, weight=0.5)
