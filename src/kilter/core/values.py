"""Values: frozen dataclasses that are pytrees. Numbers are leaves; shapes and choices are static."""

from collections.abc import Iterable
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Any, ClassVar, Self, cast, dataclass_transform

import jax

from kilter.core import encode, paths, signatures, text
from kilter.core.checks import checked
from kilter.core.drawn import Distribution
from kilter.core.errors import InputError
from kilter.core.registry import register
from kilter.core.specs import Spec, number, option, part


class _Signature:
    """That of a value's class, made when it is asked for, where the constructor is the one that takes the fields."""

    def __get__(self, value: Any, kind: type["Value"]) -> Any:
        if value is not None or kind.__init__ is not Value.__init__:
            raise AttributeError("__signature__")
        return signatures.of_fields(kind)


@dataclass_transform(frozen_default=True, field_specifiers=(number, option, part))
class Value:
    """Base of everything a recipe is made of.

    A subclass declares its fields with `number` (a leaf), `option` (static) or `part` (another value). It is checked once,
    when a user constructs it; `jax.tree` rebuilds it without checks, so that leaves may be arrays, tracers or placeholders.
    Attributes whose scale is ``"complement"`` are stored in the tree as one minus themselves (see `number`).
    A field may hold a distribution (`kilter.core.distributions`) in place of what it is declared for.

    What `dataclasses` would write for each class anew stands here once for all: constructor, comparison, hash and
    refusal of changes. Writing it took half of the time to import Kilter.

    Bases of families say so (``class Layer(Value, abstract=True)``) and cannot be constructed.

    Class attributes:
        home: where users find it, such as ``nn``; part of its printed and saved name.
    """

    home: ClassVar[str] = ""
    _abstract: ClassVar[bool] = True
    _specs: ClassVar[dict[str, Spec]] = {}
    _leaves: ClassVar[tuple[str, ...]] = ()
    _static: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[Any] = _Signature()

    def __init_subclass__(cls, abstract: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._abstract = abstract
        kind: Any = dataclass(init=False, repr=False, eq=False)(cls)
        if "__init__" not in vars(cls):
            cls.__init__ = Value.__init__  # whatever its base takes
        cls._specs = {entry.name: entry.metadata["spec"] for entry in fields(kind)}
        for name, spec in cls._specs.items():
            if spec.scale == "complement" and name in vars(cls):
                delattr(cls, name)  # a default on the class would stand in front of the decay of a rebuilt value
        cls._leaves = tuple(name for name, spec in cls._specs.items() if spec.role != "option")
        cls._static = tuple(name for name, spec in cls._specs.items() if spec.role == "option")
        jax.tree_util.register_pytree_with_keys(cls, cls._flatten_with_keys, cls._unflatten, cls._flatten)
        register(cls)

    @classmethod
    def name(cls) -> str:
        """Name as a user writes it: ``nn.Dense``, or the bare name of a class defined outside Kilter."""
        if cls.__module__.split(".")[0] == "kilter":
            return f"{cls.home}.{cls.__name__}"
        return cls.__name__

    @classmethod
    def build(cls, **given: Any) -> Self:
        """Construct from fields, checked, whatever the signature of the constructor."""
        value = object.__new__(cls)
        value._fill(given)
        return value

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked anew."""
        return type(self).build(**{name: getattr(self, name) for name in self._specs} | changes)

    def at(self, path: str) -> Any:
        """Read the field at a path such as ``"net.layers[2].rate"``."""
        return paths.at(self, path)

    def put(self, path: str, new: Any) -> Self:
        """Return a copy with the field at a path replaced.

        >>> from kilter import optim
        >>> optim.Adam(0.1).put("lr", 0.2)
        optim.Adam(0.2)
        """
        return paths.put(self, path, new)

    def to_json(self) -> str:
        """JSON text that `from_json` reads back to an equal value."""
        return encode.dumps(self)

    @classmethod
    def from_json(cls, json: str) -> Self:
        """Read a value from JSON text; unknown types and fields are refused with an `InputError`."""
        return encode.loads(json, cls)

    def complement(self, name: str) -> Any:
        """One minus the decay ``name``, exact in float32 also inside a compiled program."""
        return self.__dict__["_" + name] if "_" + name in self.__dict__ else 1.0 - getattr(self, name)

    def _fill(self, given: dict[str, Any]) -> None:
        if self._abstract:
            raise InputError(f"{self.name()} is the base of its family; use one of the family's members")
        self.__dict__.update(checked(type(self).__name__, self._specs, given))

    def __init__(self, *args: Any, **named: Any) -> None:
        self._fill(signatures.given(type(self), args, named))

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._specs)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == cast(Self, other)._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __getattr__(self, name: str) -> Any:
        if "_" + name in self.__dict__:
            return _decay(self.__dict__["_" + name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return text.source(self)

    def _leaf(self, name: str) -> Any:
        decay = self._specs[name].scale == "complement" and not isinstance(self.__dict__.get(name), Distribution)
        return self.complement(name) if decay else getattr(self, name)

    def _flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        leaves = tuple(self._leaf(name) for name in self._leaves)
        return leaves, tuple(getattr(self, name) for name in self._static)

    def _flatten_with_keys(self) -> tuple[tuple[tuple[Any, Any], ...], tuple[Any, ...]]:
        leaves, static = self._flatten()
        keys = (jax.tree_util.GetAttrKey(name) for name in self._leaves)
        return tuple(zip(keys, leaves, strict=True)), static

    @classmethod
    def _unflatten(cls, static: tuple[Any, ...], leaves: Iterable[Any]) -> Self:
        value = object.__new__(cls)
        for name, leaf in zip(cls._leaves, leaves, strict=True):
            decay = cls._specs[name].scale == "complement" and not isinstance(leaf, Distribution)
            value.__dict__["_" + name if decay else name] = leaf
        value.__dict__.update(zip(cls._static, static, strict=True))
        return value


def _decay(complement: Any) -> Any:
    """The decay of a complement; on the host rounded to 15 digits, which undoes the rounding of one minus it."""
    decay = 1.0 - complement
    return round(decay, 15) if type(decay) is float else decay
