"""How long an import takes, each in a process of its own."""

import subprocess
import sys
import time
from functools import partial
from tempfile import mkdtemp

from contest import OWN, Contest, Row, Side
from rows.cold import GROUP, environment

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

    def work(seed: int) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", line], env=environment(mkdtemp()), capture_output=True, check=True)
        return time.perf_counter() - start

    return work


ROW = Row("import", "import", GROUP, make, weight=0.5)
