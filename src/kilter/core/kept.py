"""Programs kept on disk as they run, so that a process that starts anew neither traces nor lowers nor compiles them.

JAX keeps what XLA made of a program, but must trace and lower it to know which one it is, which takes most of a short
training. Here a program goes by what it is made from: the function, the structure and shapes of its arguments, Kilter's own
sources, and the versions, settings and processor that it was compiled for. Parts from elsewhere, whose sources are not
known, have JAX's way alone; so do programs on several devices, which are rarely short, and on others than CPUs, where this
was not measured.
"""

import inspect
import pickle
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, wraps
from hashlib import sha256
from typing import Any, NamedTuple
from weakref import WeakSet

import jax

from kilter.core.origin import here, sources, version
from kilter.core.programs import compiled, counts, own_folder
from kilter.core.shelf import Shelf

_PLAIN = (int, float, bool, str, bytes, type(None))
_programs: "WeakSet[Program]" = WeakSet()


class Key(NamedTuple):
    """What tells the programs of one function apart."""

    tree: Any
    arrays: tuple[Hashable, ...]
    static: tuple[Hashable, ...]
    settings: str


class _Ready(NamedTuple):
    """A program in memory, and the shapes that it gives."""

    out_info: Any
    run: Callable[..., Any]


@dataclass(frozen=True)
class Lowered:
    """A program that is ready to be compiled, or found on disk.

    Attributes:
        out_info: shapes of what it gives.
        compile: makes it ready to run.
    """

    out_info: Any
    compile: Callable[[], Any]


