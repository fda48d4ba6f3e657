"""GP-MPC Fig. 3 and Table 1: success and violations of PILCO, of limits of the mean, of chance constraints.

    python experiments/figures/gp_mpc_constraints.py          draws results/gp_mpc/constraints.png
    python experiments/figures/gp_mpc_constraints.py --run    runs everything first, ten seeds each
    python experiments/figures/gp_mpc_constraints.py --run gpmpc_cartpole_wall gp_mpc 5    one of them

Violations are counted in the trials after the random one. A method whose result is not there is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from gp_mpc_runs import LABELS, draw_panels, run_as_told

TRIALS = {"gpmpc_cartpole_wall": 6, "gpmpc_double_pendulum_wall": 6}
TITLES = {
    "gpmpc_cartpole_wall": "cart-pole with a wall",
    "gpmpc_double_pendulum_wall": "double pendulum, 340 degrees",
}
METHODS = ("pilco", "mean", "gp_mpc")


def label(method: str, record: dict) -> str:
    """The method, its violations and its trials; the random trial does not count."""
    violated = np.array(record["violated"], bool)[:, 1:]
    return f"{LABELS[method]}: {violated.sum()} violations in {violated.size} trials"


def draw() -> Path | None:
    """One panel a system."""
    return draw_panels(TITLES, label, METHODS, "constraints.png")


if __name__ == "__main__":
    run_as_told(sys.argv[1:], TRIALS, METHODS)
    print(draw() or "no result yet: --run makes it")
