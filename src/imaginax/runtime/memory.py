"""The memory of a run, computed from shapes alone and compared with the device before anything is allocated.

What is counted is the state, which lives as long as the run: its programs reuse it in place (they are given
it to keep). What they need besides while they run, only the compiler knows (`imaginax export --compile`); a
system may say the least that it can be.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh, NamedSharding
from jaxtyping import PyTree

from imaginax.runtime import distributed
from imaginax.types import ConfigError, System, SystemState

_PARTS = {"learner": ("learner",), "replay": ("replay",)}  # the rest of the state is the environments'
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Leaf(NamedTuple):
    """One array of the state, all seeds together."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


class Memory(NamedTuple):
    """Bytes of the state of a run, of all its seeds.

    Attributes:
        learner: parameters, optimiser and all else that learning carries.
        replay: experience.
        environment: states, time steps, what `act` remembers, keys and counters.
        per_device: of all these, what each device holds of them (`distributed.layout`).
        devices: how many.
        largest: the largest arrays, largest first.
    """

    learner: int
    replay: int
    environment: int
    per_device: int
    devices: int
    largest: tuple[Leaf, ...]

    @property
    def total(self) -> int:
        """Bytes on all devices together; what is whole on each of them counts as often."""
        return self.per_device * self.devices


def check(
    system: System, seeds: int, mesh: Mesh | AbstractMesh | None = None, *, limit: int | None = None
) -> Memory:
    """What the state of a run will take; nothing is allocated or compiled for it.

    Args:
        system: what will be trained.
        seeds: so many runs at once.
        mesh: devices over which they are spread; one by default.
        limit: bytes that may be used, of each accelerator or of this machine's CPU; default: what is there.

    Raises:
        ConfigError: if it will not fit, naming the setting that decides it and the largest arrays.
    """
    memory = measure(_shapes(system, seeds), mesh)
    on_cpu = jax.default_backend() == "cpu"  # whose devices share one memory
    limit = available() if limit is None else limit
    needed = memory.total if on_cpu else memory.per_device
    if limit is not None and needed > limit:
        advice = _advice(system, seeds, mesh, memory, limit / needed)
        raise ConfigError(
            _refusal(memory, needed, limit, "this machine" if on_cpu else "each device", advice)
        )
    if limit is not None and system.working is not None:
        share = memory.devices if mesh is not None and not on_cpu else 1
        working = system.working.bytes * seeds // share
        if needed + working > limit:
            raise ConfigError(
                f"an update does not fit: besides the state of {size(needed)} it needs at least"
                f" {size(working)} of the {size(limit)} that there are; lower one of"
                f" {system.working.settings}"
            )
    return memory


def measure(state: SystemState, mesh: Mesh | AbstractMesh | None = None) -> Memory:
    """Bytes of a state [S, ...], or of its shapes."""
    leaves = {name: list(_leaves(name, part)) for name, part in state._asdict().items()}
    parts = {
        part: sum(leaf.bytes for name in names for leaf in leaves[name]) for part, names in _PARTS.items()
    }
    everything = [leaf for part in leaves.values() for leaf in part]
    environment = sum(leaf.bytes for leaf in everything) - sum(parts.values())
    largest = tuple(sorted(everything, key=lambda leaf: -leaf.bytes)[:3])
    per_device, devices = sum(leaf.bytes for leaf in everything), 1
    if mesh is not None:
        places, devices = jax.tree.leaves(distributed.layout(state, mesh)), mesh.size
        pairs = zip(everything, places, strict=True)
        per_device = sum(_share(leaf, place) for leaf, place in pairs)
    return Memory(**parts, environment=environment, per_device=per_device, devices=devices, largest=largest)


def _share(leaf: Leaf, place: NamedSharding) -> int:
    """Bytes of an array on one device."""
    own = place.shard_shape(leaf.shape)
    return leaf.bytes * math.prod(own) // max(math.prod(leaf.shape), 1)


