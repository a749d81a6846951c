"""Key paths are the names of hyper-parameters, everywhere: ``net.layers[2].rate``."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from kilter.core.errors import InputError, join

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(-?\d+)\]")


def parse(path: str) -> tuple[str | int, ...]:
    """Split ``net.layers[2].rate`` into ``("net", "layers", 2, "rate")``."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise InputError(f"{path!r} is not a path; write one like 'net.layers[2].rate'")
        steps.append(match[1] if match[1] else int(match[2]))
        position = match.end()
    return tuple(steps)


def at(value: Any, path: str) -> Any:
    """Read the field at a path."""
    for step in parse(path):
        value = _child(value, step, path)
    return value


def put(value: Any, path: str, new: Any) -> Any:
    """Return a copy of ``value`` with the field at ``path`` replaced; everything on the way is checked anew."""
    steps = parse(path)
    if not steps:
        raise InputError("an empty path names nothing; write one like 'optimizer.lr'")
    return _put(value, steps, new, path, "")


def _put(value: Any, steps: tuple[str | int, ...], new: Any, path: str, place: str) -> Any:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    deeper = join(place, step if isinstance(step, str) else f"[{step}]")
    child = _put(_child(value, step, path), rest, new, path, deeper)
    if isinstance(step, str):
        try:
            return value.replace(**{step: child})
        except InputError as error:
            raise InputError(error.message, join(place, error.place)) from None
    items = list(value)
    items[step] = child
    return tuple(items)


def _child(value: Any, step: str | int, path: str) -> Any:
    if isinstance(step, int):
        if not isinstance(value, tuple) or not -len(value) <= step < len(value):
            has = f"{len(value)} items" if isinstance(value, tuple) else "no items"
            raise InputError(f"{path!r}: there is no [{step}], {_describe(value)} has {has}")
        return value[step]
    names = list(getattr(value, "_specs", ()))
    if step not in names:
        offered = f"it has {', '.join(names)}" if names else "it has no fields"
        raise InputError(f"{path!r}: {_describe(value)} has no field {step!r}; {offered}")
    return getattr(value, step)


def _describe(value: Any) -> str:
    return type(value).__name__


def children(value: Any) -> Iterator[tuple[str, Any]]:
    """Pairs of (step, child) one level down: fields of a value, items of a tuple."""
    if hasattr(value, "_specs"):
        yield from ((entry.name, getattr(value, entry.name)) for entry in fields(value))
    elif isinstance(value, tuple):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))


def walk(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value at and below ``value`` with its path, outermost first."""
    if hasattr(value, "_specs"):
        yield place, value
    for step, child in children(value):
        yield from walk(child, join(place, step))


def rewrite(value: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild a value bottom up with ``change`` applied to every value in it."""
    if isinstance(value, tuple):
        return tuple(rewrite(item, change) for item in value)
    if not hasattr(value, "_specs"):
        return value
    new = {name: rewrite(child, change) for name, child in children(value)}
    changed = {name: child for name, child in new.items() if child is not getattr(value, name)}
    return change(value.replace(**changed) if changed else value)


def nearest(path: str, paths: Iterable[str]) -> str:
    """The end of a sentence about a path that does not exist: which ones are near it, if any."""
    near = get_close_matches(path, list(paths), n=3, cutoff=0.5)
    return f"; near it: {', '.join(near)}" if near else ""
