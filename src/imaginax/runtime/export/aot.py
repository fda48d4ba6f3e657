"""Real compilation for machines that are not here, by the compilers that run on them.

A TPU's compiler comes in the package `libtpu`, XLA's for CUDA in jax's plugin; neither needs its device. What
they accept runs there and what it needs of the memory is known; its speed is not. CUDA programs are compiled
without the autotuning that a GPU would take part in.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh
from jaxtyping import PyTree

from imaginax.runtime import distributed
from imaginax.runtime.export import costs
from imaginax.runtime.export.executable import Collective, Footprint, collectives, donated, footprint
from imaginax.runtime.precision import precision_of
from imaginax.runtime.run_directory import RunError
from imaginax.types import ConfigError

GIB = 2**30


class Chip(NamedTuple):
    """A kind of chip: the platform that compiles for it, and its memory in bytes."""

    platform: str
    memory: int


# Memory as published: cloud.google.com/tpu/docs/v4, /v5e and /v6e; NVIDIA's data sheet of the H100 SXM.
CHIPS = {
    "v4": Chip("tpu", 32 * GIB),
    "v5e": Chip("tpu", 16 * GIB),
    "v6e": Chip("tpu", 32 * GIB),
    "h100": Chip("cuda", 80 * 10**9),
}
EXAMPLES = "v5e:2x2, v6e:2x2, v4:2x2x1, h100, h100:8"

# A chip's compiler: the module that brings it, its distribution, and the extra that installs it.
_WHEELS = {
    "tpu": ("libtpu", "libtpu", "tpu-aot"),
    "cuda": ("jax_cuda12_plugin", "jax-cuda12-plugin", "cuda-aot"),
}

# What XLA asks a GPU for when it has one; the numbers are those of an H100 SXM. As in openxla/xla#25919.
_H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98
  device_memory_size: 84929347584 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 } registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 7 }
runtime_version { major: 12 minor: 8 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


class Target(NamedTuple):
    """Chips to compile for.

    Attributes:
        name: as given, such as "v5e:2x2".
        devices: jax's descriptions of them; a chip of TPU v4 is two devices.
        memory: bytes of one device.
        compiler: name and version of what compiles.
    """

    name: str
    devices: tuple[Any, ...]
    memory: int
    compiler: str


class Report(NamedTuple):
    """What compiling one program for a target gave.

    Attributes:
        program: its name.
        target: the target's name.
        devices: that the program runs on.
        seconds: of tracing, lowering and compiling.
        costs: of one call, all devices together, counted before compilation (`costs.count`).
        memory: of one device; None if the compiler ran out of it.
        limit: bytes that a device has.
        fits: whether it all fits.
        collectives: exchanges between devices in the compiled program, by kind.
        device_flops: of one device as the compiler counts them, the body of each loop once: beside those of
            one device alone they tell which part of the work is split. None where it does not say.
        note: why it does not fit.
    """

    program: str
    target: str
    devices: int
    seconds: float
    costs: costs.Costs
    memory: Footprint | None
    limit: int
    fits: bool
    collectives: dict[str, Collective]
    device_flops: float | None
    note: str = ""


def prepare() -> None:
    """Keeps jax and the compilers away from devices, metadata servers and caches. Call it before all else.

    Raises:
        RunError: if jax has already started on another back end, which it cannot leave.
    """
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-4")  # any will do: the topology's name decides
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_compilation_cache", False)
    if jax.default_backend() != "cpu":
        raise RunError(f"jax runs on {jax.default_backend()} already: compile in a process of its own")


def open_target(name: str) -> Target:
    """The chips called `name`: a kind, and how many or in which arrangement.

    Raises:
        ConfigError: for an unknown name, or if the package with the compiler is not installed.
    """
    from jax.experimental import topologies

    kind, _, arrangement = name.partition(":")
    if kind not in CHIPS:
        raise ConfigError(f"unknown target {name!r}; examples: {EXAMPLES}")
    chip = CHIPS[kind]
    module, wheel, extra = _WHEELS[chip.platform]
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"compiling for {kind} needs {wheel}: pip install 'imaginax[{extra}]'")
    try:
        if chip.platform == "tpu":
            topology = topologies.get_topology_desc(name, platform="tpu")
        else:
            shape = f"1x1x{int(arrangement or 1)}"  # partitions, hosts, devices of a host
            topology = topologies.get_topology_desc("", platform="cuda", target_config=_H100, topology=shape)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"no target {name!r} ({_line(error)}); examples: {EXAMPLES}") from error
    devices = tuple(topology.devices)
    cores = 1 + max(getattr(device, "core_on_chip", 0) for device in devices)
    return Target(name, devices, chip.memory // cores, f"{wheel} {metadata.version(wheel)}")


def compile_for(
    target: Target,
    name: str,
    function: Callable[..., PyTree],
    arguments: tuple[PyTree, ...],
    *,
    mesh: Mesh | None = None,
) -> Report:
    """Compiles `function(*arguments)` as the target's own machines would.

    A `SystemState` among the arguments lends its memory to the one that the function gives back first.

    Args:
        target: for which chips.
        name: the program's.
        function: a pure function.
        arguments: their shapes; a leaf with a sharding lives there, the others on every device of the mesh.
        mesh: of devices of the target; its first device by default.

    Raises:
        RunError: if it calls the host, or the compiler refuses it for another reason than memory.
    """
    mesh = mesh or distributed.make_mesh(target.devices[:1])
    everywhere = distributed.replicated(mesh)
    placed = jax.tree.map(lambda leaf: leaf if leaf.sharding else leaf.update(sharding=everywhere), arguments)
    donate = donated(arguments)
    results = everywhere
    if donate:
        results = jax.tree.map(lambda leaf: leaf.sharding, placed[donate[0]]), everywhere
    start = time.perf_counter()
    with precision_of(arguments), jax.set_mesh(mesh):
        traced = jax.jit(function, donate_argnums=donate, out_shardings=results).trace(*placed)
        costs.check_host_calls(name, traced.jaxpr.jaxpr)
        compiled, note = _compiled(f"{name} for {target.name}", traced.lower())
    seconds = time.perf_counter() - start
    needs, exchanges, own = None, {}, None
    if compiled:
        needs, exchanges = footprint(compiled), collectives(compiled.as_text())
        own = (compiled.cost_analysis() or {}).get("flops")
        if needs.total > target.memory:
            note = f"needs {needs.total / GIB:.1f} GiB of {target.memory / GIB:.1f}"
    work = costs.count_jaxpr(traced.jaxpr.jaxpr)
    about = name, target.name, mesh.size, seconds, work
    return Report(*about, needs, target.memory, not note, exchanges, own, note)


def _compiled(what: str, lowered: Any) -> tuple[Any, str]:
    """The executable, or None and what the compiler says if the memory is too small."""
    try:
        return lowered.compile(), ""
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise RunError(f"{what} cannot be compiled: {_line(error)}") from error
        return None, _line(error).removeprefix("RESOURCE_EXHAUSTED: ")


def _line(error: Exception) -> str:
    """The first line of a compiler's complaint."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