def available() -> int | None:
    """Bytes that this process may take of each accelerator, or of this machine; None if it does not say."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit")
    limits = [_free(Path("/proc/meminfo")), *(_number(Path(path)) for path in _CGROUP_LIMITS)]
    return min((limit for limit in limits if limit is not None), default=None)


def size(count: float | int) -> str:
    """12 300 000 000 as 12.3 GB."""
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = 0
    while count >= 1000 and power < len(units) - 1:
        count, power = count / 1000, power + 1
    number = f"{count:,.0f}" if power == 0 or count >= 1000 else f"{count:.1f}"
    return f"{number.replace(',', ' ')} {units[power]}"


def _shapes(system: System, seeds: int) -> SystemState:
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), seeds))
    return jax.eval_shape(jax.vmap(system.init), keys)


def _leaves(name: str, part: PyTree) -> Iterator[Leaf]:
    for path, leaf in jax.tree_util.tree_leaves_with_path(part):
        words = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
        count = words.dtype.itemsize
        for length in words.shape:
            count *= length
        yield Leaf(name + jax.tree_util.keystr(path), tuple(leaf.shape), str(leaf.dtype), count)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _refusal(memory: Memory, needed: int, limit: int, where: str, advice: str) -> str:
    part = max(("replay", "learner", "environment"), key=lambda name: getattr(memory, name))
    arrays = ", ".join(
        f"{leaf.path} {leaf.dtype}{list(leaf.shape)} {size(leaf.bytes)}" for leaf in memory.largest
    )
    return (
        f"{part} does not fit: the state needs {size(needed)} of the {size(limit)} that {where} has "
        f"(learner {size(memory.learner)}, replay {size(memory.replay)}, environment "
        f"{size(memory.environment)}; largest: {arrays}); {advice}"
    )


def _advice(
    system: System, seeds: int, mesh: Mesh | AbstractMesh | None, memory: Memory, share: float
) -> str:
    """The setting that decides the size: the one whose half saves most; and what of it would fit."""
    saved = {}
    for name, value, half in _halves(system):
        halved = measure(_shapes(half, seeds), mesh).per_device
        saved[1 - halved / memory.per_device] = name, value
    most = max(saved, default=0.0)
    if most < 0.2:
        return "choose smaller settings" + (" or fewer seeds" if seeds > 1 else "")
    name, value = saved[most]
    fits = value * (1 - (1 - share) / (2 * most))
    return f"lower {name} ({value})" + (f", about {float(f'{fits:.1g}'):.0f} would fit" if fits >= 1 else "")


def _halves(system: System) -> Iterator[tuple[str, int, System]]:
    """(field, value, the system with half of it) for each whole number of its settings that can be halved."""
    from imaginax import registry

    name = system.environment.spec.name
    if system.name not in registry.SYSTEMS or getattr(system.config, "env", name) != name:
        return  # what was given as an object cannot be made again
    make = registry.entry(system.name).make
    for name, value, replace in _numbers(system.config):
        with contextlib.suppress(ConfigError):
            yield name, value, make(replace(value // 2))


def _numbers(config: Any, prefix: str = "") -> Iterator[tuple[str, int, Callable[[int], Any]]]:
    """Whole numbers above 1 in a configuration: (field, value, how to replace it)."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        change = functools.partial(_replace, config, field.name)
        if dataclasses.is_dataclass(value):
            for name, number, inner in _numbers(value, f"{prefix}{field.name}."):
                yield name, number, lambda new, change=change, inner=inner: change(inner(new))
        elif type(value) is int and value > 1:
            yield prefix + field.name, value, change


def _replace(config: Any, name: str, value: Any) -> Any:
    return dataclasses.replace(config, **{name: value})


def _free(path: Path) -> int | None:
    """Bytes that /proc/meminfo calls available."""
    if not path.is_file():
        pages = {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys()
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if pages else None
    for line in path.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return None


def _number(path: Path) -> int | None:
    """The number in a file of the kernel's; None for "max" or without the file."""
    try:
        word = path.read_text().strip()
    except OSError:
        return None
    return int(word) if word.isdecimal() else None
