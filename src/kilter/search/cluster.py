"""The Ray cluster of a search: how it is joined and left, what room it has, and what its workers are told."""

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from kilter.core.errors import InputError

# Seconds until a cluster counts as unreachable; Ray itself tries for two minutes and then ends the process.
_PATIENCE = 10.0
# Settings of JAX that workers share with this process: where compiled programs are kept, and what decides on numbers.
_SHARED = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
    "jax_default_matmul_precision",
    "jax_enable_x64",
)


@contextmanager
def joined(address: str | None, needs: dict[str, float]) -> Iterator[Any]:
    """Ray, connected to a cluster; the connection ends with the block where it began with it.

    Raises:
        InputError: the cluster cannot be reached, this process is connected to another one, or this machine is the cluster
            and too small for what one task needs.
    """
    import ray

    if ray.is_initialized():
        known = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", known):
            raise InputError(
                f"Ray(address={address!r}): this process is connected to {known}; leave address out, or call ray.shutdown()"
            )
        yield ray
        return
    told = address or os.environ.get("RAY_ADDRESS")
    _connect(ray, told)
    try:
        if told in (None, "local") and slots(ray, needs) < 1:  # any other cluster may grow
            raise InputError(
                f"Ray(cpus={needs['CPU']}, gpus={needs['GPU']}): this machine has not as many for one task"
            )
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    try:
        if address is not None:
            _probe(address)
        with warnings.catch_warnings():
            # JAX warns of forks; those of Ray do nothing but start a program.
            warnings.filterwarnings("ignore", message="os.fork", category=RuntimeWarning)
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError, SystemExit) as error:  # Ray ends the process where its server is silent
        reason = " ".join(str(error).split())[:200]
        place = "on this machine" if address is None else f"at {address}"
        raise InputError(f"kl.search.Ray: no cluster can be reached {place} ({reason}); look at its address") from None


def _probe(address: str) -> None:
    """Look whether anything listens there.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def slots(ray: Any, needs: dict[str, float]) -> int:
    """Tasks that the cluster, as it is now, can run at a time."""
    there = ray.cluster_resources()
    return min(int(there.get(kind, 0) // need) for kind, need in needs.items() if need)


def environment(cpus: int, gpus: float) -> dict[str, str]:
    """Variables of a worker: JAX has one device a core and as many threads, rather than all cores of the node."""
    told: dict[str, Any] = {"JAX_NUM_CPU_DEVICES": cpus, "NPROC": cpus, "OMP_NUM_THREADS": cpus}
    told |= {} if gpus else {"JAX_PLATFORMS": "cpu"}
    if 0 < gpus < 1:  # else the first task takes most of the memory that the others need
        told["XLA_PYTHON_CLIENT_MEM_FRACTION"] = 0.9 * gpus
    told |= {name.upper(): jax.config.values[name] for name in _SHARED if jax.config.values[name] is not None}
    return {name: str(value) for name, value in told.items()}
