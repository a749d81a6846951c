"""What does it cost to see? The board with 10,000 runs and a run of a million epochs, the log of a training, a report.

The board serves over its socket, as to a browser, in a process of its own: seconds from the start of the process to its
first page (HTML and the first 50 runs), of a page after that, of a filter over all runs, of curves of the longest run, and
the memory that all this takes. What a log costs is the ratio of logged to plain training, of the process's CPU seconds, in
turns in one process.

    python benchmarks/seeing.py             # all rows of the table
    python benchmarks/seeing.py --quick     # a smoke test
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import numpy as np

import kilter as kl
from kilter import losses, nn, optim
from kilter.core.journal import ENDING

MEMBERS = [{"seed": 0, "epochs": 100, "settings": {}}]
HEAD = {"kilter": 1, "kind": "training", "title": "digits", "metric": "accuracy", "higher_is_better": True}
SERVER = """
import sys
from pathlib import Path
from kilter.report.board.server import serve
serve(Path(sys.argv[1]), port=0, ready=lambda url: print(url, flush=True))
"""


def journals(folder: Path, count: int) -> None:
    """So many journals of runs of 100 epochs that have ended, 100 to a folder."""
    rng = np.random.default_rng(0)
    for index in range(count):
        path = folder / f"group{index // 100:03d}" / f"run{index:05d}{ENDING}"
        path.parent.mkdir(exist_ok=True)
        curve = np.round(np.exp(-np.arange(100) / 30) + 0.05 * rng.random(100), 5).tolist()
        told = [
            HEAD | {"members": MEMBERS, "recipe": "kl.Recipe(...)"},
            {
                "first": 0,
                "reached": 100,
                "members": [0],
                "lines": {"loss": [curve], "val_loss": [curve], "lr": [[0.001] * 100]},
            },
            {"member": 0, "outcome": "finished", "reached": 100, "score": curve[-1], "best": curve[-1], "done": 1},
            {"ended": 0.0},
        ]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in told))


def longest(folder: Path, epochs: int, note: int = 500) -> float:
    """A journal of a run with so many epochs, all of them in it; its size in MB."""
    loss = np.round(np.exp(-np.arange(epochs) / epochs * 5) + 0.01 * np.random.default_rng(0).random(epochs), 6)
    loss[epochs // 3] = 9.0
    path = folder / f"longest{ENDING}"
    with path.open("w") as stream:
        stream.write(json.dumps(HEAD | {"members": [MEMBERS[0] | {"epochs": epochs}]}) + "\n")
        for first in range(0, epochs, note):
            part = loss[first : first + note].tolist()
            told = {
                "first": first,
                "reached": first + len(part),
                "members": [0],
                "lines": {"loss": [part], "val_loss": [part]},
            }
            stream.write(json.dumps(told) + "\n")
        stream.write('{"ended":0}\n')
    return path.stat().st_size / 1e6


def resident(pid: int) -> float:
    """Memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


