"""Where arrays lie: whole on every device, members spread over the devices, or one member's state in shards."""

from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kilter.core.spreading import BATCH, MEMBER, SHARD, shard_of
from kilter.train.epoch import Member
from kilter.train.step import Learner

# What is spread over members, and what is the same on all devices.
AXIS = PartitionSpec(MEMBER)
SHARED = PartitionSpec()


@cache
def mesh_of(members: int, batch: int = 1, sharded: bool = False) -> Mesh | None:
    """Devices as a mesh: so many for members, each of them so many for the rows of a batch; None for one device."""
    if members * batch == 1:
        return None
    devices = np.array(chosen(members * batch))
    if batch == 1:
        return Mesh(devices, (MEMBER,))
    return Mesh(devices.reshape(members, batch), (MEMBER, SHARD if sharded else BATCH))


def chosen(count: int) -> list[Any]:
    """So many devices, from each process of a job as many as from the others, neighbors side by side."""
    turns: dict[int, int] = {}
    queue = []
    for device in jax.devices():
        turns[device.process_index] = turns.get(device.process_index, -1) + 1
        queue.append((turns[device.process_index], device.process_index, device))
    taken = sorted(queue, key=lambda each: each[:2])[:count]
    return [device for _, _, device in sorted(taken, key=lambda each: (each[1], each[0]))]


def shares(mesh: Mesh | None) -> NamedSharding | None:
    """The place of arrays of members: each device has its own share."""
    return None if mesh is None else NamedSharding(mesh, AXIS)


def places(members: Member, mesh: Mesh) -> Member:
    """The place of each array of stacked members: with an axis for shards, moments and best weights lie in these."""
    found: Member = jax.tree.map(lambda _: NamedSharding(mesh, AXIS), members)
    return found._replace(learner=learner_places(members.learner, mesh), best=_in_shards(members.best, mesh))


def learner_places(learners: Learner, mesh: Mesh) -> Learner:
    """The same for learners alone."""
    found: Learner = jax.tree.map(lambda _: NamedSharding(mesh, AXIS), learners)
    return found._replace(moments=_in_shards(learners.moments, mesh))


def _in_shards(tree: Any, mesh: Mesh) -> Any:
    count = mesh.shape.get(SHARD, 1)
    return jax.tree.map(lambda leaf: NamedSharding(mesh, PartitionSpec(MEMBER, *shard_of(leaf.shape[1:], count))), tree)


def abstract(members: Any, mesh: Mesh | None) -> Any:
    """Stacked members that are known by their shapes, each array at its place."""

    def known(leaf: Any, place: Any = None) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

    return jax.tree.map(known, members) if mesh is None else jax.tree.map(known, members, places(members, mesh))


def to_places(members: Member, mesh: Mesh | None) -> Member:
    """Stacked members on the devices, each array at its place."""
    return _put(members, None if mesh is None else places(members, mesh))


def to_shares(tree: Any, mesh: Mesh | None) -> Any:
    """Arrays of members on the devices, each with its own share."""
    return _put(tree, shares(mesh))


def to_all(tree: Any, mesh: Mesh | None) -> Any:
    """Arrays on every device of the mesh, whole."""
    return _put(tree, None if mesh is None else NamedSharding(mesh, SHARED))


def fetched(tree: Any) -> Any:
    """Arrays on the host, whole, in every process of a job."""
    return jax.device_get(tree) if jax.process_count() == 1 else jax.tree.map(_fetched, tree)


def _put(tree: Any, place: Any) -> Any:
    if place is None or jax.process_count() == 1:
        return jax.device_put(tree, place)
    if isinstance(place, NamedSharding):
        return jax.tree.map(lambda leaf: _put_by_each(leaf, place), tree)
    return jax.tree.map(_put_by_each, tree, place)


def _put_by_each(array: Any, place: NamedSharding) -> jax.Array:
    """An array that every process of a job has whole; no message goes between them."""
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return jax.device_put(array, place)
    held = np.asarray(array)
    return jax.make_array_from_callback(held.shape, place, lambda part: held[part])


def _fetched(array: Any) -> Any:
    apart = isinstance(array, jax.Array) and not (array.is_fully_addressable or array.is_fully_replicated)
    if apart and isinstance(array.sharding, NamedSharding):
        array = _joining(array.sharding.mesh)(array)
    return np.asarray(array)


@cache
def _joining(mesh: Mesh) -> Any:
    return jax.jit(lambda array: array, out_shardings=NamedSharding(mesh, SHARED))
