"""Checks of an environment that is a JAX program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from imaginax.envs import wrappers
from imaginax.envs.checks.findings import Finding, Record, describe, episode_findings, random_actions
from imaginax.envs.loading import failure
from imaginax.types import Environment, TimeStep

_FLAGS = ("first", "last", "truncated")
_LONGEST = 1000  # steps of random play


def check(env: Environment, *, episodes: int, seed: int) -> list[Finding]:
    """Findings from what can be seen without running, then from random episodes; stops where it must."""
    found = [Finding("specification", "ok", describe(env.spec))]
    action = jnp.asarray(random_actions(env.spec, (), seed))
    for name, look in (("jit", _traced), ("shapes", _shapes), ("dtypes", _dtypes), ("determinism", _pure)):
        found.append(_guarded(name, look, env, action))
        if name == "jit" and found[-1].verdict == "fault":
            return found
    found.append(_guarded("render", _drawn, env, action))
    if any(finding.verdict == "fault" and finding.name in ("shapes", "dtypes") for finding in found):
        return found  # what resets itself would not be a program
    found.append(_guarded("auto-reset", _resets, env, action))
    found.append(_guarded("vmap", _mapped, env, action))
    try:
        record = _play(env, episodes, seed)
    except Exception as error:  # the user's code
        return [*found, Finding("random play", "fault", failure("failed", error))]
    return [*found, *episode_findings(env, record)]


def _guarded(name: str, look: Callable[[Environment, Array], Finding], env: Environment, action: Array):
    try:
        return look(env, action)
    except Exception as error:  # the user's code: anything may go wrong in it
        return Finding(name, "fault", failure("failed", error))


def _first(env: Environment) -> tuple[Any, TimeStep]:
    return jax.eval_shape(env.init, jax.random.key(0))


def _next(env: Environment, action: Array) -> tuple[Any, TimeStep]:
    return jax.eval_shape(env.step, _first(env)[0], action, jax.random.key(0))


def _traced(env: Environment, action: Array) -> Finding:
    _next(env, action)
    return Finding("jit", "ok", "init and step can be traced")


def _shapes(env: Environment, action: Array) -> Finding:
    for name, (_, timestep) in (("init", _first(env)), ("step", _next(env, action))):
        wanted: dict[str, tuple[Any, ...]] = {field: () for field in ("reward", "discount", *_FLAGS)}
        wanted["observation"] = env.spec.observation.shape
        if timestep.legal is not None:
            wanted["legal"] = (getattr(env.spec.action, "size", None),)
        for field, shape in wanted.items():
            seen = np.shape(getattr(timestep, field))
            if seen != shape:
                return Finding("shapes", "fault", f"{field} of {name} has shape {seen}, should be {shape}")
    before, after = jax.tree.structure(_first(env)[0]), jax.tree.structure(_next(env, action)[0])
    if before != after:
        return Finding("shapes", "fault", f"the state of step is {after}, that of init {before}")
    return Finding("shapes", "ok", "as the specification says, states alike")


def _dtypes(env: Environment, action: Array) -> Finding:
    for name, (_, timestep) in (("init", _first(env)), ("step", _next(env, action))):
        wanted = {"observation": np.dtype(env.spec.observation.dtype)} | dict.fromkeys(_FLAGS, np.dtype(bool))
        for field, dtype in wanted.items():
            seen = _dtype(getattr(timestep, field))
            if seen != dtype:
                return Finding("dtypes", "fault", f"{field} of {name} is {seen}, should be {dtype}")
        for field in ("reward", "discount"):
            if not jnp.issubdtype(seen := _dtype(getattr(timestep, field)), jnp.floating):
                return Finding("dtypes", "fault", f"{field} of {name} is {seen}, should be a float")
    pairs = zip(
        jax.tree.leaves_with_path(_first(env)[0]), jax.tree.leaves(_next(env, action)[0]), strict=True
    )
    for (path, old), new in pairs:
        if (np.shape(old), _dtype(old)) != (np.shape(new), _dtype(new)):
            place = jax.tree_util.keystr(path) or "the state"
            told = (
                f"{place} is {_dtype(old)}{np.shape(old)} after init, {_dtype(new)}{np.shape(new)} after step"
            )
            return Finding("dtypes", "fault", told)
    return Finding("dtypes", "ok", "the same in init and step")


def _dtype(leaf: Any) -> Any:
    return getattr(leaf, "dtype", None) or np.asarray(leaf).dtype


def _pure(env: Environment, action: Array) -> Finding:
    """Two traces must be one program: what differs came from outside, such as numpy's random numbers."""
    state = _first(env)[0]
    calls = {"init": (env.init, (jax.random.key(0),)), "step": (env.step, (state, action, jax.random.key(0)))}
    for name, (function, inputs) in calls.items():
        programs = [jax.make_jaxpr(lambda *given, of=function: of(*given))(*inputs) for _ in range(2)]
        if any(program.effects for program in programs):
            return Finding(
                "determinism", "fault", f"{name} calls the host: no callbacks in compiled programs"
            )
        constants = [[np.asarray(value) for value in _plain(program.consts)] for program in programs]
        same = all(
            np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(*constants, strict=False)
        )
        if str(programs[0]) != str(programs[1]) or not same:
            told = f"{name} depends on more than its arguments; draw random numbers from its key"
            return Finding("determinism", "fault", told)
    return Finding("determinism", "ok", "functions of their arguments alone")


