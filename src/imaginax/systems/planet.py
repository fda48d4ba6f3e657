"""PlaNet (Hafner et al. 2019, arXiv 1811.04551): learning latent dynamics for planning from pixels.

Algorithm 1 of the paper:

    collect S episodes with random actions
    repeat:
        for each of C updates:
            draw sequences, descend the bound of the latent model       -> models.latent.objective, rssm
        for each step of an episode:
            update the belief by what is seen                           -> models.latent.model
            plan in latent space, add exploration noise                 -> planners.shooting.planet_cem
            act, repeating the action, and remember                     -> runtime.loop
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from imaginax import envs
from imaginax.acting import mpc
from imaginax.data.replay import ring_replay
from imaginax.data.sequences import sample_sequences
from imaginax.envs.control import PLANET_ACTION_REPEAT
from imaginax.envs.pixels import pixels
from imaginax.envs.wrappers import episode_statistics, reset_in_turn, unit_actions, vectorise
from imaginax.models.latent.model import LatentModelConfig, latent_model
from imaginax.models.latent.objective import ObjectiveConfig
from imaginax.models.latent.rssm import Belief, RSSMConfig, restart
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.shooting.planner import ShootingConfig, make_planner
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems import SystemEntry
from imaginax.types import (
    Box,
    ConfigError,
    Environment,
    Planner,
    Stage,
    System,
    SystemState,
    TimeStep,
    Trajectory,
    WorldModel,
)


@dataclasses.dataclass(frozen=True)
class PlaNetConfig:
    """PlaNet on one environment.

    Attributes:
        env: name of the environment (`imaginax list`).
        action_repeat: steps of the environment for which every action is held.
        episode_steps: steps of the environment after which an episode is truncated; 0 takes its own limit.
        image: height and width of what is seen; 0 takes the environment's own observation.
        environments: episodes that are collected side by side.
        seed_episodes: with random actions, before the first update; a multiple of `environments`.
        episodes: after those, a multiple of `environments`.
        updates: of the model before each of them, or before each batch of them that goes on side by side.
        batch_size: sequences an update learns from.
        sequence: steps of each.
        memory: steps of each environment that replay has room for; 0 keeps all.
        exploration: standard deviation of the noise on actions in half the action range.
        learning_rate: of Adam.
        lr_decay: share of all updates, the last ones, in which the learning rate falls to 0; not the paper's.
        adam_epsilon: of Adam.
        clip_norm: largest norm of a gradient.
        eval_episodes: episodes of the final evaluation.
        model: the latent dynamics and what surrounds them.
        objective: what they learn from.
        planner: the controller.
    """

    lengths: ClassVar[tuple[str, ...]] = ("episodes",)

    env: str = "control_cartpole_swingup"
    action_repeat: int = 8
    episode_steps: int = 0
    image: int = 64
    environments: int = 1
    seed_episodes: int = 5
    episodes: int = 1000
    updates: int = 100
    batch_size: int = 50
    sequence: int = 50
    memory: int = 0
    exploration: float = 0.3
    learning_rate: float = 1e-3
    lr_decay: float = 0.0
    adam_epsilon: float = 1e-4
    clip_norm: float = 1000.0
    eval_episodes: int = 1
    model: LatentModelConfig = LatentModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    planner: ShootingConfig = ShootingConfig("planet_cem", 12, population=1000, iterations=10, elites=100)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("image", "memory", "episode_steps") else 1
            if type(value) is int and not least <= value < 2**31:
                raise ConfigError(f"{field.name} must be at least {least} and below 2^31, got {value}")
        for name in ("seed_episodes", "episodes"):
            if getattr(self, name) % self.environments:
                raise ConfigError(
                    f"{name} ({getattr(self, name)}) must be a multiple of environments ({self.environments})"
                )
        if not 0.0 <= self.lr_decay <= 1.0:
            raise ConfigError(f"lr_decay must lie in [0, 1], got {self.lr_decay}")
        for name in ("exploration", "learning_rate", "adam_epsilon", "clip_norm"):
            if not 0.0 <= getattr(self, name) <= 1e6:
                raise ConfigError(f"{name} must lie in [0, 1e6], got {getattr(self, name)}")


class Learner(NamedTuple):
    """What learning carries: the model's parameters, their optimiser's state, and updates made."""

    params: PyTree
    optimiser: PyTree
    updates: Int[Array, ""]


class Carry(NamedTuple):
    """What acting remembers: the belief, the action that was taken from it, and the planner's state."""

    belief: Belief
    action: Float[Array, "N A"]
    plan: PyTree


