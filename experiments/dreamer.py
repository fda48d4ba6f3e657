"""Dreamer (Hafner et al. 2020): `python experiments/dreamer.py --help`, or `imaginax train dreamer`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "dreamer", *sys.argv[1:]]))
