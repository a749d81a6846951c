"""Hooks that see what goes on inside a PyTorch module: every layer and function of a forward pass, and the way back."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from kilter.interop import torch_functions, torch_layers
from kilter.interop.node import FORM, LAST, LAYER, SUM, UNKNOWN, Array, Node, channels_last
from kilter.interop.opaque import Opaque
from kilter.interop.record import Weight, named
from kilter.nn.activations import Activation
from kilter.nn.layer import Layer
from kilter.nn.reshape import Flatten
from kilter.vitals import summary

# Most numbers of a signal that are looked at, in whole rows.
_MOST = 1 << 22


class Observer:
    """Sees the forward passes of a module that are asked for, and the backward passes behind them.

    Signals are summarized when they pass, so that nothing large is kept. Between these passes a hook is one test of a flag.

    Attributes:
        nodes: of the last pass that was seen.
        first: number of the signal that went in.
        last: number of the signal that came out.
        rows: of the batch.
        layout: whether channels stand in front of positions in what went in.
    """

    def __init__(self, module: torch.nn.Module, wanted: Callable[[], bool], *, rows: int = 256) -> None:
        self.nodes: list[Node] = []
        self.first = self.last = self.rows = 0
        self.layout = False
        self._module, self._wanted, self._most = module, wanted, rows
        self._pass: _Pass | None = None
        self._layers: dict[torch.nn.Module, Layer | None] = {}
        self._handles = list(self._hooked())

    def close(self) -> None:
        """Take all hooks off."""
        self._end()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _hooked(self) -> Iterator[Any]:
        yield self._module.register_forward_pre_hook(self._begin)
        for name, module in self._module.named_modules():
            leaf = _leaf(module)
            yield module.register_forward_pre_hook(self._entering(name, leaf))
            yield module.register_forward_hook(self._leaving(name, module, leaf), always_call=True)
        yield self._module.register_forward_hook(self._ended, always_call=True)

    def _begin(self, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        self._end()
        if args and isinstance(args[0], torch.Tensor) and self._wanted():
            self.layout = _channels_first(self._module, args[0])
            self._pass = _Pass(args[0], self.layout, self._most)
            self._pass.__enter__()

    def _ended(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        seen = self._pass
        if seen is not None and isinstance(output, torch.Tensor):
            self.nodes, self.first, self.last, self.rows = seen.nodes, 0, seen.number(output), seen.rows
        self._end()

    def _end(self) -> None:
        if self._pass is not None:
            self._pass.__exit__(None, None, None)
            self._pass = None

    def _entering(self, name: str, leaf: bool) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
            if self._pass is not None:
                self._pass.enter(name, leaf, args)

        return hook

    def _leaving(self, name: str, module: torch.nn.Module, leaf: bool) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if self._pass is not None:
                if leaf and output is not None and module not in self._layers:
                    self._layers[module] = torch_layers.layer(module)
                self._pass.leave(name, leaf, module, args, output, self._layers.get(module))

        return hook


def _leaf(module: torch.nn.Module) -> bool:
    """Whether a module is looked at as a whole: those of Kilter's kinds, and those that hold no other."""
    return not any(True for _ in module.children()) or isinstance(module, torch_layers.FIRST + torch_layers.LAST)


def _channels_first(module: torch.nn.Module, x: torch.Tensor) -> bool:
    sequences = any(isinstance(each, torch.nn.Conv1d) for each in module.modules())
    return x.ndim == 4 or (x.ndim == 3 and sequences)


