"""The reader against skeletons that a helper wrote; every fault is one error that names the line."""

import re

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginax.data.mocap import MotionFileError, asf, forward_kinematics
from tests.data.mocap import writers

TEXT = """:units
  length 0.5
  angle deg
:documentation
  anything: at all
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name hip
    direction 0 2 0
    length 3
    axis 0 0 90 XYZ
    dof rx rz
    limits (-20.0 45.0)
           (-inf inf)
  end
  begin
    name knee
    direction 1 0 0
    length 4
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root hip
    hip knee
  end
"""


def test_reads_what_the_file_says():
    skeleton = asf.parse(TEXT)
    assert skeleton.joints == ("root", "hip", "knee")
    assert skeleton.parents.tolist() == [-1, 0, 1] and skeleton.carriers.tolist() == [-1, 1, 2]
    assert skeleton.channels[-2:] == ("hip.rx", "hip.rz") and len(skeleton.channels) == 8
    np.testing.assert_allclose(skeleton.offsets, [[0, 0, 0], [0, 3, 0], [4, 0, 0]])  # scaled to its length
    np.testing.assert_allclose(skeleton.frames[1], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    assert skeleton.limits[-2:].tolist() == [[-20, 45], [-np.inf, np.inf]]
    np.testing.assert_allclose(skeleton.metres, 2 * 0.0254)


def test_capitals_and_commas_mean_nothing():
    expected = asf.parse(TEXT)._asdict()
    for text in (TEXT.upper(), TEXT.replace("root hip", "ROOT Hip"), TEXT.replace("0 0 90", "0,0, 90 ,")):
        found = asf.parse(text)
        found = found._replace(joints=tuple(name.lower() for name in found.joints))
        found = found._replace(channels=tuple(name.lower() for name in found.channels))
        jax.tree.map(np.testing.assert_array_equal, found._asdict(), expected)


def test_the_position_of_the_root_is_added_to_the_motion():
    skeleton = asf.parse(TEXT.replace("position 0 0 0", "position 1 2 3"))
    values = np.array([[10.0, 20, 30, 0, 0, 90, 0, 0]])
    points = np.asarray(forward_kinematics(skeleton, values))
    np.testing.assert_allclose(points[0, 0], [11, 22, 33], atol=1e-5)
    np.testing.assert_allclose(
        points, forward_kinematics(asf.parse(TEXT), values) + points[0, 0] - values[0, :3], atol=1e-5
    )


def test_radians_and_other_orders_of_the_file():
    bones = writers.random_bones(1, 5)
    radians = [bone._replace(axis=np.deg2rad(bone.axis)) for bone in bones]
    first = asf.parse(writers.asf_text(bones))
    second = asf.parse(writers.asf_text(radians, units="angle rad"))
    np.testing.assert_allclose(first.frames, second.frames, atol=1e-12)
    np.testing.assert_allclose(np.rad2deg(first.limits), second.limits)
    shuffled = asf.parse(writers.asf_text(bones[::-1]))
    assert sorted(shuffled.joints) == sorted(first.joints) and shuffled.joints[0] == "root"
    assert all(parent < joint for joint, parent in enumerate(shuffled.parents))


@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from(writers.ROOTS))
def test_reads_back_what_was_written(seed, count, root):
    bones = writers.random_bones(seed, count)
    skeleton = asf.parse(writers.asf_text(bones, root))
    assert list(skeleton.channels) == writers.channels(bones, root)
    for bone in bones:
        joint = skeleton.joints.index(bone.name)
        assert skeleton.joints[skeleton.parents[joint]] == bone.parent
        np.testing.assert_allclose(skeleton.offsets[joint], bone.direction * bone.length, rtol=1e-12)


