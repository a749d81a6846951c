"""Devices and the cache of programs: set up for the user, and never over what the user has set."""

import os
import subprocess
import sys

import pytest

from kilter.core import devices

SILENT = {"JAX_PLATFORMS": "cpu"}


def said(script, folder, **setting):
    """What a fresh process prints; it has none of our settings but those given."""
    ours = ("JAX_", "XLA_", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment = kept | SILENT | {"XDG_CACHE_HOME": str(folder), "LOCALAPPDATA": str(folder), "HOME": str(folder)}
    command = [sys.executable, "-W", "error::UserWarning", "-c", script]
    found = subprocess.run(command, env=environment | setting, capture_output=True, text=True, check=True)
    return found.stdout.split()


COUNT = "import kilter, jax; print(jax.device_count())"


def test_importing_asks_for_a_device_a_core_and_starts_nothing(tmp_path):
    script = (
        "import kilter, jax; from kilter.core.devices import usable_cores\n"
        "print(jax.config.jax_num_cpu_devices == usable_cores())\n"
        "jax.config.update('jax_num_cpu_devices', 3); print(jax.device_count())"  # refused once JAX has started
    )
    assert said(script, tmp_path) == ["True", "3"]


@pytest.mark.parametrize(
    ("script", "setting", "count"),
    [
        (COUNT, {"JAX_NUM_CPU_DEVICES": "5"}, "5"),
        (COUNT, {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}, "4"),
        ("import jax; jax.config.update('jax_num_cpu_devices', 7); import kilter; print(jax.device_count())", {}, "7"),
        ("import jax; jax.devices(); import kilter; print(jax.device_count())", {}, "1"),
    ],
    ids=["variable", "flags", "setting", "started"],
)
def test_the_users_own_number_of_devices_stays(tmp_path, script, setting, count):
    assert said(script, tmp_path, **setting) == [count]


KEPT = (
    "import kilter, jax, jax.numpy as jnp; from kilter.core.programs import compiled, counts\n"
    "compiled(jax.jit(lambda x: jnp.sin(x) + 1).lower(1.0)); print(counts.hits, counts.misses)"
)


def test_programs_are_found_again_and_it_is_said_where_they_are_not(tmp_path):
    setting = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    assert said(KEPT, tmp_path, **setting) == ["0", "1"]
    assert said(KEPT, tmp_path, **setting) == ["1", "0"]
    assert len(said(KEPT, tmp_path, **setting, JAX_NUM_CPU_DEVICES="3")) == 2  # another setting is no miss to speak of
    other = KEPT.replace("+ 1)", "+ 1, compiler_options={'xla_backend_optimization_level': 0})")
    assert len(said(other, tmp_path, **setting)) == 2  # nor are other options of the compiler
    for path in tmp_path.rglob("*-cache"):
        path.unlink()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        said(KEPT, tmp_path, **setting)
    assert "does not find it again" in failed.value.stderr


def test_the_users_own_cache_stays(tmp_path):
    script = "import kilter, jax; print(jax.config.jax_compilation_cache_dir)"
    own = str(tmp_path / "own")
    assert said(script, tmp_path, JAX_COMPILATION_CACHE_DIR=own) == [own]
    assert said(script, tmp_path, JAX_ENABLE_COMPILATION_CACHE="false") == ["None"]
    assert "kilter" in said(script, tmp_path)[0]


def test_memory_and_cache_are_of_a_sensible_size():
    free = devices.free_memory()
    assert free is None or free > 1 << 20
    assert 1 << 17 <= devices.cache_bytes() <= 1 << 30
    assert 1 <= devices.usable_cores() <= (os.cpu_count() or 1)
