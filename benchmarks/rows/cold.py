"""Cold starts: from the shell to the end of one epoch on a table of 1,000 rows, each a process of its own.

`kilter fit` as it comes, and with the network of the peers, against the scripts of `starters.py`. The work is the time to
the end of the epoch, as Kilter's log and the scripts tell it; beside it stands that of the whole command: scores, the saved
model and, of Kilter, the report. On the first run Kilter's cache of compiled programs is an empty folder; on the others it
is what the first one left. Keras on JAX gets a folder, too. Kilter is compiled to bytecode first, as by an installer.
"""

import compileall
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from contest import OWN, Contest, Row, Seconds, Side
from starters import BATCH, EPOCH, UNITS

GROUP = "Cold starts"
ROWS_, COLUMNS = 1_000, 20
STARTERS = Path(__file__).parents[1] / "starters.py"
# Between looks at whether the epoch has ended.
_LOOK = 0.002


def make(warm: bool, quick: bool) -> Contest:
    """The contest."""
    import kilter as kl

    compileall.compile_dir(Path(kl.__file__).parent, quiet=2)
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

    def work(seed: int) -> float | Seconds:
        if seed == 0 and not warm:
            return 0.0
        out = Path(mkdtemp()) / "run"
        return seconds(command(str(out)), out, environment(kept if warm else mkdtemp()))

    return work


def environment(cache: str) -> dict[str, str]:
    """That of a process whose compiled programs are kept in a folder."""
    own = {"XDG_CACHE_HOME": cache, "KERAS_BACKEND": "jax", "PYTHONWARNINGS": "ignore"}
    apart = ("JAX_ENABLE_COMPILATION_CACHE", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in apart} | own


def seconds(command: Sequence[str], out: Path, environment: Mapping[str, str]) -> Seconds:
    """Of a process from its start to the end of the epoch, and to its own."""
    if str(STARTERS) in command:
        kept = {"JAX_COMPILATION_CACHE_DIR": environment["XDG_CACHE_HOME"]}
        environment = {**environment, **kept, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    work, errors = None, out.with_name("errors")
    start = time.perf_counter()
    with errors.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stream)
        while process.poll() is None:
            if work is None and has_ended(out):
                work = time.perf_counter() - start
            time.sleep(_LOOK)
    whole = time.perf_counter() - start
    if process.returncode or not has_ended(out):
        raise RuntimeError((errors.read_text().strip().splitlines() or ["ended with an error"])[-1])
    return Seconds(whole if work is None else work, whole)


def has_ended(out: Path) -> bool:
    """Whether an epoch has: a script leaves a file, Kilter a line in its log."""
    log = Path(f"{out}.log.jsonl")
    return (out / EPOCH).exists() or (log.exists() and b'"reached":' in log.read_bytes())


ROWS = (
    Row("cold-first", "`kilter fit`, one epoch, 1,000 rows; first run", GROUP, partial(make, False), aim=1 / 1.3),
    Row("cold-warm", "`kilter fit`, one epoch, 1,000 rows; warm cache", GROUP, partial(make, True), aim=1.0),
)
