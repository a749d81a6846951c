"""Making this process one of a job."""

import socket
import sys
import time
from types import TracebackType
from typing import Any

import jax

from kilter.core.errors import InputError
from kilter.distributed import cluster, rendezvous, tunnel

_config: Any = jax.config
# JAX ends a process from C++ where it finds that another is lost. The watch finds it first; this is its time in seconds.
_NEVER = 7 * 24 * 3600
_started: list[rendezvous.Watch] = []


def start(
    coordinator: str | None = None,
    *,
    processes: int | None = None,
    process: int | None = None,
    timeout: float = 60.0,
    silence: float = 30.0,
) -> None:
    """Make this process one of a job of several, on one host or many; before anything is computed.

    All processes run the same program. What they train is spread over the devices of all: networks of a fleet, or with
    `kl.train` the batches of one network. Each gets the same runs; the first, of number 0, shows progress and writes files.
    On Slurm, Open MPI and Kubernetes nothing need be said: JAX finds who is who.

    A job ends whole: where a process is lost, the others say so and end with code 1 at once, or after so many seconds where
    its host is gone without a word. Begun again, with any number of devices, it goes on from its last checkpoint.

    Args:
        coordinator: ``"host:port"`` at which process 0 is found, a free port of its host.
        processes: how many there are.
        process: number of this one, from 0.
        timeout: seconds to wait for the coordinator, and for it to wait for all.
        silence: seconds without a sign of life after which a process is lost.

    Raises:
        InputError: called too late or twice, settings that do not fit, no cluster found, a coordinator that cannot be
            reached, or processes that do not come in time.
    """
    if _started:
        raise InputError("distributed.start: this process is one of a job already")
    _must_be_early()
    place, devices = cluster.place(coordinator, processes, process, timeout)
    if place.processes == 1:
        return
    until = time.monotonic() + timeout
    service = ("localhost", _free_port())
    if place.process == 0:
        watch = rendezvous.gather(place, service, until, silence)
        address = service
    else:
        watch = rendezvous.come(place, until, silence)
        address = tunnel.to_coordinator(place.address)
    _started.append(watch)
    sys.excepthook = _patient(sys.excepthook, silence)
    jax.distributed.initialize(
        f"{address[0]}:{address[1]}", place.processes, place.process, devices,
        cluster_detection_method="deactivate", initialization_timeout=max(1, int(timeout)),
        heartbeat_timeout_seconds=_NEVER, coordinator_bind_address=f"{service[0]}:{service[1]}",
    )  # fmt: skip
    watch.end_together()


def end(code: int) -> int:
    """The code that this process ends with; where it is one of a job and has failed, it ends here, the job with it."""
    for watch in _started if code else ():
        watch.leave(code)
    return code


def _must_be_early() -> None:
    before = _config.jax_num_cpu_devices
    try:
        _config.update(
            "jax_num_cpu_devices", max(before, 0) + 1
        )  # another number is what JAX refuses once it has begun
        _config.update("jax_num_cpu_devices", before)
    except RuntimeError:
        raise InputError(
            "distributed.start: JAX has computed something already; call it first, right behind the imports"
        ) from None


def _free_port() -> int:
    with socket.create_server(("localhost", 0)) as server:
        return server.getsockname()[1]


def _patient(hook: Any, silence: float) -> Any:
    """An error between devices most often means that a process is lost; the watch, which knows which, speaks first."""

    def patient(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, jax.errors.JaxRuntimeError):
            time.sleep(silence)
        hook(kind, error, trace)

    return patient
