"""Who is who in a job: as told, or as the cluster says that the process runs on."""

from typing import Any, NamedTuple

from kilter.core.errors import InputError


class Place(NamedTuple):
    """A process in its job: where its coordinator listens, how many there are, and which of them it is."""

    address: tuple[str, int]
    processes: int
    process: int


def place(coordinator: str | None, processes: int | None, process: int | None, timeout: float) -> tuple[Place, Any]:
    """The place of this process, and the devices that the cluster gives it (None: all of its host).

    Raises:
        InputError: what was told does not fit together, or no cluster tells the rest.
    """
    devices = None
    if None in (coordinator, processes, process):
        from jax._src import clusters  # JAX looks for clusters here alone; its public door starts the job at once

        coordinator, processes, process, devices = clusters.ClusterEnv.auto_detect_unset_distributed_params(
            coordinator, processes, process, None, None, int(timeout)
        )
    if coordinator is None or processes is None or process is None:
        raise InputError(
            "distributed.start: this process runs on no cluster that tells who is who (Slurm, Open MPI, Kubernetes); "
            "give coordinator='host:port', processes=N and process=I"
        )
    return _checked(coordinator, processes, process), devices


def _checked(coordinator: str, processes: int, process: int) -> Place:
    host, colon, port = str(coordinator).rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 1 << 16):
        raise InputError(f"distributed.start(coordinator={coordinator!r}): coordinator must be 'host:port'")
    for name, value in (("processes", processes), ("process", process)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"distributed.start({name}={value!r}): {name} must be a whole number")
    if processes < 1 or not 0 <= process < processes:
        raise InputError(
            f"distributed.start(processes={processes}, process={process}): process must be from 0 to processes - 1"
        )
    return Place((host.strip("[]"), int(port)), processes, process)
