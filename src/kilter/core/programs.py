"""Compiled programs kept on disk between processes, and a watch on whether they are found again.

JAX keeps programs by itself where it is told a folder, but may miss them without a word on some processors. So hits and
misses are counted, every program that had to be compiled leaves a mark, and a miss where there is a mark already is said.
"""

import hashlib
import os
import platform
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jax

from kilter.core.doubts import warn

_EVENTS = {
    "/jax/compilation_cache/compile_requests_use_cache": "asked",
    "/jax/compilation_cache/cache_hits": "hits",
    "/jax/compilation_cache/cache_misses": "misses",
}
# Shorter compiles than this many seconds are not worth a file.
_WORTH = 0.3
_LEAST = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"


class Counts(threading.local):
    """Programs that this thread asked JAX for, those found on disk, and those that were compiled and kept there."""

    asked = 0
    hits = 0
    misses = 0


counts = Counts()
_config: Any = jax.config
_kept: list[Path] = []


def keep_programs() -> Path | None:
    """Have JAX keep compiled programs in the user's cache folder; changes nothing where the user has chosen.

    Returns:
        The folder, or None where nothing was changed.
    """
    if _config.jax_compilation_cache_dir is not None or not _config.jax_enable_compilation_cache:
        return None
    folder = cache_folder() / "programs"
    _config.update("jax_compilation_cache_dir", str(folder))
    if _LEAST not in os.environ:
        _config.update("jax_persistent_cache_min_compile_time_secs", _WORTH)
    jax.monitoring.register_event_listener(_count)
    _kept[:] = [folder]
    return folder


def cache_folder() -> Path:
    """Where the system has a user's programs keep what can be made anew."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "kilter" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "kilter"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kilter"


def own_folder() -> Path | None:
    """Where programs are kept, unless the user has chosen another place or none since."""
    own = _kept and _config.jax_enable_compilation_cache and _config.jax_compilation_cache_dir == str(_kept[0])
    return _kept[0] if own else None


def flags() -> list[tuple[str, str]]:
    """Variables of the environment that change what compilers make."""
    return sorted(each for each in os.environ.items() if each[0].startswith(("XLA_", "LIBTPU_", "TF_", "CUDA_")))


def compiled(lowered: Any) -> Any:
    """Compile a lowered program, or find it on disk; says so where one that was kept is not found again."""
    before, began = counts.misses, time.time()
    program = lowered.compile()
    # What takes less may not have been worth a file to JAX.
    surely_kept = time.time() - began > 2 * _config.jax_persistent_cache_min_compile_time_secs
    if own_folder() is not None and counts.misses > before and not _mark(lowered, began, surely_kept):
        warn(
            f"a compiled program was kept in {_kept[0]}, but JAX does not find it again on this machine, so that every "
            "process compiles anew; set JAX_COMPILATION_CACHE_DIR to another folder, or delete this one"
        )
    return program


def _mark(lowered: Any, began: float, kept: bool) -> bool:
    """Leave a mark for a program that was compiled and is kept; False if there was one before that began.

    Whatever JAX may rightly tell programs apart by is part of the mark, so that no other setting is taken for a miss.
    """
    chosen = sorted(f"{name}={value}" for name, value in _config.values.items())
    text, options = lowered.as_text(), getattr(lowered._lowering, "_compiler_options_kvs", ())
    here = (jax.__version__, platform.node(), platform.machine(), jax.devices())
    setting = (*here, chosen, flags(), options, text)
    mark = _kept[0] / f"{hashlib.sha256(repr(setting).encode()).hexdigest()}.mark"
    try:
        if mark.exists():
            return mark.stat().st_mtime > began  # by another process or thread that compiled beside this one
        if kept:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    except OSError:  # a folder that cannot be written keeps no programs either, and JAX says so
        return True
    return True


def _count(event: str, **_: Any) -> None:
    if event in _EVENTS:
        setattr(counts, _EVENTS[event], getattr(counts, _EVENTS[event]) + 1)
