"""Random skeletons, as records, as the text of files, and as positions computed another way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

DOFS = ("", "rx", "rz", "rx ry", "rz rx", "rx ry rz", "ry rz rx", "rz ry rx")
ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
ROOTS = ("TX TY TZ RX RY RZ", "TX TY TZ RZ RY RX", "RY RX RZ TZ TX TY")
GARBAGE = [
    "nan",
    "-inf",
    "1e999",
    "1_0",
    "0x1",
    "٣",
    "\x00",
    ":foo",
    "(",
    ")",
    "begin",
    "end",
    "root",
    "{",
    "}",
]
GARBAGE += [
    "JOINT",
    "ROOT",
    "-",
    "",
    "99999999999999999999",
    ":root",
    "dof",
    "limits",
    "1e-400",
    "é",
    "End Site",
]


class Bone(NamedTuple):
    name: str
    parent: str
    direction: np.ndarray
    length: float
    axis: np.ndarray
    order: str
    dof: tuple[str, ...]


def random_bones(seed: int, count: int) -> list[Bone]:
    rng = np.random.default_rng(seed)
    names = [f"bone{number}" for number in range(count)]
    bones = []
    for number, name in enumerate(names):
        direction = rng.normal(size=3)
        bones.append(
            Bone(
                name=name,
                parent="root" if number == 0 else str(rng.choice(["root", *names[:number]])),
                direction=direction / np.linalg.norm(direction),
                length=float(rng.uniform(0.1, 5)),
                axis=rng.uniform(-180, 180, 3),
                order=str(rng.choice(ORDERS)),
                dof=tuple(str(rng.choice(DOFS)).split()),
            )
        )
    return bones


def channels(bones: list[Bone], root: str) -> list[str]:
    """In the order in which a reader goes through the tree: each bone, then its children."""
    found = [f"root.{name.lower()}" for name in root.split()]
    waiting = [bone for bone in bones if bone.parent == "root"][::-1]
    while waiting:
        bone = waiting.pop()
        found += [f"{bone.name}.{dof}" for dof in bone.dof]
        waiting += [child for child in bones if child.parent == bone.name][::-1]
    return found


def random_values(seed: int, names: list[str], frames: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-170, 170, (frames, len(names)))


def _row(numbers) -> str:
    return " ".join(f"{number:.17g}" for number in numbers)


def asf_text(
    bones: list[Bone], root: str = ROOTS[0], units: str = "mass 1.0\n length 0.45\n angle deg"
) -> str:
    parts = ["# a comment", ":version 1.10", ":units", f" {units}", ":root", f" order {root}", " axis XYZ"]
    parts += [" position 0 0 0", " orientation 0 0 0", ":bonedata"]
    for number, bone in enumerate(bones):
        parts += [
            " begin",
            f"  id {number + 1}",
            f"  name {bone.name}",
            f"  direction {_row(bone.direction)}",
        ]
        parts += [f"  length {bone.length:.17g}", f"  axis {_row(bone.axis)} {bone.order}"]
        if bone.dof:
            limits = "\n".join(f"({-10 * i} {20 + i}.5)" for i in range(len(bone.dof)))
            parts += [f"  dof {' '.join(bone.dof)}", f"  limits {limits}"]
        parts += [" end"]
    parts += [":hierarchy", " begin"]
    for parent in ("root", *(bone.name for bone in bones)):
        if children := [bone.name for bone in bones if bone.parent == parent]:
            parts.append(f"  {parent} {' '.join(children)}")
    return "\n".join([*parts, " end", ""])


def amc_text(names: list[str], values: np.ndarray, *, reverse: bool = False) -> str:
    parts = ["#!OML:ASF skeleton", ":FULLY-SPECIFIED", ":DEGREES"]
    bones = list(dict.fromkeys(name.split(".")[0] for name in names))
    for number, row in enumerate(values):
        parts.append(str(number + 1))
        for bone in bones[::-1] if reverse else bones:
            numbers = [value for name, value in zip(names, row, strict=True) if name.split(".")[0] == bone]
            parts.append(f"{bone} {_row(numbers)}")
    return "\n".join([*parts, ""])


def _local(bone: Bone, pose: dict[str, float]) -> Rotation:
    """C M C^-1; lower-case letters are extrinsic rotations in scipy: about fixed axes, the first one first."""
    angles = [bone.axis["XYZ".index(letter)] for letter in bone.order]
    frame = Rotation.from_euler(bone.order.lower(), angles, degrees=True)
    turns = [pose[f"{bone.name}.{dof}"] for dof in bone.dof]
    motion = _turns("".join(dof[1] for dof in bone.dof), turns)
    return frame * motion * frame.inv()


def _turns(letters: str, degrees: list[float]) -> Rotation:
    if not letters:
        return Rotation.identity()
    if len(letters) == 1:
        return Rotation.from_euler(letters, degrees[0], degrees=True)
    return Rotation.from_euler(letters, degrees, degrees=True)


def _root_turn(root: str, pose: dict[str, float]) -> Rotation:
    letters = "".join(name[1].lower() for name in root.split() if name[0] == "R")
    return _turns(letters, [pose[f"root.r{letter}"] for letter in letters])


def oracle(bones: list[Bone], root: str, names: list[str], row: np.ndarray) -> dict[str, np.ndarray]:
    """Far ends of the bones in one frame: a recursion over names with scipy's rotations."""
    pose = dict(zip(names, row, strict=True))
    turned = {"root": _root_turn(root, pose)}
    placed = {"root": np.array([pose[f"root.t{letter}"] for letter in "xyz"])}
    for bone in bones:
        turned[bone.name] = turned[bone.parent] * _local(bone, pose)
        placed[bone.name] = placed[bone.parent] + turned[bone.name].apply(bone.direction * bone.length)
    return placed


