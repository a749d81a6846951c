"""Validation of a value's fields, once, when a user constructs it; rebuilding a pytree never comes here."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from kilter.core.drawn import is_open, stand_ins
from kilter.core.errors import InputError, within
from kilter.core.specs import Spec

_WORDS = {int: "a whole number", str: "text", bool: "True or False", float: "a number"}


def checked(owner: str, specs: Mapping[str, Spec], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given fields in canonical form, or raise an `InputError` that names the field and what it accepts.

    A distribution is kept where all that it stands for would be accepted.
    """
    return {name: _field(owner, name, spec, given[name]) for name, spec in specs.items()}


def check_seed(seed: Any) -> int:
    """A seed as an int, or an `InputError`."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"seed must be a whole number from 0 to 2**32 - 1, got {seed!r}")
    return int(seed)


def plain(value: Any) -> Any:
    """Hashable and JSON-ready: lists become tuples, NumPy scalars Python numbers."""
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, np.generic):
        return value.item()
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


class _UnfitError(Exception):
    """A value that a field does not take, with what it takes."""


def _field(owner: str, name: str, spec: Spec, value: Any) -> Any:
    if not spec.many:
        return _fitting(owner, name, spec, value)
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    for index, item in enumerate(items):
        with within(f"{name}[{index}]"):
            _fitting(owner, name, spec, item)
    return items


def _fitting(owner: str, name: str, spec: Spec, value: Any) -> Any:
    check = _CHECKS[spec.role]
    try:
        if not is_open(value):
            return check(spec, value)
        for each in stand_ins(plain(value)):
            for one in each if spec.many and isinstance(each, tuple) else (each,):
                check(spec, one)
    except _UnfitError as unfit:
        if isinstance(value, type) and spec.role != "option" and issubclass(value, spec.kinds):
            raise InputError(f"{owner}({name}={value.__name__}): write {value.__name__}(), with parentheses") from None
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise InputError(f"{owner}({name}={shown}): {name} must be {unfit}") from None
    return plain(value)


def _kinds(spec: Spec) -> str:
    return " or ".join(_WORDS.get(kind, _an(kind.__name__)) for kind in spec.kinds)


def _an(name: str) -> str:
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"


def _number(spec: Spec, value: Any) -> Any:
    if isinstance(value, Tracer) or (spec.optional and value is None) or isinstance(value, spec.kinds):
        return value
    if isinstance(value, np.generic | np.ndarray | jax.Array) and np.ndim(value) == 0:
        value = value.item()
    if not isinstance(value, Real) or isinstance(value, bool):
        raise _UnfitError(f"a number or {_kinds(spec)}" if spec.kinds else "a number")
    try:
        converted = float(value)
    except OverflowError:
        raise _UnfitError("a number that a float can hold") from None
    if not math.isfinite(converted) or converted not in spec.range:
        raise _UnfitError(spec.range)
    return converted


def _option(spec: Spec, value: Any) -> Any:
    value = plain(value)
    if (spec.optional and value is None) or (spec.choices and value in spec.choices):
        return value
    if spec.choices and not spec.kinds:
        raise _UnfitError(f"one of {', '.join(map(repr, spec.choices))}")
    sizes = value if tuple in spec.kinds and isinstance(value, tuple) else (value,)
    kinds = tuple(kind for kind in spec.kinds if kind is not tuple)
    if not sizes or not all(_is(size, kinds) for size in sizes):
        choices = f"one of {', '.join(map(repr, spec.choices))}, or " if spec.choices else ""
        raise _UnfitError(choices + " or ".join(_WORDS.get(kind, kind.__name__) for kind in kinds))
    if not all(size in spec.range for size in sizes if isinstance(size, int | float)):
        raise _UnfitError(spec.range)
    return value


def _is(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _part(spec: Spec, value: Any) -> Any:
    if not (spec.optional and value is None) and (isinstance(value, type) or not isinstance(value, spec.kinds)):
        raise _UnfitError(_kinds(spec))
    return value


_CHECKS = {"number": _number, "option": _option, "part": _part}
