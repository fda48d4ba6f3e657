"""Names of the control suite's tasks, and how long agents of the papers hold an action in them."""

from __future__ import annotations

from imaginax.registry import CONTROL_TASKS as TASKS

__all__ = ["DREAMER_ACTION_REPEAT", "PLANET_ACTION_REPEAT", "TASKS"]

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
