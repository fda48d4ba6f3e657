"""What of a MuJoCo model is seen: its solids, lights and cameras, read once and then fixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imaginax.envs.raycast.materials import Material, look_of, sky
from imaginax.envs.raycast.poses import Mount, fixed_matrices
from imaginax.envs.raycast.shapes import SHAPES
from imaginax.types import ConfigError

_GROUPS_SHOWN = 3  # MuJoCo shows the groups 0, 1 and 2
_PLANE = 0  # MuJoCo's numbers for shapes,
_SPOT, _DIRECTIONAL, _POINT = 0, 1, 2  # lights
_FIXED, _TARGETS = 0, (3, 4)  # and how cameras and lights follow bodies
_FREE_CAMERA = -1
_FREE_DISTANCE = 1.5  # of the free camera, in extents of the model


class Solids(NamedTuple):
    """Everything that is drawn: the visible geoms, then the visible sites; numpy, for it never changes.

    Attributes:
        number: of each geom in the model; a site's counts on from the number of geoms.
        shape: MuJoCo's number.
        size: half lengths and radii in metres.
        body: that it belongs to.
        place: its centre in the body's frame.
        turn: its axes there, as columns.
        look: its material.
        opacity: 1 for what hides all behind it.
    """

    number: tuple[int, ...]
    shape: tuple[int, ...]
    size: tuple[tuple[float, float, float], ...]
    body: np.ndarray
    place: Float[np.ndarray, "G 3"]
    turn: Float[np.ndarray, "G 3 3"]
    look: tuple[Material, ...]
    opacity: tuple[float, ...]


class Light(NamedTuple):
    """A light; colours are red, green and blue.

    Attributes:
        mount: where it is; None for the headlight, which shines where the camera looks.
        directional: whether its rays are parallel.
        cutoff: cosine of the half angle of its cone; -1 where it shines everywhere.
        exponent: of the cosine of the angle to the cone's axis.
        attenuation: constant, linear and quadratic in the distance in metres.
        shadow: whether MuJoCo adds it in a pass of its own, that of its shadows.
    """

    mount: Mount | None
    directional: bool
    ambient: Float[np.ndarray, "3"]
    diffuse: Float[np.ndarray, "3"]
    specular: Float[np.ndarray, "3"]
    cutoff: float
    exponent: float
    attenuation: Float[np.ndarray, "3"]
    shadow: bool


class Camera(NamedTuple):
    """A camera and the tangent of half its vertical angle of view."""

    mount: Mount
    tangent: float


class Scene(NamedTuple):
    """All that a picture needs besides the pose."""

    solids: Solids
    lights: tuple[Light, ...]
    camera: Camera
    ambient: float
    sky: Float[np.ndarray, "P 3"]


def scene(model: Any, camera: int | str = 0, loose: Sequence[str] = ()) -> Scene:
    """Reads a MuJoCo model.

    Args:
        model: MuJoCo's `MjModel`; a brax system has it as `mj_model`.
        camera: its number or name; -1 is MuJoCo's free camera, which looks at the centre of the model.
        loose: names of geoms of the world that are moved all the same; each is a body after the others.

    Raises:
        ConfigError: for a visible geom that is no primitive shape, or a camera that is not there or has
            another projection.
    """
    lights = tuple(_light(model, i) for i in range(model.nlight) if model.light_active[i])
    head = model.vis.headlight
    if head.active:
        lights = (_headlight(head), *lights)
    ambient = 0.0 if lights else 0.3  # what MuJoCo gives to a model without lights
    return Scene(_solids(model, loose), lights, _camera(model, camera), ambient, sky(model))


def _solids(model: Any, loose: Sequence[str]) -> Solids:
    rows = []
    for kind, count, first in (("geom", model.ngeom, 0), ("site", model.nsite, model.ngeom)):
        group, shape = getattr(model, f"{kind}_group"), getattr(model, f"{kind}_type")
        for i in range(count):
            look, opacity = _look(model, kind, i)
            if group[i] < _GROUPS_SHOWN and opacity > 0:
                _require_primitive(model, kind, i, int(shape[i]))
                rows.append((first + i, int(shape[i]), kind, i, look, opacity))
    body = _gathered(model, rows, "bodyid", ()).astype(np.int32)
    place = _gathered(model, rows, "pos", (3,))
    turn = fixed_matrices(_gathered(model, rows, "quat", (4,)))
    numbers = [row[0] for row in rows]
    for i, name in enumerate(loose):
        row = numbers.index(model.geom(name).id)
        body[row], place[row], turn[row] = model.nbody + i, 0, np.eye(3)
    return Solids(
        number=tuple(numbers),
        shape=tuple(row[1] for row in rows),
        size=tuple((x, y, z) for x, y, z in _gathered(model, rows, "size", (3,)).tolist()),
        body=body,
        place=place,
        turn=turn,
        look=tuple(row[4] for row in rows),
        opacity=tuple(row[5] for row in rows),
    )


def _look(model: Any, kind: str, i: int) -> tuple[Material, float]:
    rgba, material = getattr(model, f"{kind}_rgba")[i], int(getattr(model, f"{kind}_matid")[i])
    plane = kind == "geom" and int(model.geom_type[i]) == _PLANE
    return look_of(model, rgba, material, plane_size=model.geom_size[i, :2] if plane else None)


def _require_primitive(model: Any, kind: str, i: int, shape: int) -> None:
    if shape not in SHAPES:
        name = getattr(model, kind)(i).name or f"number {i}"
        raise ConfigError(
            f"{kind} {name} is a mesh, height field or SDF, which the ray-caster cannot draw: "
            f"give it a primitive shape, or group {_GROUPS_SHOWN} to hide it"
        )


def _gathered(model: Any, rows: list[tuple], field: str, shape: tuple[int, ...]) -> np.ndarray:
    values = [getattr(model, f"{kind}_{field}")[i] for _, _, kind, i, _, _ in rows]
    return np.array(values, np.float32).reshape(len(rows), *shape)


def _headlight(head: Any) -> Light:
    return Light(
        mount=None,
        directional=True,
        ambient=np.array(head.ambient, np.float32),
        diffuse=np.array(head.diffuse, np.float32),
        specular=np.array(head.specular, np.float32),
        cutoff=-1.0,
        exponent=0.0,
        attenuation=np.array([1, 0, 0], np.float32),
        shadow=False,
    )


def _light(model: Any, i: int) -> Light:
    kind = int(model.light_type[i])
    if kind not in (_SPOT, _DIRECTIONAL, _POINT):
        raise ConfigError(f"light {model.light(i).name or i} is an image, which the ray-caster does not know")
    cone = kind == _SPOT
    return Light(
        mount=_mount(model, "light", i, _towards(model.light_dir[i]), _towards(model.light_dir0[i])),
        directional=kind == _DIRECTIONAL,
        ambient=model.light_ambient[i].astype(np.float32),
        diffuse=model.light_diffuse[i].astype(np.float32),
        specular=model.light_specular[i].astype(np.float32),
        cutoff=float(np.cos(np.radians(model.light_cutoff[i]))) if cone else -1.0,
        exponent=float(model.light_exponent[i]) if cone else 0.0,
        attenuation=model.light_attenuation[i].astype(np.float32),
        shadow=bool(model.light_castshadow[i]),
    )


def _camera(model: Any, camera: int | str) -> Camera:
    if camera == _FREE_CAMERA:
        return _free_camera(model)
    names = [model.camera(i).name for i in range(model.ncam)]
    if isinstance(camera, str) and camera not in names:
        raise ConfigError(f"no camera is called {camera!r}; the model has {', '.join(names) or 'none'}")
    i = names.index(camera) if isinstance(camera, str) else camera
    if not 0 <= i < model.ncam:
        raise ConfigError(f"camera must be -1 to {model.ncam - 1} in this model, got {i}")
    if model.cam_projection[i] or model.cam_sensorsize[i].any():
        raise ConfigError(f"camera {names[i] or i} must be a perspective one given by its fovy")
    mount = _mount(
        model, "cam", i, fixed_matrices(model.cam_quat[i : i + 1])[0], model.cam_mat0[i].reshape(3, 3)
    )
    return Camera(mount, float(np.tan(np.radians(model.cam_fovy[i]) / 2)))


def _free_camera(model: Any) -> Camera:
    """Looks at the centre from MuJoCo's default angles, fixed to the world."""
    view = model.vis.global_
    azimuth, elevation = np.radians([view.azimuth, view.elevation])
    level = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    forward = np.cos(elevation) * level + np.sin(elevation) * np.array([0.0, 0.0, 1.0])
    right = np.cross(level, [0.0, 0.0, 1.0])
    turn = np.stack([right, np.cross(right, forward), -forward], axis=1).astype(np.float32)
    place = (model.stat.center - _FREE_DISTANCE * model.stat.extent * forward).astype(np.float32)
    nothing = np.zeros(model.nbody, np.float32)
    mount = Mount(_FIXED, 0, place, turn, place, place, turn, nothing, 0, nothing, _centres(model))
    return Camera(mount, float(np.tan(np.radians(view.fovy) / 2)))


