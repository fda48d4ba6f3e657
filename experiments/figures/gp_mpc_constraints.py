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
from gp_mpc_runs import LABELS, RESULTS, available, run

from imaginax.runtime import plotting

TRIALS = {"gpmpc_cartpole_wall": 6, "gpmpc_double_pendulum_wall": 8}
TITLES = {
    "gpmpc_cartpole_wall": "cart-pole with a wall",
    "gpmpc_double_pendulum_wall": "double pendulum, 340 degrees",
}
METHODS = ("pilco", "mean", "gp_mpc")


def violations(record: dict) -> float:
    """Violations per 100 trials, the random trial left out."""
    return 100 * float(np.array(record["violated"], float)[:, 1:].mean())


def draw() -> Path | None:
    """Success against trials, one panel an environment; the legend holds Table 1."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = [env for env in TITLES if available(env)]
    if not shown:
        return None
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5 * len(shown) + 1, 4), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, env in zip(panels, shown, strict=True):
            found = available(env)
            for method in (method for method in METHODS if method in found):
                record = found[method]
                success = np.array(record["success"], float)
                rate = success.mean(0)
                error = np.sqrt(rate * (1 - rate) / len(success))
                label = f"{LABELS[method]}: {violations(record):.0f} violations in 100 trials"
                axes.errorbar(range(len(rate)), rate, error, marker="o", capsize=3, label=label)
            axes.set(title=TITLES[env], xlabel="trial (3 s each, the first is random)", ylim=(-0.05, 1.1))
            axes.legend(loc="upper left")
        panels[0].set_ylabel("success rate")
        path = RESULTS / "constraints.png"
        figure.savefig(path)
    return path


if __name__ == "__main__":
    words = sys.argv[1:]
    if "--run" in words:
        chosen = words[words.index("--run") + 1 :]
        seeds = int(chosen[2]) if len(chosen) > 2 else 10
        for env in chosen[:1] or TRIALS:
            for method in chosen[1:2] or METHODS:
                print(run(env, method, trials=TRIALS[env], seeds=seeds))
    print(draw() or "no result yet: --run makes it")
