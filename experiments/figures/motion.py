"""Draws a motion as a stick figure in a GIF.

python experiments/figures/motion.py FILE.asf FILE.amc --output walk.gif
python experiments/figures/motion.py FILE.bvh --output walk.gif
python experiments/figures/motion.py                                 docs/walk.gif: the walk that is generated
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax

from imaginax.data.mocap import Motion, Skeleton, amc, asf, bvh, humanoid, walk
from imaginax.runtime.animation import animate
from imaginax.types import ConfigError

WALK = Path(__file__).parents[2] / "docs" / "walk.gif"


def load(files: list[Path], rate: float, metres: float) -> tuple[Skeleton, Motion]:
    """What the files hold; without any, the generated walk."""
    kinds = [path.suffix.lower() for path in files]
    if not files:
        return humanoid(), walk(jax.random.key(0))
    if kinds == [".bvh"]:
        return bvh.read(files[0], metres=metres)
    if kinds == [".asf", ".amc"]:
        skeleton = asf.read(files[0])
        return skeleton, amc.read(files[1], skeleton, rate=rate)
    raise ConfigError(f"give FILE.asf and FILE.amc, or FILE.bvh, got {' '.join(map(str, files))}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Draws a motion as a stick figure in a GIF.")
    parser.add_argument("files", nargs="*", type=Path, help="FILE.asf FILE.amc, or FILE.bvh")
    parser.add_argument("--output", type=Path, default=WALK, help="default: docs/walk.gif")
    parser.add_argument("--rate", type=float, default=amc.CMU_RATE, help="frames a second of the AMC file")
    parser.add_argument("--metres", type=float, default=bvh.CENTIMETRE, help="a unit of the BVH file")
    arguments = parser.parse_args()
    try:
        skeleton, motion = load(arguments.files, arguments.rate, arguments.metres)
    except ConfigError as error:
        sys.exit(str(error))
    print(animate(arguments.output, skeleton, motion))


if __name__ == "__main__":
    main()
