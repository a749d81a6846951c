"""Values as JSON: data, never code; unknown types and fields are refused with one sentence."""

import json
import math
from dataclasses import MISSING, fields
from typing import Any

from kilter.core.errors import InputError, join
from kilter.core.registry import find

SCHEMA = 1


def dumps(value: Any) -> str:
    """JSON text of a value, with the schema's version."""
    return json.dumps({"schema": SCHEMA, "value": _encode(value)}, indent=2, allow_nan=False)


def loads(text: str, kind: type) -> Any:
    """Read a value of type ``kind`` back; raises `InputError` naming the place of what is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a {kind.__name__} in JSON: {error}") from None
    if not isinstance(document, dict) or set(document) != {"schema", "value"}:
        raise InputError(f"not a {kind.__name__} in JSON: expected an object with 'schema' and 'value'")
    if document["schema"] != SCHEMA:
        raise InputError(f"JSON of schema {document['schema']!r}; this version of Kilter reads schema {SCHEMA}")
    try:
        value = _decode(document["value"], "")
    except RecursionError:
        raise InputError(f"not a {kind.__name__} in JSON: nested too deeply") from None
    if not isinstance(value, kind):
        raise InputError(f"JSON holds a {type(value).__name__}, expected a {kind.__name__}")
    return value


def _encode(value: Any) -> Any:
    if hasattr(value, "_specs"):
        entries = {name: _encode(getattr(value, name)) for name in value._specs}
        return {"type": value.name()} | entries
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InputError(f"a {type(value).__name__} cannot be written as JSON")


def _decode(node: Any, place: str) -> Any:
    if isinstance(node, list):
        return tuple(_decode(item, f"{place}[{index}]") for index, item in enumerate(node))
    if not isinstance(node, dict):
        return node
    kind = _kind(node, place)
    given = {name: _decode(item, join(place, name)) for name, item in node.items() if name != "type"}
    for entry in fields(kind):
        if entry.name not in given:
            given[entry.name] = _default(entry, kind, place)
    try:
        return kind.build(**given)
    except InputError as error:
        raise InputError(error.message, join(place, error.place)) from None


def _kind(node: dict[str, Any], place: str) -> Any:
    name = node.get("type")
    kind: Any = find(name) if isinstance(name, str) else None
    if kind is None:
        raise InputError(f"unknown type {name!r}; import the module that defines it before loading", place)
    unknown = set(node) - set(kind._specs) - {"type"}
    if unknown:
        raise InputError(f"{name} has no field {sorted(unknown)[0]!r}; it has {', '.join(kind._specs)}", place)
    return kind


def _default(entry: Any, kind: Any, place: str) -> Any:
    if entry.default_factory is not MISSING:
        return entry.default_factory()
    if entry.default is MISSING:
        raise InputError(f"{kind.name()} needs the field {entry.name!r}", place)
    return entry.default
