"""A process that starts anew finds its programs whole: it traces and compiles nothing, and trains the same network."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, logging, sys
import numpy as np
import kilter as kl
import jax
from kilter import losses, nn, optim
from kilter.core import kept
from kilter.core.shelf import Shelf

said = []
watcher = logging.Handler()
watcher.emit = lambda record: said.append(record.getMessage())
logging.getLogger("jax").addHandler(watcher)
logging.getLogger("jax").propagate = False
jax.config.update("jax_log_compiles", True)

class Own(nn.ReLU):
    pass


def trained():
    activation = Own() if sys.argv[1] == "own" else nn.ReLU()
    net = nn.Chain(nn.Dense(8), activation, nn.Dropout(0.1), nn.Dense(3))
    recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(0.01), epochs=3)
    return kl.train(recipe, kl.data.iris(), seed=1, progress=False)


run = trained()
words = [word for word in said if word.startswith(("Finished tracing", "Compiling"))]
programs = [word for word in words if any(name in word for name in ("initialize", "run_epochs", "judge", "chain"))]
weights = [np.asarray(leaf).tobytes().hex() for leaf in jax.tree.leaves(run.params)]
again, find, read = len(said), Shelf.find, []
Shelf.find = lambda shelf, name: read.append(name) or find(shelf, name)
trained()
facts = {"programs": programs, "weights": weights, "score": run.score, "anew": len(said) - again, "read": len(read)}
print(json.dumps(facts))
"""


def start(folder, activation="kilter's"):
    """What a process with this cache says."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, activation],
        env=own | {"XDG_CACHE_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def cold(cache):
    return start(cache)


def kept(cache):
    """The files, the largest first."""
    return sorted((cache / "kilter" / "programs").glob("*.kept"), key=lambda file: -file.stat().st_size)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the cache folder is not chosen by XDG_CACHE_HOME")
class TestWarmStarts:
    def test_nothing_is_traced_or_compiled_again(self, cache, cold):
        assert any("run_epochs" in word for word in cold["programs"])
        assert len(kept(cache)) == 5  # three programs, the cost and the shape that the net ends in
        warm = start(cache)
        assert warm["programs"] == []
        assert (warm["weights"], warm["score"]) == (cold["weights"], cold["score"])
        assert warm["anew"] == cold["anew"] == 0
        assert warm["read"] == cold["read"] == 0  # what is in memory is not looked for on disk

    def test_what_is_broken_or_foreign_is_made_anew(self, cache, cold):
        from kilter.core.shelf import Shelf

        first, second, *others = kept(cache)
        first.write_bytes(first.read_bytes()[:-100])
        shelf = Shelf(first.parent, ".kept")
        shelf.keep(second.stem, (3).to_bytes(8) + b"no shapes and no program")  # whole, but of another make
        warm = start(cache)
        assert (warm["weights"], warm["score"]) == (cold["weights"], cold["score"])
        assert {file.name for file in others} <= {file.name for file in kept(cache)}

    def test_parts_whose_sources_are_not_known_are_not_kept(self, cache, cold):
        before = kept(cache)
        own = start(cache, "own")
        assert any("run_epochs" in word for word in own["programs"])
        assert own["weights"] == cold["weights"]
        assert kept(cache) == before
