"""Soft actor-critic on PETS's cart-pole: the model-free curve beside PETS (Chua et al. 2018, Fig. 3).

The algorithm is not ours: it is Stable-Baselines3's SAC (Haarnoja et al. 2018) with that library's default
hyperparameters, on the same environment, the same 200-step trials and the same input features
[sin theta, cos theta, x, x', theta'] that PETS's networks get. What is reported is the return of every
training trial, exploration included, as for PETS. The first 100 steps are random (its `learning_starts`).

It needs an environment of its own, since Stable-Baselines3 needs PyTorch:

    python3 -m venv .venv-sac
    .venv-sac/bin/pip install torch==2.13.0          # before the next line, or a CUDA build comes
    .venv-sac/bin/pip install stable-baselines3 gymnasium -e . -c requirements.txt
    .venv-sac/bin/python experiments/baselines/sac_cartpole.py

Some minutes a seed on one core. Writes results/baselines/sac_cartpole.json after every seed.
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
from imaginax.runtime.plotting import commit, write_results

try:
    import gymnasium
    import stable_baselines3
    import torch
except ImportError as error:
    sys.exit(f"{error}. This baseline needs Stable-Baselines3: {__file__} says how to install it.")

ENVIRONMENT = "pets_cartpole"
RESULT = Path(__file__).parents[2] / "results" / "baselines" / "sac_cartpole.json"
# Of stable_baselines3.SAC; read from its signature, so that the file says what was really used.
REPORTED = (
    "learning_rate",
    "buffer_size",
    "learning_starts",
    "batch_size",
    "tau",
    "gamma",
    "train_freq",
    "gradient_steps",
    "ent_coef",
    "target_update_interval",
    "target_entropy",
)


class GymEnvironment(gymnasium.Env):
    """An imaginax environment, compiled, behind gymnasium's interface; observations are the features."""

    def __init__(self, name: str, seed: int):
        env = envs.make(name)
        self._features = jax.jit(env.features.inputs)
        self._init, self._step = jax.jit(env.init), jax.jit(env.step)
        self._key = jax.random.key(seed)
        inputs = jax.eval_shape(self._features, np.zeros(env.spec.observation.shape, np.float32))
        action = env.spec.action
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, inputs.shape, np.float32)
        self.action_space = gymnasium.spaces.Box(action.low, action.high, action.shape, np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """A new trial; a given seed restarts the sequence of trials."""
        super().reset(seed=seed)
        if seed is not None:
            self._key = jax.random.key(seed)
        self._state, timestep = self._init(self._next_key())
        return np.asarray(self._features(timestep.observation)), {}

    def step(self, action: np.ndarray):
        """One control period."""
        self._state, timestep = self._step(self._state, action, self._next_key())
        terminated = bool(timestep.last & ~timestep.truncated)
        observation = np.asarray(self._features(timestep.observation))
        return observation, float(timestep.reward), terminated, bool(timestep.truncated), {}

    def _next_key(self) -> jax.Array:
        self._key, key = jax.random.split(self._key)
        return key


def train(seed: int, trials: int) -> list[float]:
    """The return of each of `trials` training trials."""
    env = stable_baselines3.common.monitor.Monitor(GymEnvironment(ENVIRONMENT, seed))
    agent = stable_baselines3.SAC("MlpPolicy", env, seed=seed, device="cpu")
    agent.learn(total_timesteps=trials * envs.make(ENVIRONMENT).spec.max_steps)
    return env.get_episode_rewards()


def record(returns: list[list[float]], wall_s: float) -> dict[str, Any]:
    """The result file's fields for returns [seeds, trials]."""
    defaults = inspect.signature(stable_baselines3.SAC).parameters
    steps = envs.make(ENVIRONMENT).spec.max_steps
    best = np.max(returns, axis=1)
    config = {name: defaults[name].default for name in REPORTED} | {"policy": "MlpPolicy, 2x256"}
    config |= {"stable_baselines3": stable_baselines3.__version__, "torch": torch.__version__}
    return {
        "system": "sac",
        "env": ENVIRONMENT,
        "preset": "stable-baselines3 defaults",
        "config": config,
        "commit": commit(),
        "device": {"platform": "cpu", "kind": platform.processor() or platform.machine(), "threads": 1},
        "jax": jax.__version__,
        "seeds": len(returns),
        "env_steps": [steps * (i + 1) for i in range(len(returns[0]))],
        "return_mean": np.mean(returns, axis=0).tolist(),
        "return_per_seed": returns,
        "wall_s": wall_s,
        "headline": {
            "best_return": float(np.mean(best)),
            "best_return_within_10_trials": float(np.mean(np.max(np.asarray(returns)[:, :10], axis=1))),
        },
    }


def main() -> None:
    """Trains every seed in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=50, help="of 200 steps each; 50 are PETS's")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    returns: list[list[float]] = []
    start = time.perf_counter()
    for seed in range(arguments.seeds):
        returns.append(train(seed, arguments.trials))
        write_results(arguments.output, record(returns, time.perf_counter() - start))
        print(f"seed {seed}: best trial {max(returns[-1]):.1f}, last {returns[-1][-1]:.1f}", flush=True)


if __name__ == "__main__":
    main()
