"""Records what dm_control's own tasks do, as the reference of tests/envs/control.

Writes one small npz file a task to tests/envs/control/reference: the compiled model's numbers, roll-outs
under random actions, random states, and quantiles of the starts. It needs an environment of its own, for
dm_control 1.0.50 does not load with mujoco 4:

    python3 -m venv .venv-dmc
    .venv-dmc/bin/pip install dm-control==1.0.50 mujoco==3.17.0
    MUJOCO_GL=disabled .venv-dmc/bin/python benchmarks/peers/dm_control_suite.py
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

try:
    from dm_control import suite
except ImportError as error:
    sys.exit(f"{error}. This recording needs dm_control: {__file__} says how to install it.")

FOLDER = Path(__file__).parents[2] / "tests" / "envs" / "control" / "reference"
TASKS = {
    "control_cartpole_swingup": ("cartpole", "swingup"),
    "control_cartpole_balance": ("cartpole", "balance"),
    "control_pendulum_swingup": ("pendulum", "swingup"),
    "control_reacher_easy": ("reacher", "easy"),
    "control_cheetah_run": ("cheetah", "run"),
    "control_finger_spin": ("finger", "spin"),
    "control_cup_catch": ("ball_in_cup", "catch"),
    "control_walker_walk": ("walker", "walk"),
    "control_hopper_hop": ("hopper", "hop"),
}
BEFORE = (0, 40, 160)  # control steps before each recorded stretch,
STEPS = 40  # its length,
HELD = 5  # and how long each random action is held
RESETS = 1000
STATES, DRAWN = 10, 400  # random states to keep, as many with the best rewards besides, and to draw
SPEEDS = 8.0  # standard deviation of their velocities
QUANTILES = np.array([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])

# numbers of MuJoCo's compiled model that its motion, its cameras and its looks depend on
FIELDS = (
    "qpos0 body_mass body_inertia body_pos body_quat body_ipos body_iquat body_invweight0 "
    "jnt_type jnt_axis jnt_pos jnt_range jnt_limited jnt_stiffness jnt_solref jnt_solimp "
    "dof_damping dof_armature dof_frictionloss dof_invweight0 "
    "geom_type geom_pos geom_quat geom_size geom_friction geom_solref geom_solimp geom_condim "
    "actuator_gear actuator_ctrlrange tendon_range tendon_invweight0 tendon_solref_lim tendon_solimp_lim "
    "cam_mode cam_pos cam_quat cam_fovy cam_bodyid cam_targetbodyid "
    "light_mode light_pos light_dir light_bodyid"
).split()


def model_numbers(env: Any) -> dict[str, np.ndarray]:
    """The numbers in `FIELDS`, of the options, and of the colours, end to end in one array."""
    model = env.physics.model
    option = model.opt
    numbers = {name: np.asarray(getattr(model, name), np.float32).ravel() for name in FIELDS}
    numbers["geom_rgba"] = model.mat_rgba[model.geom_matid].astype(np.float32).ravel()
    flags = [option.integrator, option.cone, option.disableflags]
    numbers["options"] = np.array([option.timestep, *flags, *option.gravity], np.float32)
    return {
        "model_names": np.array(list(numbers)),
        "model_sizes": np.array([len(values) for values in numbers.values()]),
        "model_values": np.concatenate(list(numbers.values())),
    }


def target(env: Any) -> np.ndarray:
    """Where the task's target is, if it moves it."""
    named = env.physics.named.model
    return named.geom_pos["target", :2].copy() if "reacher" in env.physics.model.name else np.zeros(0)


def stretch(env: Any, random: np.random.RandomState, before: int) -> dict[str, np.ndarray]:
    """One stretch of a roll-out: the states [T + 1], and what each action led to [T]."""
    space = env.action_spec()
    moment = env.reset()
    rows: dict[str, list[Any]] = {name: [] for name in ("q", "qd", "action", "observation", "reward")}
    for step in range(before + STEPS):
        if step % HELD == 0:
            action = random.uniform(space.minimum, space.maximum).astype(np.float32)
        if step >= before:
            rows["q"].append(env.physics.data.qpos.copy())
            rows["qd"].append(env.physics.data.qvel.copy())
        moment = env.step(action)
        if step >= before:
            rows["action"].append(action)
            rows["observation"].append(np.concatenate([np.ravel(v) for v in moment.observation.values()]))
            rows["reward"].append(moment.reward)
    rows["q"].append(env.physics.data.qpos.copy())
    rows["qd"].append(env.physics.data.qvel.copy())
    return {name: np.array(values, np.float32) for name, values in rows.items()} | {"target": target(env)}


def states(env: Any, random: np.random.RandomState) -> dict[str, np.ndarray]:
    """Observations and rewards of random states: starts at random velocities, under random controls."""
    rows: list[dict[str, Any]] = []
    space = env.action_spec()
    for _ in range(DRAWN):
        env.reset()
        data = env.physics.data
        data.qvel[:] = SPEEDS * random.randn(len(data.qvel))
        action = random.uniform(space.minimum, space.maximum)
        env.physics.set_control(action)
        env.physics.forward()
        observation = env.task.get_observation(env.physics)
        rows.append(
            {
                "q": data.qpos.copy(),
                "qd": data.qvel.copy(),
                "action": action,
                "observation": np.concatenate([np.ravel(v) for v in observation.values()]),
                "reward": env.task.get_reward(env.physics),
                "target": target(env),
            }
        )
    best = sorted(rows[STATES:], key=lambda row: -row["reward"])[:STATES]
    kept = rows[:STATES] + best
    return {f"state_{key}": np.array([row[key] for row in kept], np.float32) for key in kept[0]}


def starts(env: Any) -> dict[str, np.ndarray]:
    """Quantiles [K, ...] of the first states and observations."""
    seen: dict[str, list[np.ndarray]] = {"q": [], "qd": [], "observation": []}
    for _ in range(RESETS):
        moment = env.reset()
        seen["q"].append(env.physics.data.qpos.copy())
        seen["qd"].append(env.physics.data.qvel.copy())
        seen["observation"].append(np.concatenate([np.ravel(v) for v in moment.observation.values()]))
    return {f"start_{name}": np.quantile(rows, QUANTILES, axis=0) for name, rows in seen.items()}


def record(name: str) -> Path:
    """Records one task."""
    env = suite.load(*TASKS[name], task_kwargs={"random": 0})
    random = np.random.RandomState(1)
    stretches = [stretch(env, random, before) for before in BEFORE]
    arrays = {key: np.stack([each[key] for each in stretches]) for key in stretches[0]}
    arrays |= states(env, random) | starts(env)
    arrays |= model_numbers(env)
    arrays["step_limit"] = np.array(env._step_limit)
    arrays["control_timestep"] = np.array(env.control_timestep())
    path = FOLDER / f"{name}.npz"
    versions = [f"{package} {version(package)}" for package in ("dm_control", "mujoco")]
    arrays = {
        key: value.astype(np.float32) if value.dtype == float else value for key, value in arrays.items()
    }
    np.savez_compressed(path, made_with=np.array(versions), **arrays)
    return path


def main() -> None:
    """Records what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in parser.parse_args().only:
        path = record(name)
        print(f"{path.name:<32}{path.stat().st_size / 1000:7.1f} kB", flush=True)


if __name__ == "__main__":
    main()
