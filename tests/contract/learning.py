"""Promises about numbers: a run that breaks stops by name, a run that does not break learns (6 and 9)."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from imaginax.envs import diagnostics
from imaginax.runtime import checkpoint, report
from imaginax.runtime.loop import first_state
from imaginax.runtime.run import NonFinite, Saving, train
from imaginax.runtime.run_directory import read_json
from imaginax.types import Stage, System

OPTIMA = {
    "diagnostic_lqr": diagnostics.lqr_optimal_return,
    "diagnostic_bandit": diagnostics.bandit_optimal_return,
}


class Counted(NamedTuple):
    """A learner, or what `act` remembers, and the number of its calls."""

    inner: Any
    calls: jax.Array


def learns(entry, summary: dict[str, Any], system: System) -> dict[str, float]:
    """The evaluation after the `tiny` run reaches `entry.reaches`, which learning has to bring about."""
    score = summary["eval_return"]
    assert score >= entry.reaches, f"reached {score:.3f}, not {entry.reaches}"
    figures = {"score": score, "reaches": entry.reaches}
    if any(stage.updates for stage in system.schedule):
        keys = jax.random.split(jax.random.key(0), 1)
        untrained = float(report.evaluate(system, jax.jit(first_state(system))(keys), keys).returns.mean())
        assert untrained < entry.reaches, f"{entry.reaches} is reached without learning: {untrained:.3f}"
        figures["untrained"] = untrained
    return figures


def optimum(name: str) -> float:
    """The mean optimal return of a diagnostic environment over its starts."""
    from imaginax import envs

    if name in ("tic_tac_toe", "missing_frames"):
        return 0.0  # against perfect play; of a perfect reconstruction
    if name == "diagnostic_chain":
        return float(
            diagnostics.chain_optimal_return(jnp.eye(diagnostics.CHAIN_LENGTH)[diagnostics.CHAIN_START])
        )
    env = envs.make(name)
    keys = jax.random.split(jax.random.key(0), 4096)
    return float(OPTIMA[name](jax.vmap(env.init)(keys)[1].observation).mean())


def stops_at_non_finite(system: System, logdir: Path) -> dict[str, int]:
    """A metric that turns NaN stops the run by name, and the last good state stays on disk."""
    broken, metric, chunk = poisoned(system)
    try:
        train(broken, logdir=logdir, stream=io.StringIO(), saving=Saving(every_s=0.0))
    except NonFinite as error:
        assert str(error).startswith(f"{metric} is not finite"), error
    else:
        raise AssertionError(f"a run whose {metric} is NaN came to its end")
    newest = checkpoint.steps(logdir / "checkpoints")[0]
    checkpoint.verify(logdir / "checkpoints" / str(newest))
    assert newest == chunk - 1, f"chunk {chunk} was the first bad one, the newest checkpoint is of {newest}"
    assert read_json(logdir / "summary.json")["status"].startswith(metric)
    return {"stopped at chunk": chunk}


def poisoned(system: System) -> tuple[System, str, int]:
    """The system with NaN in its second learning chunk: (system, metric, number of that chunk in the run).

    A system that learns nothing gets an action that is NaN after one chunk instead.
    """
    learning = next((stage for stage in system.schedule if stage.updates), None)
    if learning is None:
        return _poisoned_act(system), "episode_return", 2
    before = sum(stage.chunks for stage in system.schedule[: system.schedule.index(learning)])
    state = jax.eval_shape(system.init, jax.random.key(0))
    learn = learning.learn or system.learn
    metric = sorted(jax.eval_shape(learn, state.learner, state.replay, state.key)[1])[0]
    return _poisoned_learn(system, metric, learning.updates), metric, before + learning.update_every + 1


def _poisoned_learn(system: System, metric: str, good: int) -> System:
    """A learner that counts its updates; `metric` is NaN after `good` of them."""

    def init(key):
        state = system.init(key)
        return state._replace(learner=Counted(state.learner, jnp.zeros((), jnp.int32)))

    schedule = tuple(_poisoned_stage(system, stage, metric, good) for stage in system.schedule)

    def evaluate(state, key):
        return system.evaluate(state._replace(learner=state.learner.inner), key)

    return dataclasses.replace(
        system,
        init=init,
        params_of=lambda learner: system.params_of(learner.inner),
        evaluate=evaluate,
        schedule=schedule,
    )


def _poisoned_stage(system: System, stage: Stage, metric: str, good: int) -> Stage:
    def learn(learner, replay, key):
        inner, metrics = (stage.learn or system.learn)(learner.inner, replay, key)
        if metric in metrics:
            metrics = metrics | {metric: jnp.where(learner.calls < good, metrics[metric], jnp.nan)}
        return Counted(inner, learner.calls + 1), metrics

    return dataclasses.replace(stage, learn=learn)


def _poisoned_act(system: System) -> System:
    """Actions that are NaN after one chunk."""
    good = system.schedule[0].env_steps

    def init(key):
        state = system.init(key)
        return state._replace(carry=Counted(state.carry, jnp.zeros((), jnp.int32)))

    def act(params, carry, timestep, key):
        inner, action, extras = system.act(params, carry.inner, timestep, key)
        action = jnp.where(carry.calls < good, action, jnp.nan)
        return Counted(inner, carry.calls + 1), action, extras

    return dataclasses.replace(system, init=init, act=act)
