"""MuZero (Schrittwieser et al. 2020): `python experiments/muzero.py --help`, or `imaginax train muzero`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "muzero", *sys.argv[1:]]))
