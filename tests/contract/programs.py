"""Promises about programs: they talk to nobody, trace once, export, and their lanes agree (1, 3 and 5)."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.runtime import driver, export
from imaginax.runtime.loop import first_state, make_chunk
from imaginax.types import System
from tests.contract import compare

HOST = ("callback", "infeed", "outfeed", "debug_print")
LANES = 2
REPEATS = 3  # the second chunk gets what the first made, the third what the second made
LANES_LIMIT, LANES_UPDATES = 1e-4, 2  # after ten, rounding alone has grown to 1e-4 in a recurrent model


Programs = dict[str, export.Program]


def never_calls_the_host(programs: Programs) -> dict[str, int]:
    """No program of a system has an operation that talks to the host; figures: operations looked at."""
    looked_at = {}
    for name, (function, arguments) in programs.items():
        flat, shapes = export._flat_program(function, arguments)  # traced once for all promises
        program = flat.trace(*shapes).jaxpr
        operations = list(_operations(program.jaxpr))
        found = sorted({name for name in operations if any(word in name for word in HOST)})
        assert not found, f"{name} calls the host: {', '.join(found)}"
        assert not program.effects, f"{name} has effects: {program.effects}"
        looked_at[name] = len(operations)
    return looked_at


def _operations(jaxpr) -> Iterator[str]:
    """Names of all primitives, those within loops, branches and called functions included."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from _operations(inner)


def traces_once(system: System, start=None) -> dict[str, int]:
    """Each stage's chunk is traced once, however often it runs, and moves nothing between host and device.

    Args:
        system: the system.
        start: keys [S] -> first state; default: what `runtime.run` uses.
    """
    state = (start or jax.jit(first_state(system)))(jax.random.split(jax.random.key(0), 1))
    traces = {}
    for stage in system.schedule:
        chunk = jax.jit(
            _counted(driver.alone(make_chunk(system, stage)), stage.name, traces), donate_argnums=0
        )
        for index in jax.device_put(list(jnp.arange(min(stage.chunks, REPEATS)))):
            with jax.transfer_guard("disallow"):
                state, _ = chunk(state, index)
    assert set(traces.values()) == {1}, f"traced more than once: {traces}"
    return traces


def _counted(lane, name: str, traces: dict[str, int]):
    @functools.wraps(lane)  # under the name that a run compiles it by, so that it is compiled once for both
    def counted(state, index):
        traces[name] = traces.get(name, 0) + 1
        return lane(state, index)

    return counted


def exports(system: System, programs: Programs) -> dict[str, int]:
    """Every program lowers for tpu, cuda and cpu; what is reloaded on this CPU computes the same bits."""
    state = jax.tree.map(lambda x: x[0], jax.jit(first_state(system))(jax.random.split(jax.random.key(3), 1)))
    sizes = {platform: 0 for platform in export.PLATFORMS}
    for name, (function, shapes) in programs.items():
        for platform in export.PLATFORMS:
            made = export.export(name, function, shapes, platform)
            sizes[platform] += len(made.data)
            if platform == "cpu":
                params = system.params_of(state.learner)
                acting = (params, state.carry, state.timestep, state.key)
                arguments = acting if name == "act" else (state, 0)
                _check_reloaded(name, function, _like(arguments, shapes), made.data)
    assert all(sizes.values()), sizes
    return sizes


def _like(values, shapes):
    return jax.tree.map(lambda value, shape: jnp.asarray(value, shape.dtype), values, shapes)


def _check_reloaded(name, function, arguments, data: bytes) -> None:
    words = _words(arguments)
    wanted = export._flat_program(function, arguments)[0](*words)
    got = export.load(data)(*words)
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b), equal_nan=a.dtype.kind == "f"), f"{name} differs"


def lanes_agree(system: System, states) -> float:
    """Updates of several seeds at once are those of each alone, on the same data; the largest difference.

    Args:
        system: the system.
        states: lanes [S, ...] whose replay holds experience.
    """
    stage = next((stage for stage in reversed(system.schedule) if stage.updates), None)
    if stage is None:
        return 0.0
    learn = stage.learn or system.learn

    def updates(state):
        keys = jax.random.split(jax.random.key(5), min(stage.updates, LANES_UPDATES))
        return jax.lax.scan(
            lambda learner, key: (learn(learner, state.replay, key)[0], None), state.learner, keys
        )[0]

    together, alone = jax.jit(jax.vmap(updates))(states), jax.jit(updates)
    differences = [
        compare.difference(alone(_lane(states, lane)), compare.words(_lane(together, lane)))
        for lane in range(LANES)
    ]
    assert max(differences) <= LANES_LIMIT, f"lanes differ from single runs by {max(differences):.1e}"
    return max(differences)


def _lane(tree, lane: int):
    return jax.tree.map(lambda x: x[lane], tree)


def _words(tree) -> list[jax.Array]:
    return [export._words(leaf) for leaf in jax.tree.leaves(tree)]
