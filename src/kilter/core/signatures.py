"""How a class is called whose constructor takes its fields."""

from dataclasses import MISSING, Field, fields
from functools import cache
from inspect import Parameter, Signature
from typing import Any


@cache
def of_fields(kind: Any) -> Signature:
    """The signature of a dataclass: its fields in their order, those that only keywords name behind the rest."""
    return Signature(sorted(map(_parameter, fields(kind)), key=lambda parameter: parameter.kind))


def given(kind: Any, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """What a call gives each field of a dataclass, by arguments or by default.

    Raises:
        TypeError: an argument that is missing, unknown, or given twice.

    >>> from kilter import nn
    >>> given(nn.LeakyReLU, (), {"slope": 0.2})
    {'slope': 0.2}
    """
    try:
        bound = of_fields(kind).bind(*args, **named)
    except TypeError as error:
        raise TypeError(f"{kind.name()}: {error}") from None
    bound.apply_defaults()
    return bound.arguments


def _parameter(entry: Field[Any]) -> Parameter:
    kind = Parameter.KEYWORD_ONLY if entry.kw_only else Parameter.POSITIONAL_OR_KEYWORD
    default = entry.default if entry.default_factory is MISSING else entry.default_factory()
    return Parameter(
        entry.name, kind, default=Parameter.empty if default is MISSING else default, annotation=entry.type
    )
