"""The reader against motions that a helper wrote; every fault is one error that names the line."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginax.data.mocap import MotionFileError, PreprocessingConfig, amc, asf, gaps, prepare
from imaginax.types import ConfigError
from tests.data.mocap import writers
from tests.data.mocap.test_asf import TEXT

SKELETON = asf.parse(TEXT)
MOTION = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
7
root 1 2 3 4 5 6
hip 7 8
8
hip -7 1e-3
root 0 0 0 0 0 0
"""


def test_reads_frames_in_any_order_of_bones():
    motion = amc.parse(MOTION, SKELETON)
    np.testing.assert_array_equal(motion.values, [[1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0, 0, 0, 0, -7, 1e-3]])
    assert motion.channels == SKELETON.channels and motion.step_seconds == 1 / 120
    radians = amc.parse(MOTION.replace("DEGREES", "RADIANS"), SKELETON, rate=60.0)
    scale = np.where(np.arange(8) < 3, 1, np.rad2deg(1))  # positions stay what they are
    np.testing.assert_allclose(radians.values, motion.values * scale)
    assert radians.step_seconds == 1 / 60


@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(1, 4), st.booleans())
def test_reads_back_what_was_written(seed, count, frames, reverse):
    bones = writers.random_bones(seed, count)
    skeleton = asf.parse(writers.asf_text(bones))
    names = list(skeleton.channels)
    values = writers.random_values(seed, names, frames)
    motion = amc.parse(writers.amc_text(names, values, reverse=reverse), skeleton)
    np.testing.assert_array_equal(motion.values, values)


@pytest.mark.parametrize(
    "old, new, message",
    [
        (":DEGREES", ":GRADES", "line 3: unknown keyword ':GRADES'"),
        ("7\nroot", "root", "line 4: 'root' stands before the first frame's number"),
        ("7\nroot", "7.5\nroot", "line 4: a frame's number must be a whole number, got '7.5'"),
        ("7\nroot", "7 7\nroot", "line 4: a frame's number stands alone"),
        ("root 1 2 3 4 5 6", "root 1 2 3 4 5", "line 5: bone 'root' takes 6 numbers, got 5"),
        ("root 1 2 3", "root 1 2 nan", "line 5: bone 'root': 'nan' is no number"),
        ("root 1 2 3", "root 1 2 -inf", "line 5: bone 'root': '-inf' is no number"),
        ("root 1 2 3", "root 1 2 1e300", "line 5: bone 'root': '1e300' is no number of at most 1e+09"),
        ("hip 7 8", "hip 7 eight", "line 6: bone 'hip': 'eight' is no number"),
        ("hip 7 8", "hop 7 8", "line 6: there is no bone 'hop'"),
        ("hip 7 8", "knee 7 8", "line 6: bone 'knee' has no degree of freedom"),
        ("hip 7 8", "root 1 2 3 4 5 6", "line 6: bone 'root' comes twice in frame 7"),
        ("hip 7 8\n", "", "line 6: frame 8 begins, but of frame 7 1 bone ('hip') is missing"),
        ("hip 7 8\n", "hip 7 8\n:DEGREES\n", "line 7: ':DEGREES' after the first frame"),
        ("\n8\n", "\n7\n", "line 7: frame 7 comes twice"),
        ("\n8\n", "\n10008\n", "line 7: frame 10008 is out of order: it follows frame 7"),
        (":DEGREES", ":SAMPLES-PER-SECOND 0", "line 3: a rate must be positive"),
        (":DEGREES", ":SAMPLES-PER-SECOND", "line 3: :samples-per-second takes 1 number, got 0"),
        ("\n8\n", "\n6\n", "line 7: frame 6 is out of order"),
        ("root 0 0 0 0 0 0\n", "", "line 8: the file ends inside frame 8: 1 bone ('root') is missing"),
        (MOTION, ":DEGREES\n", "line 1: the file ends without a frame"),
        (MOTION, "", "line 0: the file is empty"),
    ],
)
def test_a_fault_is_named_with_its_line(old, new, message):
    assert MOTION.count(old) == 1
    with pytest.raises(MotionFileError, match="^walk.amc, " + re.escape(message)):
        amc.parse(MOTION.replace(old, new), SKELETON, name="walk.amc")


def numbered(*numbers):
    return "".join(f"{n}\nroot {n} 0 0 0 0 0\nhip 0 0\n" for n in numbers)


def test_frames_that_are_left_out_are_gaps(caplog):
    motion = amc.parse(numbered(3, 4, 7, 8), SKELETON, name="walk.amc")
    np.testing.assert_array_equal(motion.values[:, 0], [3, 4, np.nan, np.nan, 7, 8])
    assert motion.step_seconds == 1 / 120
    assert caplog.messages == ["walk.amc, line 7: 2 frames missing from here on; they are NaN"]
    missing = gaps.missing(motion.values)
    np.testing.assert_array_equal(gaps.fill_linear(motion.values, missing)[:, 0], [3, 4, 5, 6, 7, 8])
    with pytest.raises(ConfigError, match="2 of the 6 frames that are kept are missing, the first at 2"):
        prepare([motion], PreprocessingConfig(every=1))
    assert np.isfinite(prepare([motion], PreprocessingConfig(start=4, every=1)).values).all()


def test_numbers_that_are_multiples_apart_are_longer_steps(caplog):
    motion = amc.parse(numbered(1, 5, 13), SKELETON, name="walk.amc")
    np.testing.assert_array_equal(motion.values[:, 0], [1, 5, np.nan, 13])
    np.testing.assert_allclose(motion.step_seconds, 4 / 120)
    assert len(caplog.messages) == 2 and "walk.amc, line 4: the numbers of frames are" in caplog.messages[0]


def test_the_rate_is_that_of_the_caller_or_else_of_the_file():
    text = MOTION.replace(":DEGREES", ":DEGREES\n:Samples-Per-Second 60")
    assert amc.parse(text, SKELETON).step_seconds == 1 / 60
    assert amc.parse(text, SKELETON, rate=30.0).step_seconds == 1 / 30


def test_capitals_of_names_mean_nothing():
    for text in (MOTION.upper(), MOTION.lower()):
        np.testing.assert_array_equal(amc.parse(text, SKELETON).values, amc.parse(MOTION, SKELETON).values)


def test_a_rate_is_positive(tmp_path):
    with pytest.raises(ConfigError, match="rate must be positive"):
        amc.read(tmp_path / "walk.amc", SKELETON, rate=0.0)


def test_any_fault_is_that_error_or_none():
    bones = writers.random_bones(3, 4)
    skeleton = asf.parse(writers.asf_text(bones))
    names, rng, faults = list(skeleton.channels), np.random.default_rng(0), 0
    text = writers.amc_text(names, writers.random_values(0, names, 3))
    for _ in range(2000):
        try:
            values = amc.parse(writers.mutated(text, rng), skeleton, name="fuzz").values
            assert np.isfinite(values[~np.isnan(values).all(1)]).all()
        except MotionFileError as error:
            assert re.match(r"fuzz, line \d+: .+$", str(error)), error
            faults += 1
    assert 1000 < faults < 2000
