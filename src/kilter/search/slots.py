"""Where the distributions of a recipe stand: found by one walk, filled in by another along the same names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kilter.core.distributions import Choice, Repeat, Shared
from kilter.core.drawn import Distribution
from kilter.core.errors import InputError, join
from kilter.core.paths import children
from kilter.core.specs import Spec
from kilter.search.dimension import Need


@dataclass(frozen=True)
class Slot:
    """A distribution, the name it goes by, the declaration of the field that it fills, and what it depends on."""

    name: str
    held: Any
    spec: Spec
    need: Need | None


def slots(node: Any, name: str, spec: Spec, need: Need | None = None) -> Iterator[Slot]:
    """Every distribution at and below a value, outer ones first; shared ones once a place."""
    if isinstance(node, Shared):
        yield from slots(node.of, node.label, spec, need)
    elif isinstance(node, Choice):
        yield Slot(name, node, spec, need)
        for index, (option, label) in enumerate(zip(node.options, labels(node.options), strict=True)):
            yield from slots(option, f"{name}.options[{index}]", spec, Need(name, (label,)))
    elif isinstance(node, Repeat):
        yield Slot(name, node, spec, need)
        for copy in range(node.high if node.vary else 1):
            counts = tuple(range(max(copy + 1, node.low), node.high + 1))
            yield from slots(node.layer, _copy(node, name, copy), spec, need if copy < node.low else Need(name, counts))
    elif isinstance(node, Distribution):
        yield Slot(name, node, spec, need)
    else:
        for step, child in children(node):
            own = getattr(node, "_specs", {}).get(step, spec)
            yield from slots(child, join(name, step), own, need)


def fill(node: Any, name: str, drawn: Mapping[str, Any]) -> Any:
    """The value with what was drawn in place of every distribution; what several parts came of is a tuple."""
    if isinstance(node, Shared):
        return fill(node.of, node.label, drawn)
    if isinstance(node, Choice):
        index = labels(node.options).index(drawn[name])
        return fill(node.options[index], f"{name}.options[{index}]", drawn)
    if isinstance(node, Repeat):
        copies = [fill(node.layer, _copy(node, name, copy), drawn) for copy in range(drawn[name])]
        return tuple(part for copy in copies for part in (copy if isinstance(copy, tuple) else (copy,)))
    if isinstance(node, Distribution):
        return drawn[name]
    if isinstance(node, tuple):
        return tuple(part for part, _ in _items(node, name, drawn))
    return _rebuilt(node, name, drawn) if hasattr(node, "_specs") else node


def labels(options: tuple[Any, ...]) -> tuple[Any, ...]:
    """How options are written in points: numbers and words as they are, parts by their kind, or whole where kinds recur."""
    kinds = [option.name() if hasattr(option, "_specs") else None for option in options]
    return tuple(_label(option, kind, kinds.count(kind) == 1) for option, kind in zip(options, kinds, strict=True))


def _label(option: Any, kind: str | None, lone: bool) -> Any:
    if option is None or isinstance(option, bool | int | float | str):
        return option
    return kind if kind and lone else " ".join(repr(option).split())


def _copy(node: Repeat, name: str, copy: int) -> str:
    return f"{name}.layer[{copy}]" if node.vary else f"{name}.layer"


def _rebuilt(node: Any, name: str, drawn: Mapping[str, Any]) -> Any:
    new = {step: _filled(node, step, join(name, step), drawn) for step, _ in children(node)}
    changed = {step: child for step, child in new.items() if child != getattr(node, step)}
    try:
        return node.replace(**changed) if changed else node
    except InputError as error:
        raise InputError(error.message, join(name, error.place)) from None


def _filled(node: Any, step: str, name: str, drawn: Mapping[str, Any]) -> Any:
    field = getattr(node, step)
    if not isinstance(field, tuple):
        return fill(field, name, drawn)
    return tuple(part for item in _items(field, name, drawn) for part in _opened(item, type(node), step))


def _items(node: tuple[Any, ...], name: str, drawn: Mapping[str, Any]) -> list[tuple[Any, bool]]:
    """Items, those that came to several parts as these, and whether they were drawn."""
    items: list[tuple[Any, bool]] = []
    for index, item in enumerate(node):
        new, drew = fill(item, f"{name}[{index}]", drawn), isinstance(item, Distribution)
        items += [(part, drew) for part in (new if drew and isinstance(new, tuple) else (new,))]
    return items


def _opened(item: tuple[Any, bool], owner: type, step: str) -> tuple[Any, ...]:
    """A part that was drawn, or its own parts where it is of the owner's kind, such as a chain in a chain."""
    part, drew = item
    return getattr(part, step) if drew and type(part) is owner else (part,)
