"""What `Game.compact` saves: bytes of a state, and time of a search that keeps compact states.

    python benchmarks/tree_memory.py [game ...]

Prints a line for every game, and for Go 9x9 and chess (or the games named) the speed of a search of mctx
without a network: batch 64, 32 simulations, uniform priors, value 0; states are kept as pgx has them or
compact, in turns. Run it where nothing else runs.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mctx

from imaginax import envs
from imaginax.envs.games import names
from imaginax.types import Environment

BATCH, SIMULATIONS, REPEATS, SEARCHES = 64, 32, 5, 3
SEARCHED = ("go_9x9", "chess")


def size(tree: Any) -> int:
    """Bytes of all arrays."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def report_bytes(name: str) -> None:
    """State and planes, as they are and compact."""
    env = envs.make(name)
    state, _ = jax.eval_shape(env.init, jax.random.key(0))
    planes = jax.eval_shape(env.game.planes, state)
    compact, packed = jax.eval_shape(env.game.compact, state), jax.eval_shape(env.game.pack, planes)
    print(f"{name:<16}{size(state):>8}{size(compact):>8}{size(planes):>10}{size(packed):>8}", flush=True)


def search(env: Environment, *, compact: bool) -> Callable[[Any, Any], Any]:
    """A compiled search from the states [B] of games; returns its actions [B]."""
    shrink = jax.vmap(env.game.compact) if compact else lambda states: states
    grow = jax.vmap(env.game.expand) if compact else lambda states: states

    def predict(params: Any, key: Any, action: Any, kept: Any) -> tuple[mctx.RecurrentFnOutput, Any]:
        del params
        states, timestep = jax.vmap(env.step, (0, 0, None))(grow(kept), action, key)
        logits = jnp.where(timestep.legal, 0.0, jnp.finfo(jnp.float32).min)
        zero = jnp.zeros_like(timestep.reward)
        output = mctx.RecurrentFnOutput(
            reward=timestep.reward, discount=-timestep.discount, prior_logits=logits, value=zero
        )
        return output, shrink(states)

    def run(states: Any, key: Any) -> Any:
        legal = states.legal_action_mask
        prior = jnp.where(legal, 0.0, jnp.finfo(jnp.float32).min)
        root = mctx.RootFnOutput(prior_logits=prior, value=jnp.zeros(BATCH), embedding=shrink(states))
        return mctx.muzero_policy(
            (), key, root, predict, SIMULATIONS, invalid_actions=~legal, dirichlet_fraction=0.0
        ).action

    return jax.jit(run)


def report_speed(name: str) -> None:
    """Simulations per second with whole and with compact states, and the median of their ratio."""
    env = envs.make(name)
    states, _ = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.key(0), BATCH))
    searches = [search(env, compact=compact) for compact in (False, True)]
    for run in searches:
        jax.block_until_ready(run(states, jax.random.key(0)))
    rates = [[_rate(run, states) for run in searches] for _ in range(REPEATS)]
    whole, compact = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(b / a for a, b in rates)
    print(f"{name}: {whole:,.0f} simulations/s whole, {compact:,.0f} compact, {ratio:.2f} times", flush=True)


def _rate(run: Callable[[Any, Any], Any], states: Any) -> float:
    start = time.perf_counter()
    for _ in range(SEARCHES):
        jax.block_until_ready(run(states, jax.random.key(1)))
    return SEARCHES * BATCH * SIMULATIONS / (time.perf_counter() - start)


def main() -> None:
    """Both tables."""
    chosen = sys.argv[1:]
    print(f"{'bytes of':<16}{'state':>8}{'compact':>8}{'planes':>10}{'packed':>8}")
    for name in chosen or names.NAMES:
        report_bytes(name)
    for name in chosen or SEARCHED:
        report_speed(name)


if __name__ == "__main__":
    main()
