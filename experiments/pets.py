"""PETS (Chua et al. 2018): `python experiments/pets.py --help`; the same as `imaginax train pets`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "pets", *sys.argv[1:]]))
