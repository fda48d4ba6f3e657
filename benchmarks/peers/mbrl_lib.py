"""Seconds that mbrl-lib 0.2.0 (PyTorch; Pineda et al. 2021) needs for PETS's published plans and updates.

Prints one JSON object a line: {"what", "seconds", "threads"}, the median of a few repeats after a warm-up.

    plan_cartpole     one decision: CEM, 400 candidates, 5 iterations, horizon 25, 20 particles (TS-infinity)
    plan_halfcheetah  500 candidates, 5 iterations, horizon 30, 20 particles
    train_cartpole    one step of training 5 networks of 3 x 500 on batches of 32, data loading included
    train_halfcheetah 5 networks of 4 x 200

The model, the reward functions, CEM, the roll-out and the training loop are the library's own; the sizes are
PETS's (Chua et al. 2018, arXiv 1805.12114). What it plans and learns from is random, since speed does not
depend on that. It needs an environment of its own, because the library's pins no longer resolve:

    python3 -m venv .venv-mbrl
    .venv-mbrl/bin/pip install torch==2.13.0
    .venv-mbrl/bin/pip install --no-deps mbrl==0.2.0 hydra-core==1.3.2 omegaconf==2.3.0 gymnasium==0.26.3
    .venv-mbrl/bin/pip install tqdm termcolor imageio matplotlib "numpy<2.3" scipy PyYAML cloudpickle
    .venv-mbrl/bin/pip install gymnasium-notices farama-notifications "antlr4-python3-runtime==4.9.*"
    .venv-mbrl/bin/pip install "mujoco<3.3"
    .venv-mbrl/bin/python benchmarks/peers/mbrl_lib.py
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

try:
    import torch
    from mbrl.env import reward_fns, termination_fns
    from mbrl.models import GaussianMLP, ModelEnv, ModelTrainer, OneDTransitionRewardModel
    from mbrl.planning.trajectory_opt import CEMOptimizer
    from mbrl.types import TransitionBatch
    from mbrl.util.replay_buffer import BootstrapIterator
except ImportError as error:
    sys.exit(f"{error}. This measurement needs mbrl-lib 0.2.0: {__file__} says how to install it.")

MEMBERS, PARTICLES, ITERATIONS, BATCH = 5, 20, 5, 32


@dataclasses.dataclass(frozen=True)
class Task:
    """One of the paper's tasks: sizes, and how the network sees an observation."""

    name: str
    observation: int
    action: int
    action_limit: float
    candidates: int
    horizon: int
    layers: int
    width: int
    features: Callable[[Any], Any]
    reward: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    absolute: tuple[int, ...] = ()  # targets that are no differences


def cartpole_features(observation: Any) -> Any:
    """[sin theta, cos theta, x, x', theta'] of [x, theta, x', theta']."""
    lib, join = _library(observation)
    theta = observation[..., 1:2]
    return join([lib.sin(theta), lib.cos(theta), observation[..., :1], observation[..., 2:]], -1)


def halfcheetah_features(observation: Any) -> Any:
    """[o1, sin o2, cos o2, o3 ...]."""
    lib, join = _library(observation)
    angle = observation[..., 2:3]
    return join([observation[..., 1:2], lib.sin(angle), lib.cos(angle), observation[..., 3:]], -1)


def _library(array: Any) -> tuple[Any, Callable[..., Any]]:
    return (torch, torch.cat) if isinstance(array, torch.Tensor) else (np, np.concatenate)


CARTPOLE = Task("cartpole", 4, 1, 3.0, 400, 25, 3, 500, cartpole_features, reward_fns.cartpole_pets)
HALFCHEETAH = Task(
    "halfcheetah", 18, 6, 1.0, 500, 30, 4, 200, halfcheetah_features, reward_fns.halfcheetah, absolute=(0,)
)


def make_model(task: Task) -> OneDTransitionRewardModel:
    """The probabilistic ensemble with scaled inputs and learned variance bounds."""
    inputs = task.features(np.zeros((1, task.observation))).shape[-1] + task.action
    network = GaussianMLP(
        inputs,
        task.observation,
        "cpu",
        num_layers=task.layers,
        ensemble_size=MEMBERS,
        hid_size=task.width,
        propagation_method="fixed_model",
        learn_logvar_bounds=True,
        activation_fn_cfg={"_target_": "torch.nn.SiLU"},
    )
    return OneDTransitionRewardModel(
        network,
        normalize=True,
        learned_rewards=False,
        obs_process_fn=task.features,
        no_delta_list=list(task.absolute),
    )


def make_data(task: Task, rows: int) -> TransitionBatch:
    """Random transitions."""
    random = np.random.default_rng(0)
    observation, following = random.normal(size=(2, rows, task.observation)).astype(np.float32)
    action = random.uniform(-task.action_limit, task.action_limit, (rows, task.action)).astype(np.float32)
    zeros = np.zeros(rows, np.float32)
    return TransitionBatch(observation, action, following, zeros, zeros > 0, zeros > 0)


def plan_seconds(task: Task, repeats: int) -> float:
    """Seconds of one decision."""
    model = make_model(task)
    model.update_normalizer(make_data(task, 200))
    spaces = SimpleNamespace(observation_space=None, action_space=None)
    env = ModelEnv(spaces, model, termination_fns.no_termination, task.reward, torch.Generator())
    limit = np.full((task.horizon, task.action), task.action_limit)
    optimiser = CEMOptimizer(
        num_iterations=ITERATIONS,
        elite_ratio=0.1,
        population_size=task.candidates,
        lower_bound=(-limit).tolist(),
        upper_bound=limit.tolist(),
        alpha=0.1,
        device="cpu",
        return_mean_elites=True,
    )
    start = torch.zeros(task.horizon, task.action)
    state = np.zeros(task.observation, np.float32)

    def plan() -> None:
        optimiser.optimize(lambda plans: env.evaluate_action_sequences(plans, state, PARTICLES), start)

    return median_seconds(plan, repeats)


def train_seconds(task: Task, repeats: int, steps: int = 50) -> float:
    """Seconds of one step of training, averaged over an epoch of `steps`."""
    model, data = make_model(task), make_data(task, BATCH * steps)
    model.update_normalizer(data)
    trainer = ModelTrainer(model, optim_lr=1e-3, weight_decay=1e-4)
    batches = BootstrapIterator(data, BATCH, MEMBERS, shuffle_each_epoch=True, permute_indices=False)

    def epoch() -> None:
        trainer.train(batches, num_epochs=1, evaluate=False, silent=True)

    return median_seconds(epoch, repeats) / steps


def median_seconds(function: Callable[[], None], repeats: int) -> float:
    """Median wall time of `repeats` calls, after one that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def main() -> None:
    """Measures what is asked for, one line each."""
    measurements = {
        f"{kind}_{task.name}": (measure, task)
        for kind, measure in (("plan", plan_seconds), ("train", train_seconds))
        for task in (CARTPOLE, HALFCHEETAH)
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=measurements, default=list(measurements))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for what in arguments.only:
        measure, task = measurements[what]
        seconds = measure(task, arguments.repeats)
        print(json.dumps({"what": what, "seconds": seconds, "threads": arguments.threads}), flush=True)


if __name__ == "__main__":
    main()
