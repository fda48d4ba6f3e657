"""Worked out by hand, against the columns of the published code, and there and back again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginax.data.mocap import PUBLISHED, Motion, PreprocessingConfig, prepare, restore
from imaginax.data.mocap.preprocessing import segment
from imaginax.types import ConfigError

# The 62 columns in the order of the CMU archive's AMC files: bone and number of degrees of freedom.
CMU = (
    "root 6 lowerback 3 upperback 3 thorax 3 lowerneck 3 upperneck 3 head 3 rclavicle 2 rhumerus 3 rradius 1 "
)
CMU += "rwrist 1 rhand 2 rfingers 1 rthumb 2 lclavicle 2 lhumerus 3 lradius 1 lwrist 1 lhand 2 lfingers 1 "
CMU += "lthumb 2 rfemur 3 rtibia 1 rfoot 2 rtoes 1 lfemur 3 ltibia 1 lfoot 2 ltoes 1"
# What J. Wang's loadMocapData removes of them, counted from 1.
MASK = [32, 33, 34, 35, 36, 44, 45, 46, 47, 48, 55, 62]
NAMES = ("root.tx", "root.ty", "root.tz", "hip.rx", "hip.ry", "toe.rx")


def _cmu_channels() -> tuple[str, ...]:
    words = CMU.split()
    counts = zip(words[::2], map(int, words[1::2]), strict=True)
    dofs = {6: ("tx", "ty", "tz", "rx", "ry", "rz"), 3: ("rx", "ry", "rz"), 2: ("rx", "rz"), 1: ("rx",)}
    return tuple(f"{bone}.{dof}" for bone, count in counts for dof in dofs[count])


def _motion(seed: int, frames: int, names=NAMES) -> Motion:
    values = np.random.default_rng(seed).normal(size=(frames, len(names))).cumsum(0)
    return Motion(values, tuple(names), 1 / 120)


def test_the_published_columns_frames_and_velocities():
    motion = _motion(0, 316, _cmu_channels())
    prepared = prepare([motion], PUBLISHED)
    assert prepared.values.shape == (130, 50) and prepared.step_seconds == 2 / 120
    columns = np.delete(np.arange(62), np.array(MASK) - 1)
    assert prepared.kept.tolist() == columns.tolist()
    expected = motion.values[0:260:2][:, columns]
    expected[:-1, :3] = expected[1:, :3] - expected[:-1, :3]
    expected[-1, :3] = expected[-2, :3]
    np.testing.assert_allclose(prepared.values, expected - expected.mean(0), atol=1e-12)
    assert prepared.names[:4] == ("root.tx", "root.ty", "root.tz", "root.rx")


def test_a_small_case_by_hand():
    values = np.array([[0, 0, 0, 1, 5, 3], [9, 9, 9, 9, 9, 9], [1, 2, 4, 2, 5, 4], [3, 2, 5, 6, 5, 5.0]])
    config = PreprocessingConfig(every=1, unused=("toe",), drop_constant=True, velocities=("root.tz",))
    prepared = prepare([Motion(np.delete(values, 1, 0), NAMES, 0.1)], config)
    assert prepared.names == ("root.tx", "root.ty", "root.tz", "hip.rx")
    np.testing.assert_allclose(prepared.mean, [4 / 3, 4 / 3, 2, 3])
    np.testing.assert_allclose(
        prepared.values + prepared.mean, [[0, 0, 4, 1], [1, 2, 1, 2], [3, 2, 1, 6]], atol=1e-15
    )
    filled = restore(prepared, np.zeros((2, 4)))
    np.testing.assert_allclose(filled.values, [[4 / 3, 4 / 3, 0, 3, 5, 3], [4 / 3, 4 / 3, 2, 3, 5, 3]])
    assert filled.channels == NAMES and filled.step_seconds == 0.1


@given(
    st.lists(st.integers(8, 30), min_size=1, max_size=3),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)
def test_restore_is_the_inverse_for_every_sequence(lengths, every, centred, drop_constant, start):
    motions = [_motion(seed, length) for seed, length in enumerate(lengths)]
    config = PreprocessingConfig(start=start, every=every, centred=centred, drop_constant=drop_constant)
    prepared = prepare(motions, config)
    assert len(prepared.starts) == len(motions)
    if centred:
        np.testing.assert_allclose(prepared.values.mean(0), 0, atol=1e-12)
    for number, motion in enumerate(motions):
        again = restore(prepared, segment(prepared, number), number)
        np.testing.assert_allclose(again.values, motion.values[start::every], atol=1e-10)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"start": -1}, "start must not be negative"),
        ({"stop": 0}, "stop must be greater than start"),
        ({"every": 0}, "every must be at least 1"),
    ],
)
def test_a_config_that_cannot_work(fields, message):
    with pytest.raises(ConfigError, match=message):
        PreprocessingConfig(**fields)


def test_motions_that_do_not_fit():
    motion, config = _motion(0, 9), PreprocessingConfig()
    for motions, used, message in (
        ([], config, "no motion"),
        ([motion, _motion(0, 9, NAMES[:5])], config, "channels differ"),
        ([motion, motion._replace(step_seconds=1.0)], config, "one rate"),
        ([motion], PreprocessingConfig(every=9), "at least two frames"),
        ([motion], PUBLISHED, "unused names bones .*'rhand'"),
        ([motion], PreprocessingConfig(velocities=("hips.tx",)), "velocities names 'hips.tx'"),
        ([motion], PreprocessingConfig(unused=("root",)), "velocities names 'root.tx', which is left out"),
    ):
        with pytest.raises(ConfigError, match=message):
            prepare(motions, used)
    with pytest.raises(ConfigError, match="values need 6 columns"):
        restore(prepare([motion], config), np.zeros((3, 5)))
