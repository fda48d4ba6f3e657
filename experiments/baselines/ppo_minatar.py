"""Proximal policy optimisation on a game of MinAtar: the model-free curve beside DreamerV2.

The algorithm is not ours: it is Stable-Baselines3's PPO (Schulman et al. 2017) with that library's default
hyperparameters, on the same games as DreamerV2, eight of them side by side. Its network is that of MinAtar's
authors (Young & Tian 2019): 16 filters of 3 x 3 and a layer of 128 units. What is reported is the return of
every episode with the number of steps when it ended, exploration included.

It needs an environment of its own, since Stable-Baselines3 needs PyTorch:

    python3 -m venv .venv-ppo
    .venv-ppo/bin/pip install stable-baselines3 gymnasium pgx -e . -c requirements.txt
    .venv-ppo/bin/python experiments/baselines/ppo_minatar.py minatar_breakout

Writes results/baselines/ppo_<game>.json after every seed.
"""

from __future__ import annotations

import argparse
import inspect
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np

from imaginax import envs
from imaginax.envs.wrappers import training_environment
from imaginax.runtime.plotting import commit, write_results

try:
    import gymnasium
    import stable_baselines3
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    sys.exit(f"{error}. This baseline needs Stable-Baselines3: {__file__} says how to install it.")

RESULTS = Path(__file__).parents[2] / "results" / "baselines"
ENVIRONMENTS = 8
# Of stable_baselines3.PPO; read from its signature, so that the file says what was really used.
REPORTED = (
    "learning_rate",
    "n_steps",
    "batch_size",
    "n_epochs",
    "gamma",
    "gae_lambda",
    "clip_range",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
)


class Games(VecEnv):
    """Copies of an imaginax environment in one compiled program, as Stable-Baselines3 steps them."""

    def __init__(self, name: str, seed: int):
        env = training_environment(envs.make(name), ENVIRONMENTS)
        self._init, self._step = jax.jit(env.init), jax.jit(env.step)
        self._key = jax.random.key(seed)
        height, width, planes = env.spec.observation.shape
        observation = gymnasium.spaces.Box(0, 1, (planes, height, width), np.float32)
        super().__init__(ENVIRONMENTS, observation, gymnasium.spaces.Discrete(env.spec.action.size))

    def reset(self) -> np.ndarray:
        """New games."""
        self._state, timestep = self._init(self._next_key())
        return _planes(timestep.observation)

    def step_async(self, actions: np.ndarray) -> None:
        """Keeps the actions of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Makes the step; a game that ends is followed by another one."""
        self._state, timestep = self._step(self._state, self._actions, self._next_key())
        last, truncated = np.asarray(timestep.last), np.asarray(timestep.truncated)
        final, returns = _planes(timestep.final_observation), np.asarray(self._state.finished_return)
        infos: list[dict[str, Any]] = [{} for _ in last]
        for game in np.flatnonzero(last):
            infos[game] = {
                "terminal_observation": final[game],
                "TimeLimit.truncated": bool(truncated[game]),
                "return": float(returns[game]),
            }
        return _planes(timestep.observation), np.asarray(timestep.reward), last, infos

    def _next_key(self) -> jax.Array:
        self._key, key = jax.random.split(self._key)
        return key

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Of every copy; they have none but `render_mode`."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """There is none to set."""
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """There is none to call."""
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """They are not."""
        return [False] * self.num_envs


class Network(BaseFeaturesExtractor):
    """16 filters of 3 x 3, and 128 units."""

    def __init__(self, observation_space: gymnasium.spaces.Box):
        super().__init__(observation_space, features_dim=128)
        planes, height, width = observation_space.shape
        self.layers = torch.nn.Sequential(
            *(torch.nn.Conv2d(planes, 16, 3), torch.nn.ReLU(), torch.nn.Flatten()),
            *(torch.nn.Linear(16 * (height - 2) * (width - 2), 128), torch.nn.ReLU()),
        )

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Features of planes."""
        return self.layers(observations)


class Episodes(BaseCallback):
    """Keeps (steps, return) of every game that ended."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[int, float]] = []

    def _on_step(self) -> bool:
        ended = [info["return"] for info in self.locals["infos"] if "return" in info]
        self.found += [(self.num_timesteps, value) for value in ended]
        return True


def _planes(observation: jax.Array) -> np.ndarray:
    return np.moveaxis(np.asarray(observation, np.float32), -1, 1)


def train(game: str, seed: int, steps: int) -> list[tuple[int, float]]:
    """(steps, return) of every game of a run."""
    settings = {"features_extractor_class": Network, "net_arch": []}
    agent = stable_baselines3.PPO(
        "CnnPolicy",
        Games(game, seed),
        seed=seed,
        device="cpu",
        policy_kwargs=settings | {"normalize_images": False},
    )
    episodes = Episodes()
    agent.learn(total_timesteps=steps, callback=episodes)
    return episodes.found


def curve(episodes: list[tuple[int, float]], steps: int, points: int = 48) -> list[float | None]:
    """The mean return of the games that ended in each equal part of the run; None without any."""
    ends, returns = np.asarray(episodes).T
    part = np.minimum(ends * points // (steps + 1), points - 1)
    return [float(returns[part == i].mean()) if (part == i).any() else None for i in range(points)]


def record(game: str, steps: int, curves: list[list[float | None]], wall_s: float) -> dict[str, Any]:
    """The result file's fields for curves [seeds, points]."""
    defaults = inspect.signature(stable_baselines3.PPO).parameters
    config = {name: defaults[name].default for name in REPORTED} | {"network": "3x3 conv 16, 128 units"}
    config |= {"environments": ENVIRONMENTS}
    config |= {"stable_baselines3": stable_baselines3.__version__, "torch": torch.__version__}
    last = [[value for value in found if value is not None][-1] for found in curves]
    return {
        "system": "ppo",
        "env": game,
        "preset": "stable-baselines3 defaults",
        "config": config,
        "commit": commit(),
        "device": {"platform": "cpu", "kind": platform.processor() or platform.machine(), "threads": 1},
        "jax": jax.__version__,
        "seeds": len(curves),
        "env_steps": [steps * (i + 1) // len(curves[0]) for i in range(len(curves[0]))],
        "return_per_seed": curves,
        "wall_s": wall_s,
        "headline": {"last_return": float(np.mean(last)), "last_return_per_seed": last},
    }


def main() -> None:
    """Trains every seed in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("game", help="for example minatar_breakout")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=490_000, help="those of DreamerV2's preset laptop")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    curves: list[list[float | None]] = []
    start = time.perf_counter()
    for seed in range(arguments.seeds):
        curves.append(curve(train(arguments.game, seed, arguments.steps), arguments.steps))
        written = record(arguments.game, arguments.steps, curves, time.perf_counter() - start)
        write_results(RESULTS / f"ppo_{arguments.game}.json", written)
        print(f"seed {seed}: last {written['headline']['last_return_per_seed'][-1]:.1f}", flush=True)


if __name__ == "__main__":
    main()
