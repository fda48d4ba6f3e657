"""Tasks of the DeepMind control suite (Tassa et al. 2018, arXiv 1801.00690) as JAX programs, on MJX physics.

Observations, rewards, time steps and starts are dm_control's, under names like `control_walker_walk`. The
factories take a `renderer`, which gets MuJoCo's model once and MJX's data of a state for every image.
Needs the extra `control`.
"""

from __future__ import annotations

__all__ = ["FACTORIES", "PLANET_ACTION_REPEAT"]

# name -> (module of this package, factory)
FACTORIES = {
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

# Steps for which PlaNet holds an action in its six tasks (Hafner et al. 2019, arXiv 1811.04551, appendix A);
# Dreamer (arXiv 1912.01603) holds every action for 2 steps in all tasks.
PLANET_ACTION_REPEAT = {
    "control_cartpole_swingup": 8,
    "control_reacher_easy": 4,
    "control_cheetah_run": 4,
    "control_finger_spin": 2,
    "control_cup_catch": 4,
    "control_walker_walk": 2,
}
DREAMER_ACTION_REPEAT = 2
