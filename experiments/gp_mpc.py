"""GP-MPC (Kamthe & Deisenroth 2018): `python experiments/gp_mpc.py --help`; as `imaginax train gp_mpc`."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "gp_mpc", *sys.argv[1:]]))