class Program:
    """A function that is compiled, once for arguments of one structure and shape, whichever process did it.

    Args:
        function: pure; takes its arguments by position.
        static: names of arguments that are no arrays.
        donated: names of arguments whose arrays are given away.
        options: of the compiler.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        static: Sequence[str] = (),
        donated: Sequence[str] = (),
        options: dict[str, Any],
    ) -> None:
        self._made_from = (function.__module__, function.__qualname__, sorted(options.items()))
        self._static = [name in static for name in inspect.signature(function).parameters]
        self._jitted: Any = jax.jit(
            _versioned(function), static_argnames=static, donate_argnames=donated, compiler_options=options
        )
        self._ready: dict[Key, _Ready] = {}
        _programs.add(self)

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        ready = self._ready.get(self._key(arguments)) if self._ready else None
        return self._jitted(*arguments) if ready is None else ready.run(*self._arrays(arguments))

    def lower(self, *arguments: Any) -> Any:
        """What compiles the program for arguments like these, of which shapes are enough."""
        key, shelf = self._key(arguments), _shelf()
        ready = self._ready.get(key)
        if ready is not None:
            return Lowered(ready.out_info, lambda: ready.run)
        name = None if shelf is None else self._name(key, arguments)
        if shelf is None or name is None:
            return self._jitted.lower(*arguments)
        return self._found(key, shelf, name, arguments) or self._fresh(key, shelf, name, arguments)

    def held(self) -> int:
        """Number of programs that are in memory."""
        return self._jitted._cache_size() + len(self._ready)

    def _found(self, key: Key, shelf: Shelf, name: str, arguments: Sequence[Any]) -> Lowered | None:
        content = shelf.find(name)
        if content is None:
            return None
        try:
            out_info, start = _read(content)
        except Exception:  # whatever Python says: it is no program
            shelf.drop(name)
            return None

        def load() -> Any:
            try:
                program = _loaded(content[start:], key.tree, jax.tree.structure(out_info))
            except Exception:  # whatever XLA says: what it does not take is compiled
                shelf.drop(name)
                return self._fresh(key, shelf, name, arguments).compile()
            self._ready[key] = _Ready(out_info, program)
            return program

        return Lowered(out_info, load)

    def _fresh(self, key: Key, shelf: Shelf, name: str, arguments: Sequence[Any]) -> Lowered:
        lowered = self._jitted.lower(*arguments)

        def make() -> Any:
            asked, hits = counts.asked, counts.hits
            program = compiled(lowered)
            self._ready[key] = _Ready(lowered.out_info, program)
            # What was itself read from disk XLA writes down without its functions, and says so when it is called.
            if counts.asked > asked and counts.hits == hits:
                _writing().submit(_keep, shelf, name, lowered.out_info, program)
            return program

        return Lowered(lowered.out_info, make)

    def _arrays(self, arguments: Sequence[Any]) -> list[Any]:
        return [argument for argument, static in zip(arguments, self._static, strict=False) if not static]

    def _key(self, arguments: Sequence[Any]) -> Key:
        leaves, tree = jax.tree.flatten((tuple(self._arrays(arguments)), {}))
        static = tuple(argument for argument, static in zip(arguments, self._static, strict=False) if static)
        return Key(tree, tuple(map(_like, leaves)), static, _settings())

    def _name(self, key: Key, arguments: Sequence[Any]) -> str | None:
        """Of its file; None where something counts of which only Python knows what it does."""
        if not (_on_one_device(arguments) and _is_plain(key.static)):
            return None
        return _named(key.tree, (self._made_from, key.settings, key.arrays, key.static))


def recalled(what: str, tree: Any, facts: tuple[Any, ...], make: Callable[[], bytes]) -> bytes:
    """What was made of a structure and plain facts once, by this or an earlier process."""
    shelf = _shelf()
    name = _named(tree, (what, _settings(), facts)) if shelf is not None and _is_plain(facts) else None
    if shelf is None or name is None:
        return make()
    content = shelf.find(name)
    if content is None:
        content = make()
        _writing().submit(shelf.keep, name, content)
    return content


def _named(tree: Any, facts: tuple[Any, ...]) -> str | None:
    """A name that nothing else has; None where the tree holds something of which only Python knows what it does."""
    nodes = list(_nodes(tree))
    if None in nodes or not sources():
        return None
    return sha256(repr((here(), version("optax"), nodes, facts)).encode()).hexdigest()


def made(lowered: Any) -> Any:
    """Make a lowered program ready to run, wherever it comes from."""
    return lowered.compile() if isinstance(lowered, Lowered) else compiled(lowered)


def _versioned(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under a name that other sources do not give it, where programs are kept.

    JAX then finds nothing of theirs: what it reads from disk could not be written down again.
    """
    if own_folder() is None or not sources():
        return function

    @wraps(function)
    def same(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    same.__name__ = f"{function.__name__}_{sources()[:8]}"
    return same


def let_go() -> None:
    """Free all that is in memory; it can be made again."""
    jax.clear_caches()
    for program in _programs:
        program._ready.clear()


def _like(leaf: Any) -> Hashable:
    known = leaf.aval if isinstance(leaf, jax.Array) else jax.typeof(leaf)
    return known.shape, known.dtype, known.weak_type


def _on_one_device(arguments: Any) -> bool:
    """Whether all arrays lie where JAX puts them if it is not told otherwise, on a CPU."""
    if jax.default_backend() != "cpu" or jax.process_count() > 1 or not jax.sharding.get_abstract_mesh().empty:
        return False
    config: Any = jax.config
    first = {config.jax_default_device or jax.local_devices()[0]}
    placed = [getattr(leaf, "sharding", None) for leaf in jax.tree.leaves(arguments)]
    return all(place is None or place.device_set == first for place in placed)


def _nodes(tree: Any) -> Iterator[str | None]:
    """A tree told in words, node by node; None for a node that is neither Kilter's nor Python's own."""
    kind, aside = tree.node_data() or (None, None)
    children = tree.children()
    own = kind is None or kind.__module__.split(".")[0] in ("kilter", "builtins")
    yield (
        f"{kind and (kind.__module__, kind.__qualname__)} {aside!r} {len(children)}"
        if own and _is_plain(aside)
        else None
    )
    for child in children:
        yield from _nodes(child)


def _is_plain(value: Any) -> bool:
    """Whether what a value prints says all about it."""
    if type(value) in (tuple, list):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN


def _settings() -> str:
    """JAX's own, those of a block around included."""
    config: Any = jax.config
    return _in_words(tuple(config.values.items()))


@lru_cache(8)
def _in_words(settings: tuple[tuple[str, Any], ...]) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(sorted(settings, key=lambda each: each[0])))


@cache
def _writing() -> ThreadPoolExecutor:
    """Writes while others train; the process waits for it at its end."""
    return ThreadPoolExecutor(1)


def _shelf() -> Shelf | None:
    folder = own_folder()
    return None if folder is None else Shelf(folder, ".kept")


def _keep(shelf: Shelf, name: str, out_info: Any, program: Any) -> None:
    from jax.experimental import serialize_executable

    try:
        content, _, _ = serialize_executable.serialize(program)
    except Exception:  # there are programs that XLA or JAX does not write down, which both say in words of their own
        return
    shapes = pickle.dumps(jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), out_info))
    shelf.keep(name, len(shapes).to_bytes(8) + shapes + content)


def _read(content: bytes) -> tuple[Any, int]:
    """The shapes that a kept program gives, and where it begins itself."""
    start = 8 + int.from_bytes(content[:8])
    return pickle.loads(content[8:start]), start


def _loaded(content: bytes, tree: Any, gives: Any) -> Any:
    from jax.experimental import serialize_executable

    return serialize_executable.deserialize_and_load(content, tree, gives, execution_devices=jax.local_devices()[:1])