def _plain(constants: Any) -> list[Any]:
    return [value for value in constants if not jnp.issubdtype(_dtype(value), jax.dtypes.prng_key)]


def _drawn(env: Environment, action: Array) -> Finding:
    if env.render is None:
        return Finding("render", "note", "none: no GIF, and no training from pixels")
    image = jax.eval_shape(env.render, _first(env)[0])
    if len(image.shape) != 3 or image.shape[-1] != 3 or image.dtype != jnp.uint8:
        return Finding("render", "fault", f"gives {image.dtype}{image.shape}, should be uint8 (H, W, 3)")
    frame = np.asarray(jax.jit(env.render)(jax.jit(env.init)(jax.random.key(0))[0]))
    plain = np.ptp(frame.reshape(-1, 3), axis=0).max() == 0
    told = f"{image.shape[0]} x {image.shape[1]} pixels"
    return Finding("render", "note" if plain else "ok", f"{told}, all of one colour" if plain else told)


def _resets(env: Environment, action: Array) -> Finding:
    """`init` begins an episode, and `step` never does: starting the next one is the wrappers' part."""
    state, timestep = jax.jit(env.init)(jax.random.key(0))
    if not timestep.first or timestep.last or timestep.truncated:
        return Finding("auto-reset", "fault", "init must give first True, last and truncated False")
    step = jax.jit(env.step)
    for number in range(min(env.spec.max_steps, 5)):
        state, timestep = step(state, action, jax.random.key(number))
        if timestep.first:
            told = "step gives first True: it resets itself, which wrappers.auto_reset does"
            return Finding("auto-reset", "fault", told)
        if timestep.last:
            break
    return Finding("auto-reset", "ok", "left to the wrappers")


def _mapped(env: Environment, action: Array) -> Finding:
    """Three environments at once do what each does alone."""
    keys, actions = jax.random.split(jax.random.key(1), 3), jnp.stack([action] * 3)

    def two(key: Array, action: Array) -> tuple[Any, TimeStep]:
        return env.step(env.init(key)[0], action, key)

    together = jax.jit(jax.vmap(two))(keys, actions)[1]
    alone = [jax.jit(two)(key, action)[1] for key in keys]
    for field in ("observation", "reward", "discount", "last"):
        one = np.stack([np.asarray(getattr(timestep, field), np.float64) for timestep in alone])
        gap = np.abs(np.asarray(getattr(together, field), np.float64) - one).max()
        if gap > 1e-3 * (1 + np.nanmax(np.abs(one))):
            return Finding("vmap", "fault", f"{field} of three at once differs by {gap:.3g} from each alone")
    return Finding("vmap", "ok", "three at once as each alone")


def _play(env: Environment, episodes: int, seed: int) -> Record:
    """Random episodes in one compiled scan; legal actions where not all are."""
    limited = env if env.game else wrappers.time_limit(env)  # as `envs.make` gives it
    vector = wrappers.vectorise(wrappers.auto_reset(limited), episodes)
    steps = min(env.spec.max_steps, _LONGEST) + 1
    actions = jnp.asarray(random_actions(env.spec, (steps, episodes), seed))

    def step(carry: tuple[Any, TimeStep, Array], action: Array):
        state, timestep, key = carry
        key, key_act, key_step = jax.random.split(key, 3)
        if timestep.legal is not None:
            action = jax.random.categorical(key_act, jnp.where(timestep.legal, 0.0, -jnp.inf))
        state, following = vector.step(state, action, key_step)
        return (state, following, key), (timestep.observation, action, following)

    @jax.jit
    def play(key: Array, actions: Array) -> Any:
        key, key_init = jax.random.split(key)
        return jax.lax.scan(step, (*vector.init(key_init), key), actions)[1]

    before, acted, after = jax.device_get(play(jax.random.key(seed), actions))
    return Record(
        before, acted, after.final_observation, after.reward, after.discount, after.last, after.truncated
    )
