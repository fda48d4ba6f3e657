"""Promise 4: one device, eight devices and two processes compute the same gradients.

The whole learner is compared after one `learn` from the same state: Adam hides the scale of a gradient in the
parameters, but its first moment shows it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.runtime import config as configs
from imaginax.runtime import distributed
from imaginax.runtime.loop import make_chunk
from imaginax.types import System, SystemState
from tests.contract import compare

CHILD = Path(__file__).with_name("child.py")

DEVICES = 8
LIMIT = 1e-5

# The field that counts the steps of one `learn`, in systems that fit a whole model. Two fits whose first
# states differ by one unit in the last place are 1e-7 apart after 40 steps of Adam and 1e-3 after 100:
# rounding grows, so what is to be compared has to be short.
# AlphaGo Zero's gate is a threshold on a match, where rounding can turn a move: none may pass it.
SHORT = {
    "pets": "--fit.epochs {}",
    "alphago_zero": "--updates {} --gate-share 0.999",
    "alphazero": "--updates {}",
    "planet": "--updates {}",
    "gp_mpc": "--fit.steps {}",
    "pilco": "--fit.steps {0} --search.steps {0}",
    "gpdm": "--fit.iterations {}",
}
FEW = 2


def keeps_gradients(entry, folder: Path) -> dict[str, float]:
    """Largest relative difference of the learner on 8 devices and on 2 processes of 4 against 1 device."""
    system = system_of(entry, FEW)
    save(folder / "state.npz", first_data(system))
    alone = jax.jit(jax.vmap(_learn(system)))(load(folder / "state.npz", first_data_shapes(system)))
    ways = {f"{DEVICES} devices": 1, "2 processes": 2}
    children = {name: _start(entry.name, folder, processes) for name, processes in ways.items()}
    figures = {}
    for name, group in children.items():
        _wait(group)
        figures[name] = compare.difference(alone, _read(folder / f"learner_{len(group)}.npz"))
    assert all(value <= LIMIT for value in figures.values()), figures
    return figures


def system_of(entry, steps: int) -> System:
    """The `tiny` system; where one `learn` fits a whole model, with so many steps."""
    words = SHORT.get(entry.name, "").format(steps)
    return entry.make(configs.parse(entry, "tiny", None, words.split()))


def first_data(system: System) -> SystemState:
    """The state of one lane [1, ...] after the chunks that only gather experience."""
    state = jax.jit(jax.vmap(system.init))(jax.random.split(jax.random.key(0), 1))
    for stage in system.schedule:
        if stage.updates:
            break
        chunk = jax.jit(jax.vmap(make_chunk(system, stage), in_axes=(0, None)))
        for index in range(stage.chunks):
            state, _ = chunk(state, jnp.int32(index))
    return state


def first_data_shapes(system: System) -> SystemState:
    return jax.eval_shape(
        jax.vmap(system.init), jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
    )


def learn_on(mesh, system: System, path: Path):
    """The learner after one `learn` under a mesh, from the state in a file.

    The work has to be split: where nothing crosses between devices, each has done all of it.
    """
    shapes = first_data_shapes(system)
    state = load(path, shapes, distributed.layout(shapes, mesh))
    with jax.set_mesh(mesh):
        learn = jax.jit(jax.vmap(_learn(system)), out_shardings=distributed.replicated(mesh))
        program = learn.lower(state).compile()
        learner = program(state)
    learns = any(stage.updates for stage in system.schedule)
    assert not learns or "all-reduce" in program.as_text(), "no device needs another's gradient"
    return distributed.fetch(learner)


def _learn(system: System):
    stage = next((stage for stage in system.schedule if stage.updates), system.schedule[0])
    learn = stage.learn or system.learn
    return lambda state: learn(state.learner, state.replay, jax.random.key(1))[0]


def _start(name: str, folder: Path, processes: int) -> list[subprocess.Popen]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    files = [str(folder / "state.npz"), str(folder / f"learner_{processes}.npz")]
    command = [sys.executable, str(CHILD), "learn", name, *files, str(DEVICES)]
    cluster = {distributed.ADDRESS: f"127.0.0.1:{port}", distributed.PROCESSES: str(processes)}
    cluster = cluster if processes > 1 else {}
    return [
        subprocess.Popen(
            command,
            env=os.environ | cluster | {distributed.PROCESS: str(index)} if cluster else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(processes)
    ]


def _wait(group: list[subprocess.Popen]) -> None:
    outputs = [child.communicate(timeout=300)[1] for child in group]
    for child, error in zip(group, outputs, strict=True):
        assert child.returncode == 0, error


# ------------------------------------------------------------------ arrays


def save(path: Path, tree) -> None:
    """The leaves of a tree, keys as words."""
    np.savez(path, *compare.words(tree))


def load(path: Path, shapes, places=None):
    """What `save` wrote, in the structure of `shapes` and, if given, on the devices that `places` name."""
    leaves, structure = jax.tree.flatten(shapes)
    sharded = [None] * len(leaves) if places is None else jax.tree.leaves(places)
    made = [_leaf(*parts) for parts in zip(_read(path), leaves, sharded, strict=True)]
    return jax.tree.unflatten(structure, made)


def _read(path: Path) -> list[np.ndarray]:
    with np.load(path) as file:
        return [file[name] for name in file.files]


def _leaf(word: np.ndarray, like, place):
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(jnp.asarray(word))
        return key if place is None else jax.make_array_from_callback(like.shape, place, lambda at: key[at])
    if place is None:
        return jnp.asarray(word)
    return jax.make_array_from_callback(like.shape, place, lambda at: word[at])
