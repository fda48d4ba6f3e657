"""PILCO (Deisenroth & Rasmussen 2011): `python experiments/pilco.py --help`; as `imaginax train pilco`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "pilco", *sys.argv[1:]]))
