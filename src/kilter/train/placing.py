"""Where arrays lie: whole on every device, or members spread over the devices."""

from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

# The axis of the mesh that members are spread over, and what is the same on all of its devices.
AXIS = PartitionSpec("member")
SHARED = PartitionSpec()


@cache
def mesh_of(devices: int) -> Mesh | None:
    """The first devices of this process as a mesh; None for one device."""
    return None if devices == 1 else Mesh(np.array(jax.local_devices()[:devices]), tuple(AXIS))


def shares(mesh: Mesh | None) -> NamedSharding | None:
    """The place of arrays of members: each device has its own share."""
    return None if mesh is None else NamedSharding(mesh, AXIS)


def to_shares(tree: Any, mesh: Mesh | None) -> Any:
    """Arrays of members on the devices, each with its own share."""
    return jax.device_put(tree, shares(mesh))


def to_all(tree: Any, mesh: Mesh | None) -> Any:
    """Arrays on every device of the mesh, whole."""
    return jax.device_put(tree, None if mesh is None else NamedSharding(mesh, SHARED))