def make(config: PlaNetConfig) -> System:
    """The system of a configuration.

    Raises:
        ConfigError: if the environment, the model and the planner do not fit together.
    """
    env = envs.make(config.env, max_steps=config.episode_steps or None, action_repeat=config.action_repeat)
    env = reset_in_turn(unit_actions(env))
    env = pixels(env, config.image) if config.image else env
    model = latent_model(env.spec, config.model, config.objective)
    planner = make_planner(env.spec, model, config.planner)
    check_compatible(env, model, planner)
    steps, rounds = env.spec.max_steps + 1, config.episodes // config.environments
    seeds = config.seed_episodes // config.environments
    replay = ring_replay(_example(env), config.memory or (seeds + rounds) * steps, config.environments)
    _check_sequences(config, seeds * steps)
    optimiser = make_optimiser(config)
    vector = _vector(env, config.environments)
    start = partial(start_carry, env, model, planner)

    def init(key) -> SystemState:
        key, key_model, key_env = jax.random.split(key, 3)
        params, zero = model.init(key_model), jnp.zeros((), jnp.int32)
        state, timestep = vector.init(key_env)
        learner = Learner(params, optimiser.init(params), zero)
        carry = start(params, config.environments)
        return SystemState(learner, replay.init(), state, timestep, carry, key, zero)

    learn = make_learn(config, model, optimiser)
    act = partial(make_act, env, model, planner)

    def evaluate(state: SystemState, key):
        begin = partial(start, state.learner.params)
        return run_episodes(
            env, act(0.0), begin, state.learner, key, episodes=config.eval_episodes, vector=_vector
        )

    return System(
        name="planet",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        act=act(config.exploration),
        learn=lambda learner, memory, key: learn(learner, replay.data(memory), key),
        record=_record,
        evaluate=evaluate,
        exploit=act(0.0),
        schedule=(
            Stage("random", seeds, steps, act=_explore(env)),
            Stage("planning", rounds, steps, updates=config.updates),
        ),
    )


def make_optimiser(config: PlaNetConfig) -> optax.GradientTransformation:
    """Adam on gradients of bounded norm."""
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm), optax.adam(config.learning_rate, eps=config.adam_epsilon)
    )


def make_learn(
    config: PlaNetConfig, model: WorldModel, optimiser: optax.GradientTransformation
) -> Callable[..., tuple[Learner, dict[str, Array]]]:
    """(learner, what replay holds, key) -> (learner, metrics): one update."""
    descend = make_descent(model, optimiser, lr_decay(config))

    def learn(learner: Learner, ring, key):
        key_data, key_loss = jax.random.split(key)
        data = sample_sequences(ring, key_data, batch=config.batch_size, length=config.sequence)
        return descend(learner, data, key_loss)

    return learn


def lr_decay(config: PlaNetConfig) -> optax.Schedule | None:
    """Updates made -> share of the learning rate; None where it stays the same."""
    total = config.episodes // config.environments * config.updates
    length = round(config.lr_decay * total)
    if not length:
        return None
    return optax.linear_schedule(1.0, 0.0, length, total - length)


def make_descent(
    model: WorldModel,
    optimiser: optax.GradientTransformation,
    share: optax.Schedule | None = None,
) -> Callable[..., tuple[Learner, dict[str, Array]]]:
    """(learner, sequences, key) -> (learner, metrics): one step down the gradient.

    Args:
        model: what learns.
        optimiser: as `make_optimiser` makes it.
        share: updates made -> share of its step that is taken; all of it by default.
    """

    def descend(learner: Learner, data: Trajectory, key):
        gradient, metrics = jax.grad(model.loss, has_aux=True)(learner.params, data, key)
        metrics = metrics | {"gradient_norm": optax.tree.norm(gradient)}
        change, state = optimiser.update(gradient, learner.optimiser, learner.params)
        if share:
            change = optax.tree.scale(share(learner.updates), change)
        return Learner(optax.apply_updates(learner.params, change), state, learner.updates + 1), metrics

    return descend


def make_act(
    env: Environment, model: WorldModel, planner: Planner, exploration: float
) -> Callable[..., tuple]:
    """Filter what is seen, plan, add noise; at the first step of an episode all is forgotten."""
    space = env.spec.action
    assert isinstance(space, Box)  # `latent_model` refuses other actions
    std = exploration * (space.high - space.low) / 2

    def act(learner: Learner, carry: Carry, timestep: TimeStep, key):
        key_observe, key_plan, key_noise = jax.random.split(key, 3)
        fresh = start_carry(env, model, planner, learner.params, len(timestep.first))
        belief, action = restart(fresh.belief, carry.belief, carry.action, timestep.first)
        belief = model.observe(learner.params, belief, action, timestep.observation, key_observe)
        plan = mpc.restart(planner, carry.plan, timestep.first)
        action, plan, found = planner.plan(learner.params, belief, plan, key_plan, timestep.legal)
        noise = std * jax.random.normal(key_noise, action.shape, action.dtype)
        action = jnp.clip(action + noise, space.low, space.high)
        return Carry(belief, action, plan), action, {"plan_value": found.value}

    return act


