"""Pictures of MuJoCo models as pure functions of the pose: one ray a pixel, or four.

    render = make_renderer(model, height=64, width=64)
    image = render(pose_of(data))  # uint8 [64, 64, 3]

The solids are passed one by one, and every pixel keeps the nearest so far, which is shaded at the end. All of
it is element-wise, so XLA fuses it into a few dozen vectorised loops over the pixels of the whole batch. The
three channels leave them packed into one integer, for XLA would otherwise run the last loop once for each.

Measured on two busy CPU cores, 64 x 64 pixels: a scan over the solids compiles as long and is two to four
times slower; a batch of all solids of one shape is slower too and takes twice the memory; `lax.map` over
pictures is no faster than `vmap`; hard shadows take two to seven times as long, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32, UInt8

from imaginax.envs.raycast import shading
from imaginax.envs.raycast.materials import Material
from imaginax.envs.raycast.poses import Frames, Pose, attached, mounted, product
from imaginax.envs.raycast.scene import Scene, Solids, scene
from imaginax.envs.raycast.shading import Colour, Lamps
from imaginax.envs.raycast.shapes import SHAPES, Hit, Size
from imaginax.envs.raycast.vectors import Number, Vector, choose, times, turned, turned_back, vector
from imaginax.types import ConfigError

_LANE = 8  # bits of a channel in a packed pixel
_NOTHING = -1

Looks = tuple[Material, ...]


class View(NamedTuple):
    """A pose as the camera sees it.

    Attributes:
        eye: the camera in the frame of each solid.
        turn: the camera's axes there, as columns.
        lamps: the lights in the camera's frame.
        up: the vertical there.
    """

    eye: Float[Array, "G 3"]
    turn: Float[Array, "G 3 3"]
    lamps: Lamps
    up: Float[Array, "3"]


class Rays(NamedTuple):
    """Directions in the camera's frame, and the distance between neighbours at depth 1."""

    along: Vector
    pixel: float


class Sight(NamedTuple):
    """What the rays meet first.

    Attributes:
        distance: in lengths of the ray's direction, infinite for the sky.
        normal: in the camera's frame.
        label: of the solid; -1 for the sky.
        pattern: share of the first colour of a checker.
    """

    distance: Float[Array, "..."]
    normal: Vector
    label: Int[Array, "..."]
    pattern: Number


def make_renderer(
    model: Any,
    *,
    height: int = 64,
    width: int = 64,
    camera: int | str = 0,
    samples: int = 1,
    loose: Sequence[str] = (),
) -> Callable[[Pose], UInt8[Array, "H W 3"]]:
    """A function from poses to pictures.

    It draws what MuJoCo's renderer draws of geoms and sites of primitive shapes, but for shadows, reflections
    and tendons; a texture shows as its mean colour, or as a checker.

    Args:
        model: MuJoCo's `MjModel`; a brax system has it as `mj_model`.
        height: of the picture in pixels.
        width: the same.
        camera: its number or name; -1 is MuJoCo's free camera, fixed at its default place.
        samples: 1, or 2 for the mean of 2 x 2 rays a pixel.
        loose: names of geoms of the world that are moved all the same; `pose_of` is given their numbers.

    Raises:
        ConfigError: for another number of samples, an unknown camera, or a shape that cannot be drawn.
    """
    if samples not in (1, 2):
        raise ConfigError(f"samples must be 1 or 2, got {samples}")
    world = scene(model, camera, loose)
    looks = tuple(dict.fromkeys(world.solids.look))

    def render(pose: Pose) -> UInt8[Array, "H W 3"]:
        view = jax.lax.optimization_barrier(_view(world, pose))
        return _average(world, looks, view, height=height, width=width, samples=samples)

    return render


def make_segmenter(
    model: Any, *, height: int = 64, width: int = 64, camera: int | str = 0
) -> Callable[[Pose], Int[Array, "H W"]]:
    """A function from poses to the number of the geom at every pixel; -1 for the sky.

    A site has the number of geoms added to its own. Solids that one can see through count as any others.
    The arguments and errors are those of `make_renderer`.
    """
    world = scene(model, camera)

    def segment(pose: Pose) -> Int[Array, "H W"]:
        rays = _rays(world.camera.tangent, jnp.array([0.5, 0.5]), height=height, width=width, samples=1)
        everything = range(len(world.solids.number))
        seen = trace(world.solids, everything, world.solids.number, _view(world, pose), rays)
        return seen.label

    return segment


def _view(world: Scene, pose: Pose) -> View:
    place, turn = mounted(pose, world.camera.mount)
    solids = attached(pose, world.solids.body, world.solids.place, world.solids.turn)
    towards = jnp.swapaxes(solids.turn, -1, -2)
    return View(
        eye=product(towards, (place - solids.place)[..., None])[..., 0],
        turn=product(towards, turn),
        lamps=_lamps(world, pose, Frames(place, turn)),
        up=turn[2],
    )


def _lamps(world: Scene, pose: Pose, camera: Frames) -> Lamps:
    places, backs = [jnp.zeros((0, 3))], [jnp.zeros((0, 3))]
    for light in world.lights:
        if light.mount is None:  # the headlight
            places.append(jnp.zeros((1, 3)))
            backs.append(jnp.array([[0.0, 0.0, 1.0]]))
        else:
            place, turn = mounted(pose, light.mount)
            places.append(product((place - camera.place)[None], camera.turn))
            backs.append(product(turn[None, :, 2], camera.turn))
    return Lamps(jnp.concatenate(places), jnp.concatenate(backs))


