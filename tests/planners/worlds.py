"""World models small enough to know the answer."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from imaginax.types import (
    Box,
    Capabilities,
    Discrete,
    Environment,
    EnvSpec,
    Evaluation,
    Prediction,
    TimeStep,
    WorldModel,
)

SPACE = Box((2,), -2.0, 3.0)


def world(reward):
    """A model whose belief [B] counts steps and whose reward is `reward(step, action [B, A])`."""

    def predict(params, belief, action, key):
        return belief + 1, Prediction(reward(belief, action), jnp.ones(action.shape[0]))

    return WorldModel(
        init=lambda key: (),
        encode=lambda params, observation, key: observation,
        observe=lambda params, belief, action, observation, key: observation,
        predict=predict,
        decode=lambda params, belief: None,
        loss=lambda params, data, key: (jnp.zeros(()), {}, None),
        can=Capabilities(continuous=True),
    )


def quadratic(target):
    """Reward -|action - target_t|^2 with another target [H, A] at every step."""
    target = jnp.asarray(target)
    return world(lambda step, action: -jnp.sum((action - target[step]) ** 2, axis=-1))


class GameTree(NamedTuple):
    """A made-up game: node i has children `branching` x i + 1 + action; a terminal node stays where it is."""

    value: np.ndarray  # [nodes], for the player to move
    logits: np.ndarray  # [nodes, branching]; the lowest finite number for illegal actions
    reward: np.ndarray  # [nodes], of the step into a node, for the one who takes it
    terminal: np.ndarray  # [nodes]
    discount: float  # -1 between two players

    def step(self, node, action):
        """(child, reward, discount), as arrays or numbers."""
        over = self.terminal[node]
        child = np.where(over, node, self.logits.shape[1] * node + 1 + action)
        ended = self.terminal[child]
        return child, np.where(over, 0.0, self.reward[child]), np.where(ended, 0.0, self.discount)

    def legal(self, node):
        return self.logits[node] > np.finfo(np.float32).min


def game_tree(seed, *, branching=4, depth=4, discount=-1.0):
    """A random game in which a third of the actions are illegal and some games end early.

    Between two players only the end is rewarded, with -1, 0 or 1; alone, every step with less than 1.
    """
    rng = np.random.default_rng(seed)
    nodes = (branching ** (depth + 1) - 1) // (branching - 1)
    deepest = np.arange(nodes) >= (branching**depth - 1) // (branching - 1)
    terminal = deepest | ((rng.random(nodes) < 0.1) & (np.arange(nodes) > branching))
    logits = rng.normal(size=(nodes, branching)).astype(np.float32)
    illegal = rng.random((nodes, branching)) < 1 / 3
    illegal[np.arange(nodes), rng.integers(branching, size=nodes)] = False
    logits[illegal] = np.finfo(np.float32).min
    value = rng.uniform(-0.9, 0.9, nodes).astype(np.float32)
    reward = rng.integers(-1, 2, nodes) * terminal if discount < 0 else rng.uniform(-0.5, 0.5, nodes)
    return GameTree(value, logits, reward.astype(np.float32), terminal, discount)


def game_tree_model(tree):
    """A game tree as a world model whose belief [B] is the node."""
    value, logits, reward, terminal = map(jnp.asarray, tree[:4])

    def evaluate(params, belief, key):
        return Evaluation(value[belief], logits[belief])

    def predict(params, belief, action, key):
        child = jnp.where(terminal[belief], belief, logits.shape[1] * belief + 1 + action)
        gained = jnp.where(terminal[belief], 0.0, reward[child])
        discount = jnp.where(terminal[child], 0.0, tree.discount)
        return child, Prediction(gained, discount, value[child], logits[child])

    return world(None)._replace(
        predict=predict, evaluate=evaluate, can=Capabilities(discrete=True, value=True, policy=True)
    )


def game_tree_env(tree):
    """Its environment, privileged: the observation is the node."""

    def timestep(node, reward, discount):
        last = jnp.asarray(tree.terminal)[node]
        legal = jnp.asarray(tree.logits)[node] > jnp.finfo(jnp.float32).min
        return TimeStep(node, reward, discount, ~last, last, jnp.bool_(False), legal)

    def init(key):
        return jnp.int32(0), timestep(jnp.int32(0), jnp.float32(0), jnp.float32(1))

    def step(state, action, key):
        child, predicted = game_tree_model(tree).predict((), state[None], action[None], key)
        return child[0], timestep(child[0], predicted.reward[0], jnp.abs(predicted.discount[0]))

    spec = EnvSpec("game_tree", Box((1,)), Discrete(tree.logits.shape[1]), max_steps=100, players=2)
    return Environment(spec, init, step)