def start_carry(env: Environment, model: WorldModel, planner: Planner, params: PyTree, batch: int) -> Carry:
    """What acting remembers before the first step: nothing, in its shapes."""
    observation = jax.ShapeDtypeStruct((batch, *env.spec.observation.shape), env.spec.observation.dtype)
    shapes = jax.eval_shape(model.encode, params, observation, jax.random.key(0))
    belief = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return Carry(belief, jnp.zeros((batch, *env.spec.action.shape)), planner.init(batch))


def _vector(env: Environment, n: int) -> Environment:
    return vectorise(episode_statistics(env), n)


def _explore(env: Environment) -> Callable[..., tuple]:
    """Uniform actions; nothing is remembered, since the next stage begins with an episode."""
    space = env.spec.action
    assert isinstance(space, Box)

    def act(learner, carry: Carry, timestep: TimeStep, key):
        shape = (len(timestep.first), *space.shape)
        action = jax.random.uniform(key, shape, minval=space.low, maxval=space.high)
        return carry, action, {}

    return act


def _record(timestep: TimeStep, action: Array, following: TimeStep, extras) -> Trajectory:
    return Trajectory(following.observation, action, following.reward, following.discount, following.first)


def _example(env: Environment) -> Trajectory:
    """One step of zeros."""
    observation = jnp.zeros(env.spec.observation.shape, env.spec.observation.dtype)
    zero = jnp.zeros(())
    return Trajectory(observation, jnp.zeros(env.spec.action.shape), zero, zero, jnp.zeros((), bool))


def _check_sequences(config: PlaNetConfig, collected: int) -> None:
    least = min(collected, config.memory or collected)
    if config.sequence > least:
        raise ConfigError(
            f"sequence ({config.sequence}) must not be longer than what replay holds at the first update,"
            f" {least} steps of each environment: see seed_episodes, action_repeat, episode_steps and memory"
        )


# ------------------------------------------------------------------- presets

# The published settings, which are the fields' defaults; tasks differ in how long they hold an action.
PAPER = {env: PlaNetConfig(env=env, action_repeat=repeats) for env, repeats in PLANET_ACTION_REPEAT.items()}

# Smaller images, networks, batches and searches, and fewer episodes: for two cores.
LAPTOP = PlaNetConfig(
    image=32,
    episodes=270,
    batch_size=8,
    sequence=25,
    memory=62_000,
    lr_decay=0.1,
    adam_epsilon=1e-8,
    model=LatentModelConfig(RSSMConfig(hidden=100, deterministic=100), depth=16, hidden=(100, 100)),
    objective=ObjectiveConfig(divergence=0.02, free_nats=0.0, prior=0.2),  # see docs/planet.md
    planner=ShootingConfig("planet_cem", 12, population=100, iterations=5, elites=10),
)

# The published sizes and search; eight episodes are collected side by side, and the objective is balanced.
GPU = PlaNetConfig(
    environments=8,
    seed_episodes=8,
    episodes=240,
    updates=300,
    lr_decay=0.1,
    adam_epsilon=1e-8,
    eval_episodes=10,
    objective=ObjectiveConfig(divergence=0.1, free_nats=0.0, prior=0.8),
)

# Seconds on two cores, on a task whose optimum is known: what tests/contract runs. Doing nothing gets -8.3.
TINY = PlaNetConfig(
    env="diagnostic_lqr",
    action_repeat=1,
    image=0,
    environments=8,
    seed_episodes=16,
    episodes=64,
    updates=100,
    batch_size=64,
    sequence=21,
    exploration=0.05,
    learning_rate=3e-3,
    eval_episodes=64,
    model=LatentModelConfig(RSSMConfig(deterministic=32, stochastic=4, hidden=32), hidden=(32, 32)),
    objective=ObjectiveConfig(reward=1.0, divergence=0.1, free_nats=0.5),
    planner=ShootingConfig("planet_cem", horizon=8, population=100, iterations=5, elites=10),
)

PRESETS = {"laptop": LAPTOP, "gpu": GPU, "tiny": TINY}


def preset(name: str, env: str | None) -> PlaNetConfig:
    """A named configuration for an environment, with the published action repeat where there is one.

    Raises:
        ConfigError: for the published settings of a task that the paper does not have.
    """
    if name == "paper":
        if (env or "control_cartpole_swingup") not in PAPER:
            raise ConfigError(
                f"preset paper has settings for {', '.join(PAPER)}; for env {env} use preset laptop"
            )
        return PAPER[env or "control_cartpole_swingup"]
    config = PRESETS[name]
    if env in (None, config.env):
        return config
    return dataclasses.replace(config, env=env, action_repeat=PLANET_ACTION_REPEAT.get(env, 1))


ENTRY = SystemEntry(
    name="planet",
    summary="planning in a latent space that is learned from pixels (Hafner et al. 2019)",
    config=PlaNetConfig,
    preset=preset,
    presets=("laptop", "gpu", "paper", "tiny"),
    environments=(*PAPER, "gym:Pendulum-v1"),
    make=make,
    reaches=-5.0,
)
