"""GP-MPC Fig. 2: success rate against trials, with its standard error, of two swing-ups.

    python experiments/figures/gp_mpc_success.py          draws results/gp_mpc/success.png
    python experiments/figures/gp_mpc_success.py --run    runs everything first, ten seeds each
    python experiments/figures/gp_mpc_success.py --run gpmpc_cartpole gp_mpc 5    one of them, five seeds

A trial takes 3 s; the first is random. A method whose result is not there is left out of the figure.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gp_mpc_runs import LABELS, draw_panels, run_as_told

TRIALS = {"gpmpc_cartpole": 6, "gpmpc_double_pendulum": 8}
TITLES = {"gpmpc_cartpole": "cart-pole", "gpmpc_double_pendulum": "double pendulum"}
METHODS = ("gp_mpc", "zero_variance", "pilco")


def label(method: str, record: dict) -> str:
    """The method and how often it ran."""
    return f"{LABELS[method]}, {len(record['success'])} seeds"


def draw() -> Path | None:
    """One panel a system."""
    return draw_panels(TITLES, label, METHODS, "success.png")


if __name__ == "__main__":
    run_as_told(sys.argv[1:], TRIALS, METHODS)
    print(draw() or "no result yet: --run makes it")
