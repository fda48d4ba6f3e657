"""How one program spreads over devices: a mesh of one axis, and the places where work is split along it.

Programs are written for global arrays and mean the same on any number of devices; XLA inserts what has to
cross between them. Where it could not guess which axis to split, a model or a planner says so with
`shard_along`.
"""

from __future__ import annotations

import jax
from jax.sharding import PartitionSpec
from jaxtyping import Array

AXIS = "data"


def shard_along(x: Array, *axes: int, least: int = 1) -> Array:
    """Asks for `x` to be split over the devices of the mesh that is set (`jax.set_mesh`).

    It is split along the first of `axes` of which every device gets the same number, `least` or more, and
    left as it is if there is none, or no mesh. Values never change. Inside of `jax.vmap` axes are
    counted without the mapped one.
    """
    devices = dict(jax.sharding.get_abstract_mesh().shape).get(AXIS, 1)
    fitting = [axis for axis in axes if x.shape[axis] % devices == 0 and x.shape[axis] >= devices * least]
    if devices == 1 or not fitting:
        return x
    free = PartitionSpec.UNCONSTRAINED
    spec = [AXIS if axis == fitting[0] % x.ndim else free for axis in range(x.ndim)]
    return jax.lax.with_sharding_constraint(x, PartitionSpec(*spec))
