"""How many members a device takes at once, and over how many devices they and their batches are spread."""

from dataclasses import dataclass, replace

import jax
from jax.sharding import Mesh

from kilter.core.devices import cache_bytes
from kilter.train.cost import Cost
from kilter.train.placing import mesh_of

# Wider stacks bring nothing on a CPU, and on other devices memory decides.
_WIDEST, _MANY = 32, 1024
# What an update of a stack may touch, in caches of a core. Twice or half as much is within 10 %.
_CACHES = 4


@dataclass(frozen=True)
class Layout:
    """Slots of a stack: so many devices, and so many members on each; and how its program is compiled.

    Attributes:
        devices: that members are spread over.
        width: members that each of them takes at once.
        quickly: whether compiling the program fast counts for more than a fast program.
        batch: devices that stand in the place of each, for the rows of a batch are spread over them.
        sharded: whether these keep what the optimizer keeps, and the best weights, in shards.
    """

    devices: int
    width: int
    quickly: bool = False
    batch: int = 1
    sharded: bool = False

    @property
    def size(self) -> int:
        """Number of slots."""
        return self.devices * self.width

    @property
    def mesh(self) -> Mesh | None:
        """The devices; None: one."""
        return mesh_of(self.devices, self.batch, self.sharded)


def arrange(members: int, limit: int, devices: int | None = None, batch: int = 1, sharded: bool = False) -> Layout:
    """The layout that takes the members in as few stacks as ``limit`` members a device allow, all stacks about as full.

    Args:
        members: number of them.
        limit: most that a device takes at once.
        devices: that there are; left open, all of this process or job.
        batch: devices that the batches of each member are spread over.
        sharded: whether these keep its state in shards.
    """
    there = (jax.device_count() if devices is None else devices) // batch
    devices = at_least(min(members, there), batch)
    share = -(-members // devices)
    return Layout(devices, -(-share // -(-share // limit)), batch=batch, sharded=sharded)


def shrunk(layout: Layout, members: int) -> Layout:
    """A layout for the members that are left of a stack: each device takes a power of two, so that few are compiled."""
    devices = at_least(max(1, min(members, layout.devices)), layout.batch)
    share = max(1, -(-members // devices))
    return replace(layout, devices=devices, width=min(layout.width, 1 << (share - 1).bit_length()))


def at_least(devices: int, batch: int = 1) -> int:
    """So many devices for members, or as many as it takes for each process of a job to have one of the mesh."""
    return max(devices, -(-jax.process_count() // batch))


def width_for(cost: Cost) -> int:
    """The most members that a device should take at once.

    On a CPU, as many as go through an update within some times the cache of a core (8 of 64-128-128-10, one of
    784-256-10), and those with windows one by one: their batched products are slower than single ones (53 against 234 ms
    measured for convolutions). Other devices take as many as their memory holds.
    """
    if jax.default_backend() != "cpu":
        return _MANY
    if cost.windowed:
        return 1
    return max(1, min(_WIDEST, _CACHES * cache_bytes() // max(cost.update, 1)))