class Server:
    """A board in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.began = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, str(folder)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.ready = time.perf_counter() - self.began

    def get(self, path: str, **asked: str | int) -> bytes:
        """What is answered at an address."""
        with urllib.request.urlopen(f"{self.url}{path}?{urlencode(asked)}") as answer:
            return answer.read()

    def cost(self, *paths: str, **asked: str | int) -> str:
        """Milliseconds that answers take, and how many of them are CPU time of the server."""
        began, spent = time.perf_counter(), self.cpu
        for path in paths:
            self.get(path, **asked)
        return f"{1000 * (time.perf_counter() - began):6.0f} ms ({1000 * (self.cpu - spent):.0f} of CPU)"

    @property
    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    @property
    def megabytes(self) -> float:
        """Memory of the process."""
        return resident(self.process.pid)

    def end(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.communicate()


def board(runs: int, epochs: int) -> None:
    """Print the rows of the board."""
    with tempfile.TemporaryDirectory() as name:
        empty, folder = Path(name) / "empty", Path(name) / "runs"
        empty.mkdir()
        folder.mkdir()
        journals(folder, runs)
        idle = Server(empty)
        idle.get("api/runs")
        bare = idle.megabytes
        print(f"board of no runs: listens after {idle.ready:.1f} s, most of them imports; {bare:.0f} MB")
        idle.end()
        server = Server(folder)
        print(f"board of {runs} runs: listens after {server.ready:.1f} s")
        print(f"    first page                  {server.cost('', 'api/runs')}")
        print(f"    filter over all, at once    {server.cost('api/runs', q='digits run0')}")
        print(f"    filter over all, after that {server.cost('api/runs', q='digits')}")
        print(f"    a page after that           {server.cost('', 'api/runs')}")
        print(
            f"    memory                      {server.megabytes:6.0f} MB, {server.megabytes - bare:.0f} more than bare"
        )
        before, size = server.megabytes, longest(folder, epochs)
        print(f"a run of {epochs} epochs, a journal of {size:.0f} MB")
        print(f"    opened                      {server.cost('api/run', id='longest')}")
        curve = {"id": "longest", "line": "loss"}
        print(f"    its curve                   {server.cost('api/lines', **curve)}")
        middle = {"from": epochs // 3 - epochs // 200, "to": epochs // 3 + epochs // 200}
        closer = json.loads(server.get("api/lines", **curve, **middle))["lines"][0]["points"]
        inside = [y for x, y in closer if middle["from"] <= x <= middle["to"]]
        peak = "with" if max(inside) == 9.0 else "WITHOUT"
        print(f"    a hundredth of it           {len(inside):6d} points, {peak} its one peak")
        print(f"    memory                      {server.megabytes - before:6.0f} MB more")
        server.end()


def recipe(epochs: int, *units: int) -> kl.Recipe:
    """Digits, Adam."""
    hidden = [layer for count in units for layer in (nn.Dense(count), nn.ReLU())]
    return kl.Recipe(
        nn.Chain(*hidden, nn.Dense(10)), losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(1e-3), epochs=epochs
    )


def log(rounds: int, quick: bool) -> None:
    """Print what a log costs."""
    data = kl.data.digits()
    share = 0.02 if quick else 1.0
    cases = {
        "digits 64-128-128-10": ([recipe(int(400 * share), 128, 128)], [0]),
        "digits 64-16-10, short epochs": ([recipe(int(3000 * share), 16)], [0]),
        "a fleet of 64 of 64-16-10": ([recipe(int(200 * share), 16)], range(4 if quick else 64)),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (recipes, seeds) in cases.items():

            def trained(path: Path | None, recipes: list[kl.Recipe] = recipes, seeds: Sequence[int] = seeds) -> float:
                began = time.process_time()
                kl.train_fleet(recipes, data, seeds=list(seeds), log=path, progress=False)
                return time.process_time() - began

            trained(None)
            pairs = [_pair(trained, Path(folder) / "run", turn) for turn in range(rounds)]
            ratios = [logged / plain for plain, logged in pairs]
            least = min(logged for _, logged in pairs) / min(plain for plain, _ in pairs)
            size = (Path(folder) / f"run{ENDING}").stat().st_size / 1e6
            spread = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), of the least {least:.3f}"
            print(f"    {name:32s} {spread}; {size:.2f} MB", flush=True)


def _pair(trained: Callable[[Path | None], float], path: Path, turn: int) -> tuple[float, float]:
    """Seconds plain and logged, whichever first."""
    if turn % 2:
        logged = trained(path)
        return trained(None), logged
    return trained(None), trained(path)


def report(epochs: int) -> None:
    """Print what a report of a run takes, the first and those after it."""
    data = kl.data.digits()
    run = kl.train_fleet([recipe(epochs, 128, 128)], data, watch="default", progress=False)[0]
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for _ in range(4):
            began = time.perf_counter()
            kl.report(run, data).save(Path(folder) / "report.html")
            seconds.append(time.perf_counter() - began)
        size = (Path(folder) / "report.html").stat().st_size / 1e6
        print(
            f"report of {epochs} epochs: the first {seconds[0]:.2f} s, the next {median(seconds[1:]):.2f} s; {size:.2f} MB"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of every row")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the log")
    options = parser.parse_args(arguments)
    board(*((60, 5000) if options.quick else (10_000, 1_000_000)))
    print("a log: times the plain training, CPU seconds, median (least to greatest)")
    log(1 if options.quick else options.rounds, options.quick)
    report(5 if options.quick else 100)


if __name__ == "__main__":
    main()
