"""Rows out of a loader: the first some thousand, as PyTorch's tensors and as Kilter's arrays."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, SequentialSampler

from kilter.core.errors import InputError
from kilter.interop.node import Array, channels_last

# Most rows, and most numbers in them.
_ROWS, _NUMBERS = 4096, 1 << 26


@dataclass(frozen=True)
class Rows:
    """Rows out of a loader.

    Attributes:
        x: inputs.
        y: their targets.
        batch_size: rows of the first batch.
        shuffle: whether the loader goes through its rows in a new order every time, as far as it tells.
    """

    x: torch.Tensor
    y: torch.Tensor
    batch_size: int
    shuffle: bool

    def __len__(self) -> int:
        return len(self.x)


def taken(loader: Any, name: str = "loader") -> Rows:
    """The first rows of a loader, or, of one that does not shuffle, batches from all over it.

    Raises:
        InputError: it raises, is empty, or gives anything but pairs of inputs and targets.
    """
    xs: list[torch.Tensor] = []
    ys: list[torch.Tensor] = []
    count = 0
    for batch in _guarded(loader, name):
        x, y = _pair(batch, name)
        if xs and (x.shape[1:] != xs[0].shape[1:] or y.shape[1:] != ys[0].shape[1:]):
            raise InputError(
                f"{name}: batches have examples of shapes {tuple(xs[0].shape[1:])} and {tuple(x.shape[1:])}, one is needed"
            )
        xs.append(x)
        ys.append(y)
        count += len(x)
        if count >= min(_ROWS, max(_NUMBERS // max(x[:1].numel(), 1), 64)):
            break
    if not count:
        raise InputError(f"{name}: it gives no rows; a pair of inputs and targets is needed at least once")
    shuffle = not isinstance(getattr(loader, "sampler", None), SequentialSampler)
    return Rows(torch.cat(xs), torch.cat(ys), max(len(x) for x in xs), shuffle)


def _guarded(loader: Any, name: str) -> Iterator[Any]:
    met = 0
    try:
        for batch in _batches(loader):
            yield batch
            met += 1
    except Exception as error:
        raise InputError(f"{name}: raised {type(error).__name__} after {met} batches: {error}") from error


def _batches(loader: Any) -> Iterator[Any]:
    """Batches; of a sorted loader that is longer than what is looked at, every so many."""
    if isinstance(loader, torch.Tensor | np.ndarray) or not hasattr(loader, "__iter__"):
        raise TypeError(
            f"a loader of pairs (inputs, targets) is needed, such as a DataLoader, got a {type(loader).__name__}"
        )
    sampler = getattr(loader, "batch_sampler", None)
    if not isinstance(loader, DataLoader) or sampler is None or not isinstance(loader.sampler, SequentialSampler):
        yield from loader
        return
    size = loader.batch_size or 1
    stride = max(len(loader) * size // _ROWS, 1)
    for chosen in itertools.islice(sampler, 0, None, stride):
        yield loader.collate_fn([loader.dataset[index] for index in chosen])


def _pair(batch: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        what = f"{len(batch)} of them" if isinstance(batch, tuple | list) else f"a {type(batch).__name__}"
        raise InputError(f"{name}: every batch must be a pair of inputs and targets, got {what}")
    try:
        x, y = (each if isinstance(each, torch.Tensor) else torch.as_tensor(each) for each in batch)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"{name}: inputs and targets must be tensors, got {', '.join(type(each).__name__ for each in batch)}"
        ) from None
    if x.ndim < 2 or y.ndim < 1 or len(x) != len(y):
        raise InputError(
            f"{name}: inputs of shape {tuple(x.shape)} and targets of shape {tuple(y.shape)} must have a row an example"
        )
    return x.detach().cpu(), y.detach().cpu()


def arrays(x: torch.Tensor, y: torch.Tensor, first: bool) -> tuple[Array, Array]:
    """Inputs and targets as arrays, channels last where they stand ``first``."""
    rows, targets = (each.float().numpy() if each.is_floating_point() else each.numpy() for each in (x, y))
    return channels_last(rows, first), targets


@contextmanager
def undisturbed(*loaders: Any) -> Iterator[None]:
    """Put all random numbers back to where they were: PyTorch's, NumPy's, Python's and the loaders' own."""
    python, numpy_state = random.getstate(), np.random.get_state()
    owners = [
        getattr(each, "generator", None) for loader in loaders for each in (loader, getattr(loader, "sampler", None))
    ]
    generators = {id(each): each for each in owners if isinstance(each, torch.Generator)}
    states = {key: each.get_state() for key, each in generators.items()}
    try:
        with torch.random.fork_rng():
            yield
    finally:
        for key, each in generators.items():
            each.set_state(states[key])
        np.random.set_state(numpy_state)
        random.setstate(python)