def _average(
    world: Scene, looks: Looks, view: View, *, height: int, width: int, samples: int
) -> UInt8[Array, "H W 3"]:
    """The mean of the pictures with the rays through each of the samples of every pixel."""

    def add(total: Int32[Array, "H W 3"], shift: Float[Array, "2"]) -> tuple[Int32[Array, "H W 3"], None]:
        rays = _rays(world.camera.tangent, shift, height=height, width=width, samples=samples)
        return total + _unpacked(_packed(_picture(world, looks, view, rays))), None

    middles = (np.arange(samples, dtype=np.float32) + 0.5) / samples
    shifts = jnp.array([[x, y] for y in middles for x in middles])
    total = jax.lax.scan(add, jnp.zeros((height, width, 3), jnp.int32), shifts)[0]
    return ((total + samples**2 // 2) // samples**2).astype(jnp.uint8)


def _rays(tangent: float, shift: Float[Array, "2"], *, height: int, width: int, samples: int) -> Rays:
    """One through every pixel; `shift` leads from its upper left corner to the right and down."""
    pixel = 2 * tangent / height
    x = pixel * (jnp.arange(width) - width / 2 + shift[0])
    y = pixel * (height / 2 - jnp.arange(height) - shift[1])
    return Rays(Vector(x[None, :], y[:, None], -1.0), pixel / samples)


def trace(solids: Solids, chosen: Sequence[int], labels: Sequence[int], view: View, rays: Rays) -> Sight:
    """The nearest of the chosen solids on every ray, labelled with labels[solid]."""
    shape = jnp.broadcast_shapes(*(jnp.shape(part) for part in rays.along))
    seen = Sight(jnp.full(shape, jnp.inf), Vector(0.0, 0.0, 1.0), jnp.full(shape, _NOTHING), 0.0)
    for solid in chosen:
        hit, along = _meet(solids, solid, view, rays)
        nearer = hit.distance < seen.distance
        pattern = seen.pattern
        if repeat := solids.look[solid].repeat:
            shares = _checker(repeat, solids.size[solid], view, solid, hit, along, rays.pixel)
            pattern = jnp.where(nearer, shares, pattern)
        seen = Sight(
            distance=jnp.where(nearer, hit.distance, seen.distance),
            normal=choose(nearer, turned_back(view.turn[solid], hit.normal), seen.normal),
            label=jnp.where(nearer, labels[solid], seen.label),
            pattern=pattern,
        )
    return seen


def _meet(solids: Solids, solid: int, view: View, rays: Rays) -> tuple[Hit, Vector]:
    """Where the rays meet one solid, and their directions in its frame."""
    along = turned(view.turn[solid], rays.along)
    return SHAPES[solids.shape[solid]](vector(view.eye[solid]), along, solids.size[solid]), along


def _checker(
    repeat: tuple[float, float], size: Size, view: View, plane: int, hit: Hit, along: Vector, pixel: float
) -> Number:
    """A checker on a plane, averaged over the rectangle around what a pixel shows of it."""
    eye, turn = vector(view.eye[plane]), view.turn[plane]
    distance = jnp.where(jnp.isfinite(hit.distance), hit.distance, 1.0)
    slopes = (along.x / along.z, along.y / along.z)
    width_x, width_y = (
        distance
        * pixel
        * (jnp.abs(turn[i, 0] - slope * turn[2, 0]) + jnp.abs(turn[i, 1] - slope * turn[2, 1]))
        for i, slope in enumerate(slopes)
    )
    x, y = eye.x + distance * along.x + size[0], size[1] - eye.y - distance * along.y
    return shading.checker(repeat, x, y, width_x, width_y)


def _picture(world: Scene, looks: Looks, view: View, rays: Rays) -> Colour:
    """The channels, each in [0, 1]: opaque solids before the sky, then those that one can see through."""
    solids = world.solids
    labels = [looks.index(look) for look in solids.look]
    opaque = [i for i, opacity in enumerate(solids.opacity) if opacity >= 1]
    seen = trace(solids, opaque, labels, view, rays)
    colour = shading.overhead(world.sky, vector(view.up), rays.along)
    if opaque:
        hits, near = jnp.isfinite(seen.distance), _shaded(world, looks, seen, view, rays)
        colour = Colour(*(jnp.where(hits, new, old) for new, old in zip(near, colour, strict=True)))
    for i in sorted(set(range(len(labels))) - set(opaque)):
        glass = trace(solids, [i], labels, view, rays)
        share = jnp.where(glass.distance < seen.distance, _coverage(solids.opacity[i]), 0.0)
        tint = _shaded(world, looks, glass, view, rays)
        colour = Colour(*(old + share * (new - old) for new, old in zip(tint, colour, strict=True)))
    return colour


def _coverage(opacity: float) -> float:
    """MuJoCo paints what is transparent twice, from front to back and from back to front."""
    return 1 - (1 - opacity) ** 2


def _shaded(world: Scene, looks: Looks, seen: Sight, view: View, rays: Rays) -> Colour:
    distance = jnp.where(jnp.isinf(seen.distance), 1.0, seen.distance)
    surface = shading.surface(looks, seen.label, seen.pattern)
    point = times(distance, rays.along)
    return shading.lit(world.lights, view.lamps, world.ambient, surface, point, seen.normal)


def _packed(colour: Colour) -> Int32[Array, "H W"]:
    red, green, blue = ((jnp.clip(channel, 0.0, 1.0) * 255 + 0.5).astype(jnp.int32) for channel in colour)
    return red | (green << _LANE) | (blue << (2 * _LANE))


def _unpacked(packed: Int32[Array, "H W"]) -> Int32[Array, "H W 3"]:
    """The three channels.

    They are spread by broadcasting, before which XLA finishes its loop. It would join a list of three pixel
    by pixel, and trace the rays of each anew: that takes ten times as long.
    """
    return (packed[..., None] >> (_LANE * jnp.arange(3))) & (2**_LANE - 1)
