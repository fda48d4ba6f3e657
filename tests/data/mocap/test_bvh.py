"""The reader against a file written by hand; every fault is one error that names the line."""

import re

import jax
import numpy as np
import pytest

from imaginax.data.mocap import MotionFileError, bvh, forward_kinematics
from imaginax.types import ConfigError
from tests.data.mocap import writers

TEXT = """HIERARCHY
ROOT Hips
{
  OFFSET 9 9 9
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Left Knee
  {
    OFFSET 0 -2 0
    CHANNELS 1 Xrotation
    End Site
    {
      OFFSET 0 -1 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.05
1 2 3 0 0 0 0
1 2 3 0 90 90 90
"""


def test_reads_what_the_file_says():
    skeleton, motion = bvh.parse(TEXT)
    assert skeleton.joints == ("Hips", "Left Knee", "Left Knee end")
    assert skeleton.channels[3:] == ("Hips.rz", "Hips.rx", "Hips.ry", "Left Knee.rx")
    assert motion.step_seconds == 0.05 and skeleton.metres == 0.01
    with jax.enable_x64(True):
        points = np.asarray(forward_kinematics(skeleton, motion.values))
    np.testing.assert_allclose(points[0], [[1, 2, 3], [1, 0, 3], [1, -1, 3]], atol=1e-12)
    # Rx(90) Ry(90): down becomes back, and the knee's bend turns back into right (x).
    np.testing.assert_allclose(points[1], [[1, 2, 3], [1, 2, 1], [0, 2, 1]], atol=1e-12)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("HIERARCHY", "HIERARCHIES", "line 1: a BVH file starts with HIERARCHY"),
        ("ROOT Hips", "JOINT Hips", "line 2: expected ROOT, got 'JOINT Hips'"),
        ("ROOT Hips", "ROOT", "line 2: ROOT has no name"),
        ("Hips\n{", "Hips\n[", "line 3: expected { after 'Hips'"),
        ("OFFSET 9 9 9", "OFFSET 9 9", "line 4: OFFSET takes 3 numbers, got 2"),
        ("CHANNELS 6", "CHANNELS 5", "line 5: 5 channels promised, got 6"),
        ("CHANNELS 6", "CHANNELS six", "line 5: the number of channels must be a whole number"),
        ("Zrotation", "Wrotation", "line 5: unknown channel 'Wrotation'"),
        ("Zrotation", "Yrotation", "line 5: a channel comes twice"),
        ("JOINT Left Knee", "JOINT Hips", "line 6: there is already a joint 'Hips'"),
        ("JOINT Left Knee", "BONE Knee", "line 6: expected JOINT, End Site or }"),
        ("OFFSET 0 -1 0", "OFFSET 0 -1 0\nCHANNELS 1 Xrotation", "line 13: an end site holds nothing"),
        ("  }\n}\nMOTION", "}\nMOTION", "line 15: expected JOINT, End Site or }, got 'MOTION'"),
        ("MOTION", "ROOT Other", "line 16: expected MOTION, got 'ROOT Other'"),
        ("Frames: 2", "Frames: -2", "line 17: Frames: must be a whole number, got '-2'"),
        ("1 2 3 0 0 0 0\n1 2 3 0 90 90 90\n", "", "line 18: the file ends without a frame"),
        ("Frame Time: 0.05", "Time: 0.05", "line 18: expected Frame Time: and a number, got 'Time: 0.05'"),
        ("Time: 0.05", "Time: nan", "line 18: Frame Time:: 'nan' is no number"),
        ("Time: 0.05", "Time: 0", "line 18: must be positive"),
        ("1 2 3 0 0 0 0", "1 2 3 0 0 0", "line 19: frame 1 takes 7 numbers, got 6"),
        ("0 90 90 90", "0 90 90 inf", "line 20: frame 2: 'inf' is no number"),
        (TEXT[TEXT.index("MOTION") :], "", "line 15: the file ends before MOTION"),
        (TEXT[TEXT.index("OFFSET 0 -1") :], "", "line 11: the file ends before OFFSET"),
    ],
)
def test_a_fault_is_named_with_its_line(old, new, message):
    assert old in TEXT
    with pytest.raises(MotionFileError, match="^walk.bvh, " + re.escape(message)):
        bvh.parse(TEXT.replace(old, new, 1), name="walk.bvh")


def same(text):
    """Whether a text says what TEXT says."""
    skeleton, motion = bvh.parse(text)
    for found, expected in ((skeleton, bvh.parse(TEXT)[0]), (motion, bvh.parse(TEXT)[1])):
        jax.tree.map(np.testing.assert_array_equal, found._asdict(), expected._asdict())


