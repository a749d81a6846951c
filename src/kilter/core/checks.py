"""Validation of a value's fields, once, when a user constructs it; rebuilding a pytree never comes here."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from kilter.core.errors import InputError, within
from kilter.core.specs import Spec

_WORDS = {int: "a whole number", str: "text", bool: "True or False", float: "a number"}


def checked(owner: str, specs: Mapping[str, Spec], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given fields in canonical form, or raise an `InputError` that names the field and what it accepts."""
    return {name: _CHECKS[spec.role](owner, name, spec, given[name]) for name, spec in specs.items()}


def check_seed(seed: Any) -> int:
    """A seed as an int, or an `InputError`."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"seed must be a whole number from 0 to 2**32 - 1, got {seed!r}")
    return int(seed)


def _refuse(owner: str, name: str, value: Any, accepted: str) -> InputError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return InputError(f"{owner}({name}={shown}): {name} must be {accepted}")


def _kinds(spec: Spec) -> str:
    return " or ".join(_WORDS.get(kind, _an(kind.__name__)) for kind in spec.kinds)


def _an(name: str) -> str:
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"


def _number(owner: str, name: str, spec: Spec, value: Any) -> Any:
    if isinstance(value, Tracer) or (spec.optional and value is None) or isinstance(value, spec.kinds):
        return value
    if isinstance(value, np.generic | np.ndarray | jax.Array) and np.ndim(value) == 0:
        value = value.item()
    if not isinstance(value, Real) or isinstance(value, bool):
        others = f" or {_kinds(spec)}" if spec.kinds else ""
        raise _refuse(owner, name, value, f"a number{others}")
    try:
        converted = float(value)
    except OverflowError:
        raise _refuse(owner, name, value, "a number that a float can hold") from None
    if not math.isfinite(converted) or converted not in spec.range:
        raise _refuse(owner, name, value, str(spec.range))
    return converted


def _option(owner: str, name: str, spec: Spec, value: Any) -> Any:
    value = _plain(value)
    if (spec.optional and value is None) or (spec.choices and value in spec.choices):
        return value
    if spec.choices and not spec.kinds:
        raise _refuse(owner, name, value, f"one of {', '.join(map(repr, spec.choices))}")
    sizes = value if tuple in spec.kinds and isinstance(value, tuple) else (value,)
    kinds = tuple(kind for kind in spec.kinds if kind is not tuple)
    if not sizes or not all(_is(size, kinds) for size in sizes):
        choices = f"one of {', '.join(map(repr, spec.choices))}, or " if spec.choices else ""
        raise _refuse(owner, name, value, choices + " or ".join(_WORDS.get(kind, kind.__name__) for kind in kinds))
    if not all(size in spec.range for size in sizes if isinstance(size, int | float)):
        raise _refuse(owner, name, value, str(spec.range))
    return value


def _is(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _plain(value: Any) -> Any:
    """Hashable and JSON-ready: lists become tuples, NumPy scalars Python numbers."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, np.generic):
        return value.item()
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _part(owner: str, name: str, spec: Spec, value: Any) -> Any:
    if spec.many:
        items = tuple(value) if isinstance(value, list | tuple) else (value,)
        for index, item in enumerate(items):
            with within(f"{name}[{index}]"):
                _one_part(owner, name, spec, item)
        return items
    if not (spec.optional and value is None):
        _one_part(owner, name, spec, value)
    return value


def _one_part(owner: str, name: str, spec: Spec, value: Any) -> None:
    if isinstance(value, type) and issubclass(value, spec.kinds):
        raise InputError(f"{owner}({name}={value.__name__}): write {value.__name__}(), with parentheses")
    if not isinstance(value, spec.kinds):
        raise _refuse(owner, name, value, _kinds(spec))


_CHECKS = {"number": _number, "option": _option, "part": _part}
