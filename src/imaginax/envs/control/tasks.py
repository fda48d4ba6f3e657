"""Names of the control suite's tasks, and how long agents of the papers hold an action in them."""

from __future__ import annotations

# name -> (module of this package, its function that makes the task)
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

# Simulator steps for which PlaNet holds an action in its six tasks (Hafner et al. 2019, arXiv 1811.04551),
PLANET_ACTION_REPEAT = {
    "control_cartpole_swingup": 8,
    "control_reacher_easy": 4,
    "control_cheetah_run": 4,
    "control_finger_spin": 2,
    "control_cup_catch": 4,
    "control_walker_walk": 2,
}
# and Dreamer in all tasks (Hafner et al. 2020, arXiv 1912.01603)
DREAMER_ACTION_REPEAT = 2
