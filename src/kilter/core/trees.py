"""Pytrees of members: stacked on a leading axis, taken apart, compared."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np


def stack(trees: Sequence[Any]) -> Any:
    """Stack trees of equal structure leaf by leaf on a new leading axis, numbers as float32 and arrays as they are."""
    return jax.tree.map(lambda *leaves: np.stack([_array(leaf) for leaf in leaves]), *trees)


def _array(leaf: Any) -> Any:
    return leaf if isinstance(leaf, np.ndarray) else np.asarray(leaf, np.float32)


def take(tree: Any, index: int) -> Any:
    """A copy of member ``index`` of a stacked tree, on the host; a view would hold on to all members."""
    return jax.tree.map(lambda leaf: np.array(leaf[index]), tree)


def size(tree: Any) -> int:
    """Number of numbers in a tree of arrays."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(tree))


def is_kernel(leaf: Any) -> bool:
    """Whether a parameter is a kernel, which may be shrunk: it has two axes or more; biases and norm scales have one."""
    return np.ndim(leaf) > 1


def named(tree: Any) -> dict[str, Any]:
    """Leaves by path: ``{"layers[0].kernel": array}``."""
    pairs = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in pairs}
