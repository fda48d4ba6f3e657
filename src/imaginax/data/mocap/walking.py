"""A walk that needs no file: periodic joint angles of a simple humanoid, and the root motion that they imply.

The angles of hip, knee, ankle and toes are Fourier series of ten points of a stride. The points were drawn
by hand after the shapes that every textbook of gait shows, then adjusted so that the body moves evenly and
the swinging foot clears the ground; no measured data is in them. The rest of the body swings as sinusoids.
The root moves so that the lowest points of the feet are on the ground and hardly slide.
"""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from imaginax.data.mocap.skeleton import Joint, Motion, Skeleton, assemble, columns, forward_kinematics
from imaginax.types import ConfigError

METRES = 0.0254 / 0.45  # a unit of length, as in the CMU archive

# degrees at 0, 10 .. 90 % of a stride that begins when the heel comes down; flexion is positive
_HIP = (20, 20, 12, -1, -12, -16, -11, 7, 20, 21)
_KNEE = (3, 14, 17, 12, 8, 15, 37, 60, 49, 16)
_ANKLE = (0, -1, 4, 9, 9, 5, -17, -8, 8, 2)
_TOES = (5, 4, 1, 2, 4, 18, 30, 10, 7, 6)
_HARMONICS = 4

# bone: parent, direction, length in metres, degrees of freedom; l and r are mirrored in x
_SIDES: dict[str, tuple[str, tuple[float, float, float], float, str]] = {
    "hipjoint": ("root", (1.0, -0.5, 0.0), 0.12, ""),
    "femur": ("hipjoint", (0.0, -1.0, 0.0), 0.43, "rx ry rz"),
    "tibia": ("femur", (0.0, -1.0, 0.0), 0.42, "rx"),
    "foot": ("tibia", (0.0, -0.4, 1.0), 0.16, "rx rz"),
    "heel": ("foot", (0.0, 0.0, -1.0), 0.19, ""),  # from the ball backwards
    "toes": ("foot", (0.0, 0.0, 1.0), 0.07, "rx"),
    "clavicle": ("thorax", (1.0, 0.1, 0.0), 0.17, ""),
    "humerus": ("clavicle", (0.12, -1.0, 0.0), 0.31, "rx ry rz"),
    "radius": ("humerus", (0.05, -1.0, 0.0), 0.26, "rx"),
    "hand": ("radius", (0.0, -1.0, 0.0), 0.17, "rx"),
}
_SPINE: dict[str, tuple[str, tuple[float, float, float], float, str]] = {
    "lowerback": ("root", (0.0, 1.0, 0.0), 0.22, "rx ry rz"),
    "thorax": ("lowerback", (0.0, 1.0, -0.05), 0.28, "rx ry rz"),
    "neck": ("thorax", (0.0, 1.0, 0.15), 0.10, "rx"),
    "head": ("neck", (0.0, 1.0, 0.1), 0.21, "rx ry rz"),
}
_SIDE_OF_SPINE = ("clavicle", "humerus", "radius", "hand")

