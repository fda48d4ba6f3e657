"""MuZero on the cart-pole: results/muzero/cartpole.json.

imaginax train muzero --env cartpole --seeds 3 --logdir runs/muzero-cartpole
python experiments/figures/muzero_cartpole.py [RUN]
"""

from __future__ import annotations

import sys
from pathlib import Path

from imaginax.runtime import plotting
from imaginax.runtime.run_directory import read_json

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "muzero" / "cartpole.json"
RUN = ROOT / "runs" / "muzero-cartpole"

if __name__ == "__main__":
    logdir = Path(sys.argv[1]) if sys.argv[1:] else RUN
    evaluated = read_json(logdir / "summary.json")["eval_return_per_seed"]
    record = plotting.results_record(logdir, eval_return_per_seed=evaluated)
    print(evaluated, plotting.write_results(RESULT, record))
