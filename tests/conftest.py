"""Shared by all tests: a cache of compiled programs on disk, small data, and one trained run."""

import os
from pathlib import Path

import jax
import pytest

import kilter as kl
from kilter import losses, nn, optim

CACHE = Path(__file__).parents[1] / ".cache" / "xla"
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


# A process that has run thousands of tests holds gigabytes of programs that no test will call again.
MOST_MEMORY = 3 << 30


@pytest.fixture(scope="module", autouse=True)
def _programs_let_go():
    yield
    statistics = Path("/proc/self/statm")
    if statistics.exists() and int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MOST_MEMORY:
        jax.clear_caches()


@pytest.fixture(scope="session")
def iris():
    return kl.data.iris()


@pytest.fixture(scope="session")
def small_recipe():
    """The structure that tests share, so that it compiles once: iris, 4-8-3, plain gradient descent with momentum."""
    net = nn.Chain(nn.Dense(8), nn.ReLU(), nn.Dense(3))
    optimizer = optim.SGD(0.05, momentum=0.5)
    return kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=5)


@pytest.fixture(scope="session")
def small_run(small_recipe, iris):
    """Never change it: save copies elsewhere."""
    return kl.train(small_recipe, iris, progress=False)
