"""One CPU device for each core, so that the members of a fleet spread over the cores; never over the user's own setting."""

import os
from pathlib import Path
from typing import Any

import jax

from kilter.core.errors import InputError

# Every device holds a copy of the rows; beyond this many the copies cost more than the cores bring.
_MOST = 32
_FLAG = "xla_force_host_platform_device_count"


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_a_core() -> int | None:
    """Ask JAX for one CPU device a core; changes nothing where the user has chosen or where JAX has already started.

    A network that trains alone loses nothing: it runs on one device, whose products use the threads of all cores.

    Returns:
        The number that was asked for, or None where nothing was changed.
    """
    config: Any = jax.config
    if config.jax_num_cpu_devices >= 0 or _FLAG in os.environ.get("XLA_FLAGS", ""):
        return None
    cores = min(usable_cores(), _MOST)
    try:
        config.update("jax_num_cpu_devices", cores)
    except RuntimeError:  # too late: JAX has started
        return None
    return cores


def check_devices(devices: int | str | None) -> int:
    """Devices that the batches of a network are to be spread over; left open, one.

    Raises:
        InputError: neither ``"all"`` nor a number from 1 to that of the devices.
    """
    there, processes = jax.device_count(), jax.process_count()
    if devices == "all":
        return there
    if devices is None:
        return 1
    if isinstance(devices, bool) or not isinstance(devices, int) or devices < 1:
        raise InputError(f"devices={devices!r}: devices must be 'all', or a whole number of at least 1")
    if devices > there:
        where = "this process has" if processes == 1 else f"the {processes} processes of this job have"
        more = (
            "; on a CPU jax.config.update('jax_num_cpu_devices', N) makes more, before anything is computed"
            if jax.default_backend() == "cpu"
            else ""
        )
        raise InputError(f"devices={devices}: {where} {there}; take 'all' or at most {there}{more}")
    if -(-processes // devices) * devices > there:
        raise InputError(
            f"devices={devices}: {processes} processes cannot share their {there} devices so; take 'all', or a divisor of "
            "both"
        )
    return devices


def free_memory() -> int | None:
    """Bytes that arrays on the devices may still take: of one GPU, or of the machine; None where nothing tells."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        stats = device.memory_stats() or {}
        return stats["bytes_limit"] - stats["bytes_in_use"] if "bytes_limit" in stats else None
    known = [free for free in (_available(), _left_in_group()) if free is not None]
    return min(known, default=None)


def cache_bytes() -> int:
    """Bytes of the cache that a core has for itself (its second level); 1 MiB where nothing tells."""
    text = _read("/sys/devices/system/cpu/cpu0/cache/index2/size").strip()
    return int(text[:-1]) * 1024 if text[:-1].isdigit() and text.endswith("K") else 1 << 20


def _available() -> int | None:
    lines = _read("/proc/meminfo").splitlines()
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _left_in_group() -> int | None:
    """What the control group of a container leaves."""
    limit, used = _read("/sys/fs/cgroup/memory.max").strip(), _read("/sys/fs/cgroup/memory.current").strip()
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
