"""DreamerV2 (Hafner et al. 2021): `python experiments/dreamerv2.py --help`, or `imaginax train dreamerv2`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "dreamerv2", *sys.argv[1:]]))
