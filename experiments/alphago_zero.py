"""AlphaGo Zero (Silver et al. 2017): the same as `imaginax train alphago_zero`, whose `--help` tells more."""

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "alphago_zero", *sys.argv[1:]]))
