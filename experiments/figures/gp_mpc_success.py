"""GP-MPC Fig. 2: success rate against trials, with its standard error, of two swing-ups.

    python experiments/figures/gp_mpc_success.py          draws results/gp_mpc/success.png
    python experiments/figures/gp_mpc_success.py --run    runs everything first, ten seeds each
    python experiments/figures/gp_mpc_success.py --run gpmpc_cartpole gp_mpc 5    one of them, five seeds

A trial takes 3 s; the first is random. A method whose result is not there is left out of the figure.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from gp_mpc_runs import LABELS, RESULTS, available, run

from imaginax.runtime import plotting

TRIALS = {"gpmpc_cartpole": 6, "gpmpc_double_pendulum": 8}
TITLES = {"gpmpc_cartpole": "cart-pole", "gpmpc_double_pendulum": "double pendulum"}
METHODS = ("gp_mpc", "zero_variance", "pilco")


def draw() -> Path | None:
    """One panel an environment; trial 0 is the random one."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = [env for env in TITLES if available(env)]
    if not shown:
        return None
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(5 * len(shown) + 1, 4), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, env in zip(panels, shown, strict=True):
            for method, record in available(env).items():
                if method not in METHODS:
                    continue
                success = np.array(record["success"], float)
                rate = success.mean(0)
                error = np.sqrt(rate * (1 - rate) / len(success))
                label = f"{LABELS[method]}, {len(success)} seeds"
                axes.errorbar(range(len(rate)), rate, error, marker="o", capsize=3, label=label)
            axes.axhline(0.9, color="#888888", linestyle="--", linewidth=1)
            axes.set(title=TITLES[env], xlabel="trial (3 s each, the first is random)", ylim=(-0.05, 1.1))
            axes.legend(loc="lower right")
        panels[0].set_ylabel("success rate")
        path = RESULTS / "success.png"
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
