"""How a program lies on the mesh that it is traced for: the rows of a batch spread, what is learned whole or in shards.

Programs say where arrays lie and nothing else; XLA adds the messages between devices, so that what is computed is what one
device computes: means over the whole batch, draws of the same bits. Where there is no mesh, nothing is changed.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

# Axes of a mesh. Members are spread over the first; each member's rows over the others. Along `SHARD` what the optimizer
# keeps and the best weights are spread, too (Rajbhandari et al. 2020, stage 1).
MEMBER, BATCH, SHARD = "member", "batch", "shard"


def ways() -> int:
    """Devices that the rows of a batch are spread over."""
    sizes = _sizes()
    return sizes.get(BATCH, 1) * sizes.get(SHARD, 1)


def by_rows(tree: Any) -> Any:
    """Arrays whose leading axis, of rows, is spread over the devices; XLA pads it where they do not divide it."""
    axes = tuple(axis for axis in _sizes() if axis != MEMBER)
    return _placed(tree, lambda leaf: PartitionSpec(axes)) if axes else tree


def whole(tree: Any) -> Any:
    """Arrays that each device has whole."""
    return _placed(tree, lambda leaf: PartitionSpec()) if ways() > 1 else tree


def in_shards(tree: Any) -> Any:
    """Arrays of which each device keeps its shard where there is an axis for that, and the whole where not."""
    count = _sizes().get(SHARD, 1)
    return _placed(tree, lambda leaf: shard_of(leaf.shape, count)) if ways() > 1 else tree


def by_device(rows: jax.Array) -> jax.Array:
    """Rows as ``(devices, rows of each, ...)``, padded with zeros; sums over the second axis send no message."""
    count = ways()
    padded = jnp.pad(rows, ((0, -len(rows) % count), *((0, 0),) * (rows.ndim - 1)))
    return by_rows(padded.reshape(count, -1, *rows.shape[1:]))


def shard_of(shape: tuple[int, ...], count: int) -> PartitionSpec:
    """The longest axis that so many devices can share evenly; none where there is none."""
    dividing = [axis for axis, size in enumerate(shape) if count > 1 and size and size % count == 0]
    if not dividing:
        return PartitionSpec()
    longest = max(dividing, key=lambda axis: shape[axis])
    return PartitionSpec(*(None,) * longest, SHARD)


def _sizes() -> dict[str, int]:
    return dict(jax.sharding.get_abstract_mesh().shape)


def _placed(tree: Any, spec: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, spec(leaf)), tree)
