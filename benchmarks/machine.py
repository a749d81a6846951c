"""What a benchmark was measured on: machine, versions, date and state of the source."""

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("kilter", "jax", "jaxlib", "numpy", "torch", "keras", "flax", "optax", "scikit-learn", "onnx", "onnxruntime"),
)


def described() -> dict[str, Any]:
    """Machine, versions, date and commit."""
    return {"machine": machine(), "versions": versions(), "date": now(), "commit": commit()}


def machine() -> dict[str, Any]:
    """Processor, cores, memory and system."""
    told = {"processor": _processor(), "cores": cores(), "memory": _memory(), "system": platform.system()}
    return told | {"python": platform.python_version()}


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def now() -> str:
    """Date and time, to the minute."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def commit() -> str:
    """Of the source, marked where files differ from it; empty outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    lines = _read("/proc/cpuinfo").splitlines()
    names = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    wide = "AVX-512" if "avx512f" in names.get("flags", "") else "AVX2" if "avx2" in names.get("flags", "") else ""
    return ", ".join(part for part in (names.get("model name") or platform.processor(), wide) if part)


def _memory() -> str:
    lines = [line for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")]
    return f"{int(lines[0].split()[1]) / (1 << 20):.0f} GiB" if lines else "unknown"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
