"""How many members a device takes at once, and over how many devices they are spread."""

from dataclasses import dataclass, replace

import jax

from kilter.core.devices import cache_bytes
from kilter.train.cost import Cost

# Wider stacks bring nothing on a CPU, and on other devices memory decides.
_WIDEST, _MANY = 32, 1024
# What an update of a stack may touch, in caches of a core. Twice or half as much is within 10 %.
_CACHES = 4


@dataclass(frozen=True)
class Layout:
    """Slots of a stack: so many devices, and so many members on each; and how its program is compiled.

    Attributes:
        devices: that the members are spread over.
        width: members on each.
        quickly: whether compiling the program fast counts for more than a fast program.
    """

    devices: int
    width: int
    quickly: bool = False

    @property
    def size(self) -> int:
        """Number of slots."""
        return self.devices * self.width


def arrange(members: int, limit: int, devices: int | None = None) -> Layout:
    """The layout that takes the members in as few stacks as ``limit`` members a device allow, all stacks about as full."""
    devices = min(members, jax.local_device_count() if devices is None else devices)
    share = -(-members // devices)
    return Layout(devices, -(-share // -(-share // limit)))


def shrunk(layout: Layout, members: int) -> Layout:
    """A layout for the members that are left of a stack: each device takes a power of two, so that few are compiled."""
    if members <= 1:
        return replace(layout, devices=1, width=1)
    devices = min(members, layout.devices)
    return replace(layout, devices=devices, width=min(layout.width, 1 << (-(-members // devices) - 1).bit_length()))


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