# channel: constant, then amplitude and phase (in strides) of the first harmonic and of the second, in degrees
_SWINGS: dict[str, tuple[float, float, float, float, float]] = {
    "root.rx": (3.0, 0.0, 0.0, 1.2, 0.1),
    "root.ry": (0.0, -5.0, 0.0, 0.0, 0.0),
    "root.rz": (0.0, 3.5, 0.2, 0.5, 0.0),
    "lowerback.rx": (2.0, 0.0, 0.0, 1.0, 0.6),
    "lowerback.ry": (0.0, 5.0, 0.0, 0.0, 0.0),
    "lowerback.rz": (0.0, -3.5, 0.2, 0.0, 0.0),
    "thorax.rx": (2.0, 0.0, 0.0, 1.0, 0.1),
    "thorax.ry": (0.0, 5.0, 0.02, 0.3, 0.0),
    "thorax.rz": (0.0, 1.2, 0.2, 0.0, 0.0),
    "neck.rx": (-4.0, 0.0, 0.0, 1.0, 0.6),
    "head.rx": (-2.0, 0.0, 0.0, 1.2, 0.6),
    "head.ry": (0.0, -5.0, 0.02, 0.0, 0.0),
    "head.rz": (0.0, -1.0, 0.2, 0.0, 0.0),
    "femur.ry": (4.0, 4.0, 0.1, 0.0, 0.0),
    "femur.rz": (-2.0, 3.0, 0.2, 0.8, 0.0),
    "foot.rz": (2.0, 3.0, 0.6, 1.0, 0.1),
    "humerus.rx": (4.0, 22.0, 0.0, 2.0, 0.2),
    "humerus.ry": (5.0, 4.0, 0.1, 0.0, 0.0),
    "humerus.rz": (-3.0, 3.0, 0.2, 0.0, 0.0),
    "radius.rx": (-22.0, 13.0, 0.03, 2.0, 0.2),
    "hand.rx": (-8.0, 5.0, 0.08, 0.0, 0.0),
}
_SWAY = 0.02  # metres, to each side
_SOFTNESS = 0.004  # metres: how sharply the weight goes from one foot to the other
_WANDER = np.array([0.19, 0.37, 0.61])  # cycles a stride of the slow variation


