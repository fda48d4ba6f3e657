"""How MuZero's model learns: rows from replay, fresh searches of some of them, one step down the gradient.

Schrittwieser et al. 2020 (arXiv 1911.08265), appendices G and H, "Reanalyze": the search that made an old
position's policy target is run again with newer parameters, and the value that goes on behind n steps comes
from them too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from imaginax.data.prioritised import Prioritised
from imaginax.data.self_play import SelfPlayStep
from imaginax.data.unrolls import UnrollConfig, bare, positions, unpacked_legal
from imaginax.learning.config import DecayConfig
from imaginax.learning.learner import Learner, gradient_step, init_learner
from imaginax.models.muzero.objective import Targets, Unroll
from imaginax.numerics.sharding import shard_along
from imaginax.objectives.policy_value import squared_norm
from imaginax.planners.mcts.planner import TreeSearch
from imaginax.types import Metrics, Replay, Symmetries, WorldModel


class MuZeroLearner(NamedTuple):
    """A learner, and the older parameters that search again; () where nothing is searched again."""

    online: Learner
    target: PyTree


class Reanalysis(NamedTuple):
    """Fresh searches of positions in replay.

    Attributes:
        share: share of the rows of a batch that are searched again.
        represent: (params, network inputs [B ...]) -> beliefs.
        value: (params, beliefs) -> values [B].
        search: tree search.
    """

    share: float
    represent: Callable[[PyTree, Array], PyTree]
    value: Callable[[PyTree, PyTree], Array]
    search: TreeSearch


def make_optimiser(config: DecayConfig) -> optax.GradientTransformation:
    """The configured optimiser, whose rate is learning_rate * decay_rate^(updates / decay_updates).

    That is the schedule of the paper's pseudocode. The penalty on weights is part of the loss.
    """
    rate = config.learning_rate
    if config.decay_updates and config.decay_rate < 1:
        rate = optax.exponential_decay(rate, config.decay_updates, config.decay_rate)
    step = optax.adam(rate) if config.kind == "adam" else optax.sgd(rate, momentum=config.momentum or None)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), step) if config.clip_norm else step


def init_muzero(params: PyTree, config: DecayConfig, *, target: bool) -> MuZeroLearner:
    """A learner before its first update, with a target network if there is one."""
    copy = jax.tree.map(jnp.copy, params) if target else ()
    return MuZeroLearner(init_learner(params, make_optimiser(config)), copy)


def make_update(
    model: WorldModel,
    replay: Replay,
    optimiser: DecayConfig,
    config: UnrollConfig,
    *,
    unpack: Callable[[PyTree], Array],
    num_actions: int,
    reanalysis: Reanalysis,
    target_every: int,
    symmetries: Symmetries | None = None,
) -> Callable[[MuZeroLearner, PyTree, Array], tuple[MuZeroLearner, Metrics]]:
    """One step down the gradient of the loss on rows from replay.

    Args:
        model: MuZero's, whose `loss` takes an `Unroll`.
        replay: gives `Prioritised` rows of `SearchedStep`.
        optimiser: how the weights are updated.
        config: what a row is.
        unpack: what replay stores of an observation -> network input.
        num_actions: number of actions.
        reanalysis: what is searched again.
        target_every: updates after which the target network becomes the newest one.
        symmetries: symmetries of a board, one of which is applied to each row; None leaves them as they are.

    Returns:
        (learner, replay state, key) -> (learner, metrics).
    """
    steps = make_optimiser(optimiser)
    search_again = partial(_search_again, reanalysis, config, unpack, num_actions)

    def loss(params: PyTree, data: Unroll, key: Array) -> tuple[Array, Metrics, None]:
        error, metrics, _ = model.loss(params, data, key)
        penalty = optimiser.weight_decay * squared_norm(params)
        return error + penalty, metrics | {"loss": error + penalty, "penalty": penalty}, None

    def update(learner: MuZeroLearner, memory: PyTree, key: Array) -> tuple[MuZeroLearner, Metrics]:
        key_draw, key_search, key_past, key_symmetry, key_loss = jax.random.split(key, 5)
        with jax.named_scope("sample"):
            drawn = jax.tree.map(lambda x: shard_along(x, 0), replay.sample(memory, key_draw))
        fresh = None
        if reanalysis.share:
            drawn, fresh = search_again(learner.target, drawn, key_search)
        data = _unroll(config, drawn, unpack, key_past, num_actions)
        if fresh is not None:
            data = data._replace(targets=_with_policies(data.targets, fresh))
        if symmetries is not None:
            data = random_symmetry(symmetries, data, key_symmetry)
        online, metrics, _ = gradient_step(loss, steps, learner.online, data, key_loss)
        return _renewed(online, learner.target, target_every), metrics

    return update


def random_symmetry(symmetries: Symmetries, data: Unroll, key: Array) -> Unroll:
    """Applies a symmetry of the board to every row, to its actions too; drawn uniformly."""
    maps = jax.random.randint(key, data.importance.shape, 0, symmetries.actions.shape[0])
    actions = symmetries.actions[maps[:, None, None], data.targets.actions]
    return data._replace(
        observation=jax.vmap(symmetries.planes)(data.observation, maps),
        action=symmetries.actions[maps[:, None], data.action],
        targets=data.targets._replace(actions=actions),
    )


def _renewed(online: Learner, target: PyTree, every: int) -> MuZeroLearner:
    newest = online.updates % every == 0
    target = jax.tree.map(
        lambda old, new: jnp.where(newest, new, old), target, online.params if target else ()
    )
    return MuZeroLearner(online, target)


def _unroll(
    config: UnrollConfig,
    drawn: Prioritised,
    unpack: Callable[[PyTree], Array],
    key: Array,
    num_actions: int,
) -> Unroll:
    """What the loss learns from, with the policies that were found when the positions were played."""
    steps, span = drawn.items.step, config.steps + 1
    found = positions(config, bare(drawn.items), key, num_actions=num_actions)
    shares = steps.shares[:, :span].astype(jnp.float32)
    targets = Targets(
        actions=steps.actions[:, :span].astype(jnp.int32),
        shares=shares / jnp.maximum(shares.sum(-1, keepdims=True), 1e-6),
        policy_weight=found.alive.astype(jnp.float32),
        value=found.value,
        value_weight=found.value_weight,
    )
    seen = jax.vmap(unpack)(jax.tree.map(lambda x: x[:, 0], steps.observation))
    return Unroll(seen, found.action, found.reward, found.reward_weight, targets, drawn.weights)


@jax.named_scope("reanalyse")
def _search_again(
    reanalysis: Reanalysis,
    config: UnrollConfig,
    unpack: Callable[[PyTree], Array],
    num_actions: int,
    params: PyTree,
    drawn: Prioritised,
    key: Array,
) -> tuple[Prioritised, Float[Array, "R P A"]]:
    """The rows with newer values to bootstrap from, and fresh policies of the first R rows."""
    steps: SelfPlayStep = drawn.items.step
    rows, span = max(1, round(reanalysis.share * len(steps.reward))), config.steps + 1

    def beliefs(start: int) -> PyTree:
        stored = jax.tree.map(lambda x: x[:rows, start : start + span], steps.observation)
        flat = jax.tree.map(lambda x: x.reshape(rows * span, *x.shape[2:]), stored)
        return reanalysis.represent(params, jax.vmap(unpack)(flat))

    legal = drawn.items.legal
    if legal is not None:
        legal = unpacked_legal(legal[:rows, :span], num_actions).reshape(rows * span, -1)
    found, _ = reanalysis.search.run(params, beliefs(0), (), key, legal, explore=False)
    if config.bootstrap is not None:
        value = reanalysis.value(params, beliefs(config.bootstrap)).reshape(rows, span)
        renewed = steps.value.at[:rows, config.bootstrap : config.bootstrap + span].set(value)
        drawn = drawn._replace(items=drawn.items._replace(step=steps._replace(value=renewed)))
    return drawn, found.policy.reshape(rows, span, -1)


def _with_policies(targets: Targets, fresh: Float[Array, "R P A"]) -> Targets:
    """The targets, with fresh policies in the first rows."""
    shares, actions = jax.lax.top_k(fresh, targets.actions.shape[-1])
    rows = len(fresh)
    return targets._replace(
        actions=targets.actions.at[:rows].set(actions), shares=targets.shares.at[:rows].set(shares)
    )