@pytest.mark.parametrize(
    "old, new",
    [
        ("Frames: 2\nFrame Time: 0.05", "Frames:2\nFrame Time:0.05"),
        ("Frames: 2\nFrame Time: 0.05", "frames : 2 Frame  Time\t:\t.05"),
        ("Frames: 2\nFrame Time: 0.05", "FRAMES 2\nFrameTime: 5e-2"),
        ("MOTION\nFrames", "motion Frames"),
        ("HIERARCHY\nROOT Hips\n{\n", "Hierarchy Root Hips{"),
        ("OFFSET 0 -2 0\n    CHANNELS 1 Xrotation\n", "Offset 0 -2 0 Channels 1 XROTATION "),
        ("OFFSET 0 -2 0\n    CHANNELS 1 Xrotation\n", "CHANNELS1Xrotation\nOFFSET-0 -2 0\n"),
        ("6 Xposition Yposition", "6XpositionYposition"),
        ("End Site\n    {\n      OFFSET 0 -1 0\n    }\n  }\n}\n", "End Site { OFFSET 0 -1 0 } } }\n"),
        ("End Site\n    {\n      OFFSET 0 -1 0\n    }\n  }\n}\n", "EndSite{OFFSET 0 -1 0}}} "),
    ],
)
def test_spaces_line_breaks_and_capitals_mean_nothing(old, new):
    assert old in TEXT
    same(TEXT.replace(old, new))


def test_a_hierarchy_may_stand_on_one_line():
    tree, frames = TEXT.split("MOTION")
    same(
        " ".join(tree.replace("Left Knee", "LeftKnee").split()).replace("LeftKnee", "Left Knee")
        + "MOTION"
        + frames
    )


def test_a_keyword_may_be_a_name():
    for name in ("root", "Offset", "End", "Frame"):
        assert bvh.parse(TEXT.replace("Hips", name))[0].joints[0] == name


def test_a_joint_without_channels_does_not_move():
    text = (
        TEXT.replace("    CHANNELS 1 Xrotation\n", "")
        .replace("0 0 0 0\n", "0 0 0\n")
        .replace("90 90 90", "90 90")
    )
    skeleton, motion = bvh.parse(text)
    assert skeleton.joints == ("Hips", "Left Knee", "Left Knee end") and motion.values.shape == (2, 6)
    points = np.asarray(forward_kinematics(skeleton, motion.values))
    np.testing.assert_allclose(points[0], [[1, 2, 3], [1, 0, 3], [1, -1, 3]], atol=1e-6)


@pytest.mark.parametrize("promised", [1, 3, 0, 999999999])
def test_frames_are_read_however_many_are_promised(promised, caplog):
    _, motion = bvh.parse(TEXT.replace("Frames: 2", f"Frames: {promised}"), name="walk.bvh")
    np.testing.assert_array_equal(motion.values, bvh.parse(TEXT)[1].values)
    frames = "1 frame" if promised == 1 else f"{promised} frames"
    assert caplog.messages == [f"walk.bvh, line 17: {frames} promised, but there are 2: these are read"]


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-8", "utf-8-sig", "utf-16"])
def test_names_in_japanese(encoding, tmp_path):
    """In Shift-JIS the second byte of the first one is {, of the second one }."""
    text = TEXT.replace("JOINT Left Knee", "JOINT 左ボーン・ひざ").replace(
        "  }\n}\n", "  }\n  JOINT 左ボソア\n{OFFSET 1 0 0}}\n"
    )
    path = tmp_path / "walk.bvh"
    path.write_bytes(text.encode(encoding))
    assert bvh.read(path)[0].joints == ("Hips", "左ボーン・ひざ", "左ボーン・ひざ end", "左ボソア")


def test_deep_trees_need_no_recursion():
    depth = 2000
    joints = "".join(f"JOINT j{n} {{\nOFFSET 0 1 0\nCHANNELS 0\n" for n in range(depth))
    text = f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n{joints}{'}' + chr(10)}"
    text += "}\n" * depth + "MOTION\nFrames: 1\nFrame Time: 1\n3\n"
    assert len(bvh.parse(text)[0].joints) == depth + 1


def test_any_fault_is_that_error_or_none():
    bones = writers.random_bones(3, 4)
    names, rng, faults = writers.channels(bones, writers.ROOTS[0]), np.random.default_rng(0), 0
    text = writers.bvh_text(bones, writers.ROOTS[0], names, writers.random_values(0, names, 3))
    for _ in range(2000):
        try:
            assert np.isfinite(bvh.parse(writers.mutated(text, rng), name="fuzz")[1].values).all()
        except MotionFileError as error:
            assert re.match(r"fuzz, line \d+: .+$", str(error)), error
            faults += 1
    assert 1000 < faults < 2000


def test_a_unit_is_positive(tmp_path):
    with pytest.raises(ConfigError, match="metres must be positive"):
        bvh.read(tmp_path / "walk.bvh", metres=-1.0)
