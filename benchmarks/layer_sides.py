"""The two sides that `layers.py` compares: loops of updates in JAX as training compiles them, and in PyTorch."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from kilter import losses, metrics, nn, optim
from kilter.core.compiling import TRAINING
from kilter.train.step import Batch, Learner, Parts, step

Program = Callable[[], Any]
Shape = tuple[int, ...]
# So small a step that values stay what they are however often it is taken.
TINY = 1e-7


def normal(shape: Shape) -> np.ndarray:
    """Standard normal numbers, always the same."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def looped(update: Callable[[Any, Any], Any], start: Any, updates: int) -> Program:
    """A compiled loop of updates, which goes on from where it ended."""
    scan = jax.jit(
        lambda carry: jax.lax.scan(lambda carry, i: (update(carry, i), None), carry, jnp.arange(updates))[0],
        donate_argnums=0,
        compiler_options=TRAINING,
    )
    held = [start]

    def run() -> None:
        held[0] = jax.block_until_ready(scan(held[0]))

    return run


def ours(layer: nn.Layer, shape: Shape, updates: int) -> Program:
    """Forward and gradients of a layer in parameters and inputs; the output itself is what comes back."""
    params, state = layer.init(jax.random.key(0), shape[1:])
    key = jax.random.key(1)

    def update(carry: Any, index: Any) -> Any:
        params, x, state = carry
        own = jax.random.fold_in(key, index)

        def forward(params: Any, x: Any) -> Any:
            return layer.apply(params, state, x, key=own)

        y, back, state = jax.vjp(forward, params, x, has_aux=True)
        return *jax.tree.map(lambda a, g: a - TINY * g, (params, x), back(y)), state

    return looped(update, (params, jnp.asarray(normal(shape)), state), updates)


def theirs(make: Callable[[], torch.nn.Module], x: torch.Tensor, updates: int, compiled: bool) -> Program:
    """The same of a PyTorch module."""
    module = make()
    if x.ndim == 4:
        module, x = module.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    x = x.clone().requires_grad_()
    forward = torch.compile(module) if compiled else module
    learned = [*module.parameters(), x]

    def run() -> None:
        for _ in range(updates):
            y = forward(x)
            y.backward(y.detach())
            with torch.no_grad():
                torch._foreach_add_(learned, [each.grad for each in learned], alpha=-TINY)
            for each in learned:
                each.grad = None

    return run


def trained(net: nn.Layer, shape: Shape, classes: int, updates: int) -> Program:
    """Updates of a whole net by Adam on the cross-entropy, as training makes them, with batches gathered from rows."""
    batch, rows = shape[0], 8 * shape[0]
    parts = Parts(net, losses.SoftmaxCrossEntropy(), optim.Adam(1e-3), None, metrics.Accuracy())
    params, state = net.init(jax.random.key(0), shape[1:])
    x = jnp.asarray(normal((rows, *shape[1:])))
    y = jnp.asarray(labels(rows, classes), jnp.int32)
    chosen = jnp.asarray(np.random.default_rng(2).permutation(rows).reshape(-1, batch))
    key = jax.random.key(1)

    def update(learner: Any, index: Any) -> Any:
        own = chosen[index % len(chosen)]
        return step(parts, learner, Batch(x[own], y[own], None), batch, jax.random.fold_in(key, index), index)[0]

    return looped(update, Learner(params, state, parts.optimizer.init(params)), updates)


def trained_by_torch(
    make: Callable[[], torch.nn.Module], shape: Shape, classes: int, updates: int, compiled: bool
) -> Program:
    """The same in PyTorch; ``shape`` is in its own order of axes."""
    batch, rows = shape[0], 8 * shape[0]
    module, x = make(), torch.from_numpy(normal((rows, *shape[1:])))
    if x.ndim == 4:
        module, x = module.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(labels(rows, classes))
    order = torch.from_numpy(np.random.default_rng(2).permutation(rows)).split(batch)
    optimizer, loss = torch.optim.Adam(module.parameters(), fused=True), torch.nn.CrossEntropyLoss()

    def objective(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return loss(module(x), y)

    objective = torch.compile(objective) if compiled else objective

    def run() -> None:
        for index in range(updates):
            chosen = order[index % len(order)]
            optimizer.zero_grad()
            objective(x[chosen], y[chosen]).backward()
            optimizer.step()

    return run


def optimized(optimizer: optim.Optimizer, shapes: list[Shape], updates: int) -> Program:
    """Updates of an optimizer whose gradients are the parameters themselves."""
    params = [jnp.asarray(normal(shape)) for shape in shapes]

    def update(carry: Any, index: Any) -> Any:
        params, state = carry
        return optimizer.update(params, state, params, index)

    return looped(update, (params, optimizer.init(params)), updates)


def optimized_by_torch(make: Callable[..., Any], shapes: list[Shape], updates: int, compiled: bool) -> Program:
    """The same in PyTorch."""
    params = [torch.from_numpy(normal(shape)).requires_grad_() for shape in shapes]
    for each in params:
        each.grad = each.detach()
    optimizer = make(params, fused=not compiled)
    once = torch.compile(optimizer.step) if compiled else optimizer.step

    def run() -> None:
        for _ in range(updates):
            once()

    return run


def judged(rows: int, classes: int, updates: int) -> Program:
    """The cross-entropy and its gradient, which changes the outputs."""
    loss, targets = losses.SoftmaxCrossEntropy(), jnp.asarray(labels(rows, classes), jnp.int32)

    def update(outputs: Any, index: Any) -> Any:
        value, grad = jax.value_and_grad(lambda outputs: loss(outputs, targets).sum() / rows)(outputs)
        return outputs - TINY * value * grad

    return looped(update, jnp.asarray(normal((rows, classes))), updates)


def judged_by_torch(rows: int, classes: int, updates: int, compiled: bool) -> Program:
    """The same in PyTorch."""
    loss, targets = torch.nn.CrossEntropyLoss(), torch.from_numpy(labels(rows, classes))
    loss = torch.compile(loss) if compiled else loss
    outputs = torch.from_numpy(normal((rows, classes))).requires_grad_()

    def run() -> None:
        for _ in range(updates):
            loss(outputs, targets).backward()
            with torch.no_grad():
                outputs.add_(outputs.grad, alpha=-TINY)
            outputs.grad = None

    return run


def labels(rows: int, classes: int) -> np.ndarray:
    """A class for each row."""
    return np.random.default_rng(1).integers(0, classes, rows)


@cache
def machine_rate(rows: int, inner: int, columns: int) -> float:
    """Operations a second of the machine's best matrix product of this shape: of XLA's outside a loop, and PyTorch's."""
    a, b = normal((rows, inner)), normal((inner, columns))
    with torch.no_grad():
        one, two = torch.from_numpy(a), torch.from_numpy(b)
        found = [_shortest(lambda: torch.mm(one, two))]
    product, held = jax.jit(jnp.dot), (jnp.asarray(a), jnp.asarray(b))
    found.append(_shortest(lambda: product(*held).block_until_ready()))
    return 2.0 * rows * inner * columns / min(found)


def _shortest(run: Program, rounds: int = 60) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
