"""GPDM (Wang, Fleet, Hertzmann 2005, 2008): `python experiments/gpdm.py --help`, or `imaginax train gpdm`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "gpdm", *sys.argv[1:]]))