class _Pass(TorchFunctionMode):
    """One forward pass: functions come by the mode, layers by their hooks."""

    def __init__(self, x: torch.Tensor, first: bool, most: int) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.rows = len(x)
        self._most = most
        self._met: Counter[str] = Counter()
        self._numbers: dict[int, int] = {}
        self._layouts: list[bool] = []
        self._held: list[Any] = []  # so that no other tensor gets the identity of one that was met
        self._scopes: list[str] = []
        self._inside = 0
        self._busy = False  # with looking, whose own functions are none of the network's
        self._before: Array | None = None
        self._new(x, first)

    def number(self, tensor: torch.Tensor) -> int:
        """Number of a signal; -1 of what does not come from the inputs."""
        return self._numbers.get(id(tensor), -1)

    def _new(self, tensor: torch.Tensor, layout: bool) -> int:
        self._held.append(tensor)
        self._layouts.append(layout)
        self._numbers[id(tensor)] = len(self._layouts) - 1
        return len(self._layouts) - 1

    @contextmanager
    def _blind(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def enter(self, name: str, leaf: bool, args: tuple[Any, ...]) -> None:
        """A layer is about to run; what it gets is looked at now, as it may write over it."""
        self._scopes.append(name)
        if leaf and not self._inside and args and isinstance(args[0], torch.Tensor):
            with self._blind():
                self._before = self._array(args[0], self._layout(args[0]))
                self._shape, self._number = self._outline(args[0], self._layout(args[0])), self.number(args[0])
        self._inside += leaf

    def leave(self, name: str, leaf: bool, module: Any, args: Any, output: Any, layer: Layer | None) -> None:
        """A layer has run."""
        self._scopes.pop()
        self._inside -= leaf
        if not leaf or self._inside or output is None or not args or not isinstance(args[0], torch.Tensor):
            return
        y = output[0] if isinstance(output, tuple | list) else output
        if not isinstance(y, torch.Tensor):
            return
        with self._blind():
            self._layer(name, module, layer, y)

    def _layer(self, name: str, module: Any, layer: Layer | None, y: torch.Tensor) -> None:
        kind = type(module).__name__
        role = UNKNOWN if layer is None else LAYER
        layout = self._layouts[self._number] if self._number >= 0 else False
        layout = isinstance(module, torch_layers.FIRST) or (layout and not isinstance(module, torch_layers.LAST))
        node = self._node(name, kind, layer or Opaque(kind), role, (self._number,), y, layout and y.ndim > 2)
        node.kernel = torch_layers.kernel(module)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._inside or self._busy:
            return func(*args, **(kwargs or {}))
        with self._blind():
            return self._called(func, args, kwargs or {})

    def _called(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(func, "__name__", "")
        known = [each for each in args if isinstance(each, torch.Tensor) and self.number(each) >= 0]
        if not known or name in _READS:
            return func(*args, **kwargs)
        x, numbers = known[0], tuple(self.number(each) for each in known)
        self._before, self._shape = self._array(x, self._layout(x)), self._outline(x, self._layout(x))
        y = func(*args, **kwargs)
        first = next((each for each in y if isinstance(each, torch.Tensor)), None) if isinstance(y, tuple | list) else y
        self._function(name, args, kwargs, x, numbers, first)
        return y

    def _function(self, name: str, args: Any, named: Any, x: torch.Tensor, numbers: tuple[int, ...], y: Any) -> None:
        if not isinstance(y, torch.Tensor) or not y.is_floating_point():
            return
        same = name in torch_functions.SAME or (name in ("view", "reshape", "squeeze") and _same(x, y))
        if same:
            self._held.append(y)
            self._numbers[id(y)] = numbers[0]
            return
        layout = self._layouts[numbers[0]] and y.ndim == x.ndim
        layer, role = self._made(name, args, named, x, y, len(numbers))
        self._node(self._scoped(f"{name.rstrip('_')}()"), "", layer, role, numbers, y, layout and y.ndim > 2)

    def _made(self, name: str, args: Any, named: Any, x: torch.Tensor, y: Any, signals: int) -> tuple[Layer, str]:
        if signals == 2 and name in torch_functions.SUMS:
            return Opaque(name), SUM
        if torch_functions.takes_last(name, args):
            return Opaque(name), LAST
        flat = y.ndim == 2 and len(y) == len(x) and y.numel() == x.numel()
        if flat and name in torch_functions.FORMS:
            return Flatten(), LAYER
        found = torch_functions.layer(name, args, named) if signals == 1 else None
        if found is not None:
            return found, LAYER
        linear = name in torch_functions.FORMS or (
            name in torch_functions.SCALINGS | torch_functions.SUMS and signals == 1
        )
        return Opaque(name), FORM if linear else UNKNOWN

    def _scoped(self, name: str) -> str:
        scope = next((each for each in reversed(self._scopes) if each), "")
        return f"{scope}.{name}" if scope else name

    def _node(
        self, place: str, kind: str, layer: Layer, role: str, inputs: tuple[int, ...], y: torch.Tensor, layout: bool
    ) -> Node:
        self._met[place] += 1
        place = place if self._met[place] == 1 else f"{place} ({self._met[place]})"
        node = Node(place, kind, layer, role, self._shape, self._outline(y, layout), inputs, self._new(y, layout))
        self.nodes.append(node)
        if role in (LAYER, UNKNOWN):
            _look(node, self._before, self._array(y, layout))
            if y.requires_grad:
                y.register_hook(_back(node, len(y)))
        return node

    def _layout(self, tensor: torch.Tensor) -> bool:
        number = self.number(tensor)
        return number >= 0 and self._layouts[number] and tensor.ndim > 2

    def _outline(self, tensor: torch.Tensor, first: bool) -> tuple[int, ...]:
        shape = tuple(tensor.shape[1:])
        return (*shape[1:], shape[0]) if first and len(shape) > 1 else shape

    def _array(self, tensor: torch.Tensor, first: bool) -> Array:
        """Some rows of a signal, channels last."""
        rows = max(min(self._most, _MOST // max(tensor[:1].numel(), 1)), 2)
        return channels_last(tensor.detach()[:rows].float().cpu().numpy().copy(), first)


# They give no signal: sizes, types and such.
_READS = frozenset(["size", "dim", "numel", "is_floating_point", "requires_grad_", "register_hook", "backward", "item"])


def _same(x: torch.Tensor, y: torch.Tensor) -> bool:
    """Whether a reshape leaves a signal as it is, but for a last axis of one."""
    return y.shape == x.shape or (x.ndim == 2 and x.shape[1] == 1 and y.shape == x.shape[:1])


def _look(node: Node, x: Array | None, y: Array) -> None:
    with np.errstate(all="ignore"):
        node.signal = summary(y, layer=node.layer, x=x)
    if isinstance(node.layer, Activation) and node.layer.mortal and node.layer.elementwise and x is not None:
        node.alive = np.asarray(~np.asarray(node.layer.dead(x)).all(tuple(range(x.ndim - 1))))


def _back(node: Node, rows: int) -> Callable[[torch.Tensor], None]:
    def hook(gradient: torch.Tensor) -> None:
        if node.signal is not None:
            size = float(gradient.detach().double().square().mean().sqrt())
            node.signal = node.signal._replace(backward=rows * size)

    return hook


def weights_of(module: torch.nn.Module, nodes: Sequence[Node]) -> dict[str, Weight]:
    """The parameters of a module with their gradients, kernels named after their layers."""
    kernels = {f"{node.place}.weight".lstrip("."): named(node.place) for node in nodes if node.kernel is not None}
    return {
        kernels.get(name, name): Weight(_numbers(each), None if each.grad is None else _numbers(each.grad))
        for name, each in module.named_parameters()
    }


def _numbers(tensor: torch.Tensor) -> Array:
    return tensor.detach().float().cpu().numpy().copy()


@contextmanager
def observed(module: torch.nn.Module) -> Iterator[Observer]:
    """An observer of every forward pass; its hooks are gone afterwards, whatever happens."""
    observer = Observer(module, lambda: True)
    try:
        yield observer
    finally:
        observer.close()