def bvh_text(bones: list[Bone], root: str, names: list[str], values: np.ndarray) -> str:
    """The same skeleton and motion: a joint for each bone, at its near end."""
    parts, rows = ["HIERARCHY", "ROOT root", "{", "OFFSET 0 0 0"], [[] for _ in values]
    parts += ["CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"]
    poses = [dict(zip(names, row, strict=True)) for row in values]
    for pose, numbers in zip(poses, rows, strict=True):
        numbers += [pose[f"root.t{letter}"] for letter in "xyz"]
        numbers += list(_root_turn(root, pose).as_euler("ZYX", degrees=True))
    for bone in (bone for bone in bones if bone.parent == "root"):
        _bvh_joint(bone, np.zeros(3), bones, poses, parts, rows)
    parts += ["}", "MOTION", f"Frames: {len(values)}", "Frame Time: 0.025"]
    return "\n".join([*parts, *map(_row, rows), ""])


def _bvh_joint(bone, offset, bones, poses, parts, rows) -> None:
    parts += [f"JOINT {bone.name} {{", f"OFFSET {_row(offset)}", "CHANNELS 3 Zrotation Yrotation Xrotation"]
    for pose, numbers in zip(poses, rows, strict=True):
        numbers += list(_local(bone, pose).as_euler("ZYX", degrees=True))
    tip = bone.direction * bone.length
    children = [child for child in bones if child.parent == bone.name]
    for child in children:
        _bvh_joint(child, tip, bones, poses, parts, rows)
    if not children:
        parts += ["End Site", "{", f"OFFSET {_row(tip)}", "}"]
    parts.append("}")


def mutated(text: str, rng: np.random.Generator) -> str:
    """A text with one to three faults: in its lines, its words or its characters."""
    for _ in range(rng.integers(1, 4)):
        rows = text.split("\n")
        place = int(rng.integers(len(rows)))
        words = rows[place].split(" ")
        word = int(rng.integers(len(words)))
        garbage = str(rng.choice(GARBAGE))
        fault = int(rng.integers(8))
        if fault == 0:
            del rows[place]
        elif fault == 1:
            rows.insert(place, rows[int(rng.integers(len(rows)))])
        elif fault == 2:
            rows[place], rows[-1] = rows[-1], rows[place]
        elif fault == 3:
            rows = rows[:place] + [rows[place][: int(rng.integers(len(rows[place]) + 1))]]
        elif fault == 4:
            rows[place] = " ".join(words[:word] + words[word + 1 :])
        elif fault == 5:
            rows[place] = " ".join([*words, garbage])
        else:
            rows[place] = " ".join([*words[:word], garbage, *words[word + 1 :]])
        text = "\n".join(rows)
    return text
