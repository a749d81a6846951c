"""How a value reads: Python that evaluates back to it."""

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

_WIDTH = 96


def source(value: Any, indent: int = 0) -> str:
    """Python source of a value, with ``kl``, ``nn``, ``optim`` and ``losses`` in scope; broken into lines where long."""
    if isinstance(value, tuple) and any(hasattr(item, "_specs") for item in value):
        return _call("", [("", item) for item in value], indent, trailing=len(value) == 1)
    if not hasattr(value, "_specs"):
        return repr(value)
    kind: Any = type(value)
    return _call(kind.name(), list(_arguments(value)), indent)


def _call(name: str, arguments: list[tuple[str, Any]], indent: int, trailing: bool = False) -> str:
    line = ", ".join(prefix + source(item) for prefix, item in arguments)
    whole = f"{name}({line}{',' if trailing else ''})"
    if len(whole) + indent <= _WIDTH:
        return whole
    pad = " " * (indent + 4)
    body = "".join(f"{pad}{prefix}{source(item, indent + 4)},\n" for prefix, item in arguments)
    return f"{name}(\n{body}{' ' * indent})"


def _arguments(value: Any) -> Iterator[tuple[str, Any]]:
    """Arguments that rebuild the value: positional where the constructor allows it, defaults left out."""
    positional = True
    for entry in sorted(fields(value), key=lambda entry: entry.kw_only is True):
        item = getattr(value, entry.name)
        if value._specs[entry.name].many:
            yield from (("", each) for each in item)
        elif _is_default(entry, item):
            positional = False
        else:
            positional = positional and not entry.kw_only
            yield ("" if positional else f"{entry.name}="), item


def _is_default(entry: Any, item: Any) -> bool:
    default = entry.default if entry.default_factory is MISSING else entry.default_factory()
    return default is not MISSING and _equal(default, item)


def _equal(a: Any, b: Any) -> bool:
    """Whether two fields are equal; those of a value that is traced are not, and must not be compared."""
    if type(a) is not type(b):
        return False
    if hasattr(a, "_specs"):
        return all(_equal(getattr(a, name), getattr(b, name)) for name in a._specs)
    return a == b