@dataclasses.dataclass(frozen=True)
class WalkConfig:
    """How to walk.

    Attributes:
        frames: number of frames.
        rate: frames a second.
        stride_seconds: time from one touch of the left heel to the next; the default walks 2.5 strides.
        variation: how much strides differ: about `0.04 * variation` of amplitude, a third of it in phase.
    """

    frames: int = 316
    rate: float = 120.0
    stride_seconds: float = 1.05
    variation: float = 1.0

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ConfigError(f"frames must be at least 2, got {self.frames}")
        for name in ("rate", "stride_seconds"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.variation <= 3:
            raise ConfigError(f"variation must lie in [0, 3], got {self.variation}")


def humanoid() -> Skeleton:
    """1.75 m tall: 25 joints and 40 channels, y upwards, z ahead, x to its left."""
    rows = {f"{side}{name}": _sided(side, *row) for name, row in _SIDES.items() for side in "lr"}
    legs = {name: row for name, row in rows.items() if name[1:] not in _SIDE_OF_SPINE}
    joints = [_joint("root", "", (0.0, 0.0, 0.0), 0.0, "tx ty tz rx ry rz")]
    joints += [_joint(name, *row) for name, row in (legs | _SPINE | rows).items()]
    return assemble(joints, METRES)


def walk(key: PRNGKeyArray, config: WalkConfig | None = None) -> Motion:
    """A walk of `humanoid` along z, from a touch of the left heel on.

    Args:
        key: for the variation between strides.
        config: how to walk.

    Returns:
        Values of the 40 channels, T of them, as a file has them: degrees and units of length.
    """
    config = config or WalkConfig()
    skeleton = humanoid()
    time = np.arange(config.frames) / (config.rate * config.stride_seconds)  # in strides
    wander = config.variation * _wander(key, time, len(skeleton.channels) + 1)
    phase = time + 0.013 * wander[:, -1]
    values = np.zeros((config.frames, len(skeleton.channels)))
    for column, channel in enumerate(skeleton.channels):
        constant, swing = _angle(channel, phase)
        values[:, column] = constant + swing * (1 + 0.04 * wander[:, column])
    with jax.enable_x64(True):
        moves = _root_motion(skeleton, values, phase)
    values[:, columns(skeleton, ("root.tx", "root.ty", "root.tz"))] = moves
    return Motion(values, skeleton.channels, 1.0 / config.rate)


def _sided(
    side: str, parent: str, direction: tuple[float, float, float], length: float, dof: str
) -> tuple[str, tuple[float, float, float], float, str]:
    x, y, z = direction
    return (
        parent if parent in ("root", "thorax") else side + parent,
        (x if side == "l" else -x, y, z),
        length,
        dof,
    )


def _joint(name: str, parent: str, direction: tuple[float, float, float], length: float, dof: str) -> Joint:
    vector, names = np.array(direction), tuple(dof.split())
    return Joint(
        name=name,
        parent=parent,
        offset=vector * (length / METRES / max(float(np.linalg.norm(vector)), 1e-6)),
        dof=names,
        order="".join(dof[1] for dof in names[::-1] if dof[0] == "r"),
        frame=np.eye(3),
        own=name != "root",
        limits=np.tile([-np.inf, np.inf], (len(names), 1)),
    )


def _angle(channel: str, phase: Float[np.ndarray, "T"]) -> tuple[float, Float[np.ndarray, "T"]]:
    """Middle and swing of a channel; zero for the root's place. The right side is half a stride behind."""
    bone, _, dof = channel.partition(".")
    paired = channel not in _SWINGS and bone != "root"
    phase = phase + 0.5 * (paired and bone[0] == "r")
    part = bone[1:] if paired else bone
    curves = {"femur": (_HIP, -1), "tibia": (_KNEE, 1), "foot": (_ANKLE, -1), "toes": (_TOES, -1)}
    if dof == "rx" and part in curves:
        points, sign = curves[part]
        return _series(np.array(points, float) * sign, phase)
    constant, first, first_phase, second, second_phase = _SWINGS.get(f"{part}.{dof}", (0.0,) * 5)
    mirror = -1 if paired and bone[0] == "r" and dof in ("ry", "rz") else 1
    swing = first * np.cos(2 * np.pi * (phase - first_phase))
    swing += second * np.cos(4 * np.pi * (phase - second_phase))
    return mirror * constant, mirror * swing


def _series(
    points: Float[np.ndarray, "N"], phase: Float[np.ndarray, "T"]
) -> tuple[float, Float[np.ndarray, "T"]]:
    """Mean, and the first harmonics, of a periodic curve through evenly spaced points."""
    weights = np.fft.rfft(points) / len(points)
    orders = np.arange(1, _HARMONICS + 1)
    waves = np.exp(2j * np.pi * phase[:, None] * orders)
    return float(weights[0].real), 2 * (waves @ weights[orders]).real


def _wander(key: PRNGKeyArray, time: Float[np.ndarray, "T"], count: int) -> Float[np.ndarray, "T N"]:
    """Slow random waves of standard deviation 1, one for each channel."""
    phases = np.asarray(jax.random.uniform(key, (count, len(_WANDER))), np.float64)
    waves = np.cos(2 * np.pi * (time[:, None, None] * _WANDER + phases))
    return waves.sum(-1) * np.sqrt(2 / len(_WANDER))


def _root_motion(
    skeleton: Skeleton, values: Float[np.ndarray, "T D"], phase: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T 3"]:
    """Sway, height and way of the root; the foot's lowest points carry the body."""
    points = np.asarray(forward_kinematics(skeleton, values))
    index = [skeleton.joints.index(side + bone) for side in "lr" for bone in ("heel", "foot", "toes")]
    feet = points[:, index]
    depth = -feet[..., 1] * (METRES / _SOFTNESS)
    weights = np.exp(depth - depth.max(-1, keepdims=True))
    total = weights.sum(-1, keepdims=True)
    height = (np.log(total[:, 0]) + depth.max(-1)) * (_SOFTNESS / METRES)
    backwards = (np.gradient(feet[..., 2], axis=0) * weights / total).sum(-1)
    steps = -(backwards[1:] + backwards[:-1]) / 2
    way = np.concatenate([[0.0], np.cumsum(steps)])
    sway = _SWAY / METRES * np.cos(2 * np.pi * (phase - 0.2))
    return np.stack([sway, height, way], -1)
