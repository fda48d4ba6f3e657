"""PlaNet (Hafner et al. 2019): `python experiments/planet.py --help`, or `imaginax train planet`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "planet", *sys.argv[1:]]))