@pytest.mark.parametrize(
    "old, new, message",
    [
        (":units", ":unit", "line 1: unknown section ':unit'"),
        (":units", ":root", "line 6: section :root comes twice"),
        (":units", "units", "line 1: 'units' stands before the first section"),
        ("angle deg", "angle grad", "line 3: angle must be deg or rad"),
        ("length 0.5", "length 0", "line 2: length must be positive"),
        ("length 0.5", "length nan", "line 2: length: 'nan' is no number"),
        ("length 0.5", "size 0.5", "line 2: unknown keyword 'size' in :units"),
        ("order TX TY TZ RX RY RZ", "order TX TY TZ RX RY RW", "line 7: degree of freedom 'rw' is not"),
        ("  order TX TY TZ RX RY RZ\n", "", "line 6: the root has no order"),
        ("orientation 0 0 0", "orientation 0 0 1", "line 10: a root whose orientation is not 0 0 0"),
        ("position 0 0 0", "position 0 0", "line 9: position takes 3 numbers, got 2"),
        ("name hip", "", "line 21: the bone that begins on line 12 has no name"),
        ("name knee", "name hip", "line 23: there is already a bone 'hip'"),
        ("direction 0 2 0", "direction 0 2", "line 15: direction takes 3 numbers, got 2"),
        ("direction 0 2 0", "direction 0 0 0", "line 15: a direction must not be 0 0 0"),
        ("direction 0 2 0", "direction 0 1e999 0", "line 15: direction: '1e999' is no number"),
        ("length 3", "length 1_0", "line 16: length: '1_0' is no number"),
        ("length 3", "length -3", "line 16: length must not be negative"),
        ("length 3", "length 3\n    length 3", "line 17: length comes twice in a bone"),
        ("0 0 90 XYZ", "0 0 90", "line 17: an axis ends with an order such as XYZ"),
        ("0 0 90 XYZ", "0 0 90 XYX", "line 17: an axis ends with an order"),
        ("dof rx rz", "dof rx tz", "line 18: degree of freedom 'tz' is not supported"),
        ("dof rx rz", "dof rx rx", "line 18: degrees of freedom must be named, and each once"),
        ("(-inf inf)", "(-inf)", "line 19: limits take 4 numbers, got 3"),
        ("(-inf inf)", "(-inf nan)", "line 19: limits: 'nan' is no number"),
        ("  end\n:hier", ":hier", "line 26: the file ends inside a bone"),
        ("root hip", "root hop", "line 30: there is no bone 'hop'"),
        ("hip knee", "hip root", "line 31: root has no parent"),
        ("root hip", "root hip knee", "line 31: 'knee' has already a parent"),
        ("root hip\n    hip knee", "root hip", "line 28: bones without a parent: 'knee'"),
        ("root hip\n    hip knee", "knee hip\n    hip knee", "line 30: the parents of 'hip' form a cycle"),
        ("    hip knee\n  end\n", "    hip knee\n", "line 31: the file ends inside the hierarchy"),
    ],
)
def test_a_fault_is_named_with_its_line(old, new, message):
    assert TEXT.count(old) == 1 or old in (":units", "length 3")
    with pytest.raises(MotionFileError, match="^walk.asf, " + re.escape(message)):
        asf.parse(TEXT.replace(old, new, 1), "walk.asf")


@pytest.mark.parametrize("end", [":hierarchy", ":bonedata", ":root"])
def test_a_missing_section(end):
    with pytest.raises(MotionFileError, match=f"the file ends without the section {end}"):
        asf.parse(TEXT[: TEXT.index(end)])


def test_files_that_are_none(tmp_path):
    path = tmp_path / "walk.asf"
    with pytest.raises(MotionFileError, match="walk.asf cannot be read: No such file"):
        asf.read(path)
    path.write_bytes(TEXT.encode("utf-8-sig").replace(b"\n", b"\r\n"))
    assert asf.read(path).joints == ("root", "hip", "knee")
    for data in (b"", b"# only a comment\n", bytes(range(256)) * 40, b"x" * 2**21):
        path.write_bytes(data)
        with pytest.raises(MotionFileError, match=r"walk\.asf, line \d+: "):
            asf.read(path)
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(MotionFileError, match="more than 536870912"):
        asf.read(path)


def test_any_fault_is_that_error_or_none():
    text, rng, faults = writers.asf_text(writers.random_bones(3, 4)), np.random.default_rng(0), 0
    for _ in range(2000):
        try:
            skeleton = asf.parse(writers.mutated(text, rng), "fuzz")
            assert np.isfinite(skeleton.offsets).all() and np.isfinite(skeleton.frames).all()
        except MotionFileError as error:
            assert re.match(r"fuzz, line \d+: .+$", str(error)), error
            faults += 1
    assert 1000 < faults < 2000
