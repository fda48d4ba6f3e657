"""Colours: of the surfaces, with the checker patterns of floors, and of the sky.

A texture is reduced to what a small picture shows of it. MuJoCo's builtin checker becomes a pattern of two
colours, every other texture its mean colour, and the sky's a polynomial in the sine of the elevation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from imaginax.types import ConfigError

_TEXTURE_2D, _SKYBOX = 0, 2  # MuJoCo's numbers: mjtTexture,
_RGB = 1  # mjtTextureRole
_UNSET = (0.5, 0.5, 0.5, 1.0)  # the colour of a geom that leaves it to its material
_SKY_DEGREE = 3
_FACE_SAMPLES = 32  # the sky's texture is read at so many places along an edge


class Material(NamedTuple):
    """How a surface looks; colours are red, green and blue in [0, 1].

    Attributes:
        colour: that the light falls on.
        texture: what the lit colour is multiplied with; the two fields of a checker are different.
        specular: strength of the reflected highlight.
        shininess: its exponent.
        emission: share of the colour that needs no light.
        repeat: fields of the checker a metre, along x and y.
    """

    colour: tuple[float, float, float]
    texture: tuple[tuple[float, float, float], tuple[float, float, float]]
    specular: float
    shininess: float
    emission: float
    repeat: tuple[float, float] | None


def look_of(
    model: Any, rgba: Float[np.ndarray, "4"], material: int, *, plane_size: Float[np.ndarray, "2"] | None
) -> tuple[Material, float]:
    """The look of a geom or site, and its opacity.

    Args:
        model: MuJoCo's.
        rgba: the part's own colour, which counts where it is not the default.
        material: number of its material, or -1.
        plane_size: its half edges in metres if it is a plane, for only planes show a pattern.
    """
    white = (1.0, 1.0, 1.0)
    if material < 0:
        return Material(_triple(rgba), (white, white), 0.5, 64.0, 0.0, None), float(rgba[3])
    shown = model.mat_rgba[material] if np.allclose(rgba, _UNSET) else rgba
    fields, repeat = (white, white), None
    texture = int(model.mat_texid[material, _RGB])
    if texture >= 0:
        pixels = _pixels(model, texture)
        mean = _triple(pixels.reshape(-1, 3).mean(axis=0))
        fields = (mean, mean)
        if plane_size is not None and int(model.tex_type[texture]) == _TEXTURE_2D:
            checker = _checker(pixels)
            fields, repeat = (checker, _repeat(model, material, plane_size)) if checker else (fields, None)
    look = Material(
        colour=_triple(shown),
        texture=fields,
        specular=float(model.mat_specular[material]),
        shininess=128 * float(model.mat_shininess[material]),
        emission=float(model.mat_emission[material]),
        repeat=repeat,
    )
    return look, float(shown[3])


def sky(model: Any) -> Float[np.ndarray, "P 3"]:
    """The colour overhead as a polynomial in the sine of the elevation, highest power first.

    Without a skybox it is black, as in MuJoCo.

    Raises:
        ConfigError: the skybox has neither one face nor six.
    """
    boxes = np.flatnonzero(model.tex_type == _SKYBOX)
    if not len(boxes):
        return np.zeros((1, 3), np.float32)
    pixels = _pixels(model, int(boxes[0]))
    width = pixels.shape[1]
    if pixels.shape[0] not in (width, 6 * width):
        raise ConfigError(f"the skybox is {pixels.shape[0]} x {width} pixels: it needs one face or six")
    faces = pixels.reshape(-1, width, width, 3)
    if len(faces) == 1:
        return faces.mean(axis=(0, 1, 2))[None].astype(np.float32)
    blocks = np.array_split(np.arange(width), min(width, _FACE_SAMPLES))
    mean = np.stack([faces[:, rows].mean(axis=1) for rows in blocks], axis=1)
    mean = np.stack([mean[:, :, columns].mean(axis=2) for columns in blocks], axis=2)
    sine = _elevations(np.array([(2 * block.mean() + 1) / width - 1 for block in blocks]))
    return np.polyfit(sine.ravel(), mean.reshape(-1, 3), _SKY_DEGREE).astype(np.float32)


def _elevations(places: Float[np.ndarray, "W"]) -> Float[np.ndarray, "6 W W"]:
    """Sines of the elevation on the faces right, left, up, down, front, back of a cube from -1 to 1."""
    below, beside = np.meshgrid(places, places, indexing="ij")
    distance = np.sqrt(1 + below**2 + beside**2)
    side, up = -below / distance, 1 / distance
    return np.stack([side, side, up, -up, side, side])


def _pixels(model: Any, texture: int) -> Float[np.ndarray, "H W 3"]:
    height, width = int(model.tex_height[texture]), int(model.tex_width[texture])
    channels, start = int(model.tex_nchannel[texture]), int(model.tex_adr[texture])
    data = model.tex_data[start : start + height * width * channels]
    pixels = data.reshape(height, width, channels).astype(np.float32) / 255
    return pixels[..., :3] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)


def _checker(pixels: Float[np.ndarray, "H W 3"]) -> tuple[tuple, tuple] | None:
    """The two colours of a checker of 2 x 2 fields, or None if the picture is another."""
    half = [size // 2 for size in pixels.shape[:2]]
    rows, columns = (slice(0, half[0]), slice(half[0], None)), (slice(0, half[1]), slice(half[1], None))
    fields = [[pixels[row, column].reshape(-1, 3) for column in columns] for row in rows]
    middle = np.array([[np.median(field, axis=0) for field in row] for row in fields])
    plain = [np.mean(np.abs(fields[i][j] - middle[i, j]).max(axis=-1) < 0.02) for i in (0, 1) for j in (0, 1)]
    crossed = np.allclose(middle[0, 0], middle[1, 1]) and np.allclose(middle[0, 1], middle[1, 0])
    if min(plain) < 0.9 or not crossed:
        return None
    return _triple(middle[0, 0]), _triple(middle[0, 1])


def _repeat(model: Any, material: int, size: Float[np.ndarray, "2"]) -> tuple[float, float]:
    """Fields a metre; a repetition has two, and lies on 2 metres or on the whole plane."""
    whole = 1.0 if model.mat_texuniform[material] else np.where(size > 0, size, 1.0)
    x, y = model.mat_texrepeat[material] / whole
    return float(x), float(y)


def _triple(colour: Float[np.ndarray, "C"]) -> tuple[float, float, float]:
    red, green, blue = (round(float(part), 6) for part in colour[:3])
    return red, green, blue
