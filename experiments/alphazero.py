"""AlphaZero (Silver et al. 2018): `python experiments/alphazero.py --help`, or `imaginax train alphazero`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "alphazero", *sys.argv[1:]]))
