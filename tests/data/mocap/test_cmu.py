"""Subject 07 of the CMU archive, where IMAGINAX_MOCAP names a folder that has it: facts and known numbers."""

import os
from pathlib import Path

import numpy as np
import pytest

from imaginax.data.mocap import PUBLISHED, amc, asf, forward_kinematics, gaps, prepare

FOLDER = Path(os.environ.get("IMAGINAX_MOCAP", "nowhere"))

pytestmark = pytest.mark.skipif(
    not (FOLDER / "07-walk.asf").exists(), reason="IMAGINAX_MOCAP names no folder with 07-walk.asf"
)


@pytest.fixture(scope="module")
def skeleton():
    return asf.read(FOLDER / "07-walk.asf")


@pytest.mark.parametrize("name, frames", [("07_01.amc", 316), ("07_02.amc", 329)])
def test_feet_are_on_the_ground_and_steps_are_even(skeleton, name, frames):
    motion = amc.read(FOLDER / name, skeleton)
    assert motion.values.shape == (frames, 62) and len(skeleton.joints) == 31
    points = skeleton.metres * np.asarray(forward_kinematics(skeleton, motion.values))
    place = {joint: points[:, number] for number, joint in enumerate(skeleton.joints)}
    lowest = np.stack([place[side + bone][:, 1] for side in "lr" for bone in ("foot", "toes")]).min(0)
    assert -0.02 < lowest.min() and lowest.max() < 0.08
    assert 1.5 < place["head"][:, 1].mean() < 1.65
    reach = place["lfoot"][:, 2] - place["rfoot"][:, 2]
    assert abs(reach.max() + reach.min()) < 0.1 < 0.5 < reach.max(), "left and right steps are as long"
    assert (place["lhand"][:, 0] > place["rhand"][:, 0]).all()


@pytest.mark.parametrize(
    "start, stop, errors",
    [
        (40, 60, (8.575, 3.763, 3.905)),
        (30, 80, (9.715, 11.297, 12.116)),
        (50, 100, (9.787, 9.449, 11.044)),
    ],
)
def test_gaps_are_filled_as_well_as_recorded(skeleton, start, stop, errors):
    prepared = prepare([amc.read(FOLDER / "07_01.amc", skeleton)], PUBLISHED)
    missing = gaps.gap(len(prepared.values), start, stop)
    fills = (gaps.fill_mean, gaps.fill_linear, gaps.fill_cubic)
    found = [gaps.rmse(prepared.values, fill(prepared.values, missing), missing) for fill in fills]
    np.testing.assert_allclose(found, errors, atol=6e-4)
