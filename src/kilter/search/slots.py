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
        return _spliced(node, name, drawn)
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


def _spliced(node: tuple[Any, ...], name: str, drawn: Mapping[str, Any]) -> tuple[Any, ...]:
    """Items, with the parts of those that came to several of them put in between."""
    items: list[Any] = []
    for index, item in enumerate(node):
        new = fill(item, f"{name}[{index}]", drawn)
        items += new if isinstance(item, Distribution) and isinstance(new, tuple) else [new]
    return tuple(items)


def _rebuilt(node: Any, name: str, drawn: Mapping[str, Any]) -> Any:
    new = {step: fill(child, join(name, step), drawn) for step, child in children(node)}
    changed = {step: child for step, child in new.items() if child != getattr(node, step)}
    try:
        return node.replace(**changed) if changed else node
    except InputError as error:
        raise InputError(error.message, join(name, error.place)) from None
