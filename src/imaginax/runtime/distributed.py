"""One program over many devices and many processes: a mesh with one axis, `data`.

State is made of global arrays. The learner is whole on every device. Environments, what the planner remembers
of them and their replay are split along the environments, if the devices divide their number; a
replay that is split along time would send every step to all devices. Several seeds are split lane by lane
instead, if the devices divide their number: then hardly anything has to cross between devices. Results are
the same on any number of devices but for rounding, and a run may go on with another number.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from imaginax.numerics.sharding import AXIS
from imaginax.runtime import interruption
from imaginax.runtime.precision import pin
from imaginax.runtime.run_directory import RunError
from imaginax.types import ConfigError, SystemState

T = TypeVar("T")

# Set for every process by `launch`, or by hand where no scheduler is recognised.
ADDRESS, PROCESSES, PROCESS = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"


# ---------------------------------------------------------------- processes


def initialise(devices: int | None = None) -> None:
    """Pins jax's settings and joins the other processes, if there are any. Call it before all else uses jax.

    A cluster is recognised by `JAX_COORDINATOR_ADDRESS`, `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`, by the
    variables of Slurm, Open MPI or a TPU pod, or by `IMAGINAX_CLUSTER=1`, which leaves the rest to jax.

    Args:
        devices: of all processes together. A CPU is divided into so many devices, to try a program out.

    Raises:
        ConfigError: if the devices cannot be shared out evenly.
        RunError: if the others cannot be reached.
    """
    pin()
    if jax.distributed.is_initialized():
        return
    processes = int(os.environ.get(PROCESSES, 1))
    if devices is not None:
        if devices < 1 or devices % processes:
            raise ConfigError(f"devices must be a positive multiple of {processes} processes, got {devices}")
        _divide_cpu(devices // processes)
    try:
        if ADDRESS in os.environ and processes > 1:
            jax.distributed.initialize(os.environ[ADDRESS], processes, int(os.environ[PROCESS]))
        elif _on_cluster():
            jax.distributed.initialize()
    except (RuntimeError, ValueError, KeyError) as error:
        raise RunError(f"cannot join the other processes: {str(error).splitlines()[0]}") from error


def _divide_cpu(devices: int) -> None:
    try:
        jax.config.update("jax_num_cpu_devices", devices)
    except RuntimeError:  # the back end is up already: what there is has to do
        return


def _on_cluster() -> bool:
    if "IMAGINAX_CLUSTER" in os.environ or "," in os.environ.get("TPU_WORKER_HOSTNAMES", ""):
        return True
    tasks = [os.environ.get(name, "") for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")]
    return any(word.isdecimal() and int(word) > 1 for word in tasks)


def launch(processes: int, words: Sequence[str]) -> int:
    """Runs a command line as `processes` processes of this machine, which find each other on loopback.

    Ctrl-C, SIGTERM and SIGHUP are handed on; a terminal sends them to this process alone. If one of the
    processes fails the others are ended.

    Args:
        processes: at least 2.
        words: what follows `imaginax`.

    Returns:
        The first exit code that is not 0, or 0.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "imaginax.cli", *words]
    common = os.environ | {ADDRESS: address, PROCESSES: str(processes)}
    children = [
        subprocess.Popen(command, env=common | {PROCESS: str(i)}, start_new_session=True)
        for i in range(processes)
    ]

    def forward(number, frame):
        for child in children:
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in interruption.caught()}
    try:
        return _wait(children)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    """The first exit code that is not 0; the other processes, which would wait forever, are ended then."""
    waiting = list(children)
    while waiting:
        for child in waiting:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.1)
        ended = [child.returncode for child in waiting if child.returncode is not None]
        if any(ended):
            for child in children:
                child.kill()
                child.wait()
            return next(code if code > 0 else 1 for code in ended if code)
        waiting = [child for child in waiting if child.returncode is None]
    return 0


def is_leader() -> bool:
    """Whether this process writes the run directory and prints."""
    return jax.process_index() == 0


def leader_first(action: Callable[[], T]) -> T | None:
    """Runs `action` in the leader while the others wait for it; its result there, None elsewhere.

    Raises:
        RunError: in the others, if it failed in the leader.
    """
    if jax.process_count() == 1:
        return action()
    result, failure = None, None
    if is_leader():
        try:
            result = action()
        except Exception as error:  # the others must hear of it, whatever it is
            failure = error
    fine = multihost_utils.broadcast_one_to_all(np.asarray(failure is None))
    if failure:
        raise failure
    if not fine:
        raise RunError("the first process stopped; its message says why")
    return result


def agree(stop: bool, save: bool) -> tuple[bool, bool]:
    """One answer for all processes: stop if any of them has to, save if the leader's clock says so."""
    if jax.process_count() == 1:
        return stop, save
    flags = multihost_utils.process_allgather(np.asarray([stop, save]))
    return bool(flags[:, 0].any()), bool(flags[0, 1])


# ------------------------------------------------------------------ devices


def make_mesh(devices: int | Sequence[Any] | None = None) -> Mesh:
    """The mesh of one axis `data`: over all devices of all processes, the first `devices`, or those given.

    Raises:
        ConfigError: if there are fewer, or other than all of them with several processes.
    """
    if not (devices is None or isinstance(devices, int)):
        return Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))
    present = jax.devices()
    count = len(present) if devices is None else devices
    if not 1 <= count <= len(present):
        kind = present[0].platform
        raise ConfigError(f"devices must be between 1 and {len(present)}, all {kind} devices, got {count}")
    if jax.process_count() > 1 and count != len(present):
        raise ConfigError(f"devices must be {len(present)}, all that the processes have, got {count}")
    return Mesh(np.asarray(present[:count]), (AXIS,), axis_types=(AxisType.Auto,))


def by_lane(lanes: int, mesh: Mesh | AbstractMesh) -> bool:
    """Whether whole seeds are split over the mesh rather than the rows of each."""
    return lanes > 1 and lanes % mesh.size == 0


def layout(shapes: SystemState, mesh: Mesh | AbstractMesh) -> SystemState:
    """Where each array of the state of all lanes [S, ...] lives: a NamedSharding for every leaf."""
    if by_lane(shapes.updates.shape[0], mesh):
        return jax.tree.map(lambda leaf: NamedSharding(mesh, PartitionSpec(AXIS)), shapes)

    environments = shapes.timestep.last.shape[1]
    splits = environments % mesh.size == 0

    def place(leaf: Any, split: bool) -> NamedSharding:
        along = split and leaf.ndim > 1 and leaf.shape[1] == environments
        return NamedSharding(mesh, PartitionSpec(None, AXIS) if along else PartitionSpec())

    parts = ("replay", "env", "timestep", "carry") if splits else ()
    return SystemState(
        **{
            name: jax.tree.map(partial(place, split=name in parts), part)
            for name, part in shapes._asdict().items()
        }
    )


def replicated(mesh: Mesh) -> NamedSharding:
    """Whole on every device."""
    return NamedSharding(mesh, PartitionSpec())


def fetch(tree: PyTree) -> PyTree:
    """Arrays as numpy arrays, in every process, wherever their parts are."""
    if jax.process_count() > 1:
        tree = jax.tree.map(_gathered, tree)
    return jax.device_get(tree)


def _gathered(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array) or leaf.is_fully_replicated or leaf.is_fully_addressable:
        return leaf
    assert isinstance(leaf.sharding, NamedSharding), "every array that spans processes is laid out on a mesh"
    whole = NamedSharding(leaf.sharding.mesh, PartitionSpec())
    return jax.jit(lambda x: x, out_shardings=whole)(leaf)
