"""Cold starts: from the shell to the end of one epoch on a table of 1,000 rows, each a process of its own.

`kilter fit` as it comes, and with the network of the peers, against the scripts of `starters.py`. On the first run Kilter's
cache of compiled programs is an empty folder; on the others it is what the first one left. Keras on JAX gets a folder, too.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from contest import OWN, Contest, Row, Side
from starters import BATCH, UNITS

GROUP = "Cold starts"
ROWS_, COLUMNS = 1_000, 20
STARTERS = Path(__file__).parents[1] / "starters.py"


def make(warm: bool, quick: bool) -> Contest:
    """The contest."""
    folder = Path(mkdtemp())
    table, recipe = folder / "table.csv", folder / "recipe.json"
    write_table(table)
    write_recipe(recipe)
    fit = [*kilter(), "fit", str(table), "--target", "target", "--epochs", "1", "--out"]
    commands = {OWN: lambda out: [*fit, out], "scikit-learn": partial(starter, "sklearn", table)}
    if not quick:
        commands["Kilter, the same net"] = lambda out: [*fit, out, "--recipe", str(recipe)]
        commands["Keras"] = partial(starter, "keras", table)
    return Contest({name: partial(side, command, warm) for name, command in commands.items()})


def kilter() -> list[str]:
    """The command, as the shell finds it beside this Python."""
    script = Path(sys.executable).with_name("kilter")
    return [str(script)] if script.exists() else [sys.executable, "-m", "kilter"]


def starter(name: str, table: Path, out: str) -> list[str]:
    """A peer's script."""
    Path(out).mkdir()
    return [sys.executable, str(STARTERS), name, str(table), out]


def write_table(path: Path) -> None:
    """A table of numbers with two classes."""
    x = np.random.default_rng(0).normal(size=(ROWS_, COLUMNS)).round(4)
    lines = [",".join([*(f"x{column}" for column in range(COLUMNS)), "target"])]
    lines += [",".join([*map(str, row), "yes" if row[0] * row[1] > 0 else "no"]) for row in x]
    path.write_text("\n".join(lines) + "\n")


def write_recipe(path: Path) -> None:
    """The network of `starters.py`."""
    from kilter import Recipe, losses, nn, optim
    from kilter.data.scaling import Standardize

    hidden = [layer for _ in range(2) for layer in (nn.Dense(UNITS), nn.ReLU())]
    recipe = Recipe(
        nn.Chain(*hidden, nn.Dense(2)),
        losses.SoftmaxCrossEntropy(),
        optimizer=optim.Adam(1e-3),
        batch_size=BATCH,
        inputs=Standardize(),
    )
    path.write_text(recipe.to_json())


def side(command: Callable[[str], Sequence[str]], warm: bool) -> Side:
    """A contestant that starts a process; a warm one has run once before."""
    kept = mkdtemp()

    def work(seed: int) -> float:
        if seed == 0 and not warm:
            return 0.0
        return seconds(command(f"{mkdtemp()}/run"), kept if warm else mkdtemp())

    return work


def seconds(command: Sequence[str], cache: str) -> float:
    """Of a process from its start to its end, with this folder for compiled programs."""
    own = {"XDG_CACHE_HOME": cache, "KERAS_BACKEND": "jax", "PYTHONWARNINGS": "ignore"}
    environment = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_COMPILATION_CACHE"} | own
    if "starters.py" in " ".join(command):
        environment |= {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    start = time.perf_counter()
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    taken = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "ended with an error")
    return taken


ROWS = (
    Row("cold-first", "`kilter fit`, one epoch, 1,000 rows; first run", GROUP, partial(make, False), aim=1 / 1.3),
    Row("cold-warm", "`kilter fit`, one epoch, 1,000 rows; warm cache", GROUP, partial(make, True), aim=1.0),
)
