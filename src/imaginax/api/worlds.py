"""World models of trained runs, and what they expect of a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from imaginax.runtime.playback import Trained
from imaginax.types import Belief, ConfigError, Params, System, WorldModel


class Imagined(NamedTuple):
    """What a plan of H actions leads to, as the world model has it; with a batch [B H ...].

    Attributes:
        reward: [H] expected reward of each step.
        goes_on: [H] probability that the episode goes on after it.
        observation: [H ...] what is expected to be seen after it; None where the model predicts none.
    """

    reward: Any
    goes_on: Any
    observation: Any


class World(NamedTuple):
    """A world model and how it is reached from what an agent carries.

    Attributes:
        model: the model.
        params: (what the system acts with, its memory [B ...]) -> parameters of the model.
        belief: (those parameters, memory, newest observation [B ...], key) -> belief [B ...].
        see: (parameters, belief) -> observations [B ...], or None.
    """

    model: WorldModel
    params: Callable[[Params, PyTree], Params]
    belief: Callable[[Params, PyTree, PyTree, Array], Belief]
    see: Callable[[Params, Belief], Any]


def roll_out(
    world: World, params: Params, memory: PyTree, observation: PyTree, plan: Array, key: Key[Array, ""]
) -> Imagined:
    """Follows plans [B H ...] in the world model.

    Args:
        world: the world model.
        params: what the system acts with.
        memory: of its `act`, [B ...].
        observation: the newest, [B ...].
        plan: actions [B H ...].
        key: consumed.
    """
    params = world.params(params, memory)
    key_belief, key_steps = jax.random.split(key)
    belief = world.belief(params, memory, observation, key_belief)

    def step(belief: Belief, given: tuple[Array, Array]):
        action, key = given
        belief, prediction = world.model.predict(params, belief, action, key)
        return belief, Imagined(prediction.reward, prediction.discount, world.see(params, belief))

    keys = jax.random.split(key_steps, plan.shape[1])
    _, found = jax.lax.scan(step, belief, (jnp.swapaxes(plan, 0, 1), keys))
    return jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), found)


def world_of(trained: Trained, lane: int) -> World:
    """The world model of a run.

    Raises:
        ConfigError: if its system has none here.
    """
    name = trained.record["system"]
    if name not in _WORLDS:
        raise ConfigError(
            f"system {name} has no learned world model to imagine with: {', '.join(_WORLDS)} do"
        )
    return _WORLDS[name](trained, lane)


def _of_pets(trained: Trained, lane: int) -> World:
    from imaginax.learning.dynamics import make_dynamics

    system, config = trained.system, trained.system.config
    model = make_dynamics(system.environment, config.model, config.fit).model
    return World(
        model,
        lambda params, memory: params,
        lambda params, memory, observation, key: model.encode(params, observation, key),
        lambda params, belief: belief.states.mean(axis=1),
    )


def _of_gp_mpc(trained: Trained, lane: int) -> World:
    """Every environment has a posterior of its own; the first one's, which saw its episode, is used."""
    from imaginax.models.gp import gaussian_dynamics as gp

    config = trained.system.config
    zero_variance = config.planner.variant == "zero_variance"
    return _gaussian(
        trained,
        lambda params, memory: gp.dynamics(jax.tree.map(lambda leaf: leaf[0], memory.posterior)),
        certain=zero_variance,
    )


def _of_pilco(trained: Trained, lane: int) -> World:
    """The policy is all that acting takes; the dynamics are with what learned."""
    from imaginax.models.gp import gaussian_dynamics as gp

    posterior = jax.tree.map(lambda leaf: leaf[lane], trained.restored.state.learner.dynamics.posterior)
    return _gaussian(trained, lambda params, memory: gp.dynamics(posterior), certain=False)


def _gaussian(trained: Trained, params: Callable[[Params, PyTree], Any], *, certain: bool) -> World:
    from imaginax.models.gp import gaussian_dynamics as gp

    def never(key: Array) -> Any:
        raise NotImplementedError  # trained dynamics are never begun anew

    model = gp.world_model(trained.system.environment, never, certain_beliefs=certain)
    return World(
        model,
        params,
        lambda params, memory, observation, key: model.encode(params, observation, key),
        lambda params, belief: belief.mean,
    )


def _latent(part: Callable[[Params], Params]) -> Callable[[Trained, int], World]:
    """A latent model, whose belief acting has filtered; `part` of what acting takes is the model's."""

    def make(trained: Trained, lane: int) -> World:
        from imaginax.models.latent.model import latent_model

        system, config = trained.system, trained.system.config
        model = latent_model(system.environment.spec, config.model, config.objective)
        return World(
            model,
            lambda params, memory: part(params),
            lambda params, memory, observation, key: memory.belief,
            lambda params, belief: _seen(system, model.decode(params, belief)),
        )

    return make


def _of_muzero(trained: Trained, lane: int) -> World:
    """Its beliefs do not hold what is seen."""
    from imaginax.models.muzero.model import make_networks, muzero_model

    env = trained.system.environment
    model = muzero_model(env, make_networks(env, trained.system.config.model))
    return World(
        model,
        lambda params, memory: params.network,
        lambda params, memory, observation, key: model.encode(params, observation, key),
        lambda params, belief: None,
    )


def _seen(system: System, decoded: Array) -> Array:
    """What a decoder gave, in the units of observations; of truth values their probabilities."""
    from imaginax.data.pixels import pixels

    kind = system.environment.spec.observation.dtype
    if kind == jnp.uint8 and decoded.ndim == 4:
        return pixels(decoded)
    return jax.nn.sigmoid(decoded) if kind == jnp.bool_ else decoded


_WORLDS: dict[str, Callable[[Trained, int], World]] = {
    "pets": _of_pets,
    "gp_mpc": _of_gp_mpc,
    "pilco": _of_pilco,
    "planet": _latent(lambda params: params),
    "dreamer": _latent(lambda params: params.model),
    "dreamerv2": _latent(lambda params: params.model),
    "muzero": _of_muzero,
}