def _mount(model: Any, kind: str, i: int, turn: np.ndarray, turn0: np.ndarray) -> Mount:
    def read(field: str) -> np.ndarray:
        return getattr(model, f"{kind}_{field}")[i].astype(np.float32)

    mode, target, body = (
        int(getattr(model, f"{kind}_{field}")[i]) for field in ("mode", "targetbodyid", "bodyid")
    )
    mode = _FIXED if mode in _TARGETS and target < 0 else mode
    return Mount(
        mode=mode,
        body=body,
        place=read("pos"),
        turn=turn.astype(np.float32),
        place0=read("pos0"),
        place_com0=read("poscom0"),
        turn0=turn0.astype(np.float32),
        mass=_shares(model, body),
        target=max(target, 0),
        target_mass=_shares(model, max(target, 0)),
        centre=_centres(model),
    )


def _centres(model: Any) -> Float[np.ndarray, "N 3"]:
    return model.body_ipos.astype(np.float32)


def _shares(model: Any, body: int) -> Float[np.ndarray, "N"]:
    """Masses of the bodies of a subtree, of which a massless one is all at its root."""
    inside = np.zeros(model.nbody, bool)
    for i in range(model.nbody):  # parents come before their children
        inside[i] = i == body or (i > 0 and inside[model.body_parentid[i]])
    mass = np.where(inside, model.body_mass, 0.0)
    if mass.sum() <= 0:
        mass = np.eye(model.nbody)[body]
    return (mass / mass.sum()).astype(np.float32)


def _towards(direction: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """Some axes whose -z is a direction."""
    z = -direction / np.linalg.norm(direction)
    x = np.cross(np.eye(3)[np.argmin(np.abs(z))], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1).astype(np.float32)
