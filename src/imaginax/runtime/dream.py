"""Imagined against real: what a latent model expects to see once it looks no more, beside what came."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree, UInt8

from imaginax.data.pixels import pixels
from imaginax.envs import minatar
from imaginax.runtime import playback, video
from imaginax.runtime.driver import make_driver
from imaginax.runtime.precision import precision
from imaginax.types import Box, ConfigError, System, SystemState, Trajectory

ROWS = ("truth", "model", "error")
_SIDE = 96  # pixels of a picture's longer side, at least
_MARGIN, _HEADER = 44, 16  # for the names of rows and the number of the step


class Dream(NamedTuple):
    """B episodes of T steps; the model sees the first `context` of them, and then the actions alone.

    Attributes:
        truth: pictures of what was observed.
        model: pictures of what the model expects.
        context: steps that it sees.
    """

    truth: UInt8[np.ndarray, "B T H W 3"]
    model: UInt8[np.ndarray, "B T H W 3"]
    context: int

    @property
    def error(self) -> UInt8[np.ndarray, "B T H W 3"]:
        """|truth - model|, of each colour."""
        return np.abs(self.truth.astype(np.int16) - self.model.astype(np.int16)).astype(np.uint8)


def dream(
    trained: playback.Trained,
    *,
    lane: int | None = None,
    episodes: int = 3,
    context: int = 5,
    steps: int = 50,
    seed: int = 0,
) -> Dream:
    """Acts as in training, without learning, and asks the model what it expects of these episodes.

    Args:
        trained: a run of a system with a latent model.
        lane: which of its seeds, from 0; None for the best.
        episodes: B.
        context: steps from an episode's beginning that the model sees.
        steps: T, or as many as the episodes have.
        seed: of the model's chance.

    Raises:
        ConfigError: if the system has no such model, its observations are no pictures, or its episodes are
            not longer than the context.
    """
    system, chosen = trained.system, playback.lane_of(trained, lane)
    if system.dream is None:
        raise ConfigError(f"system {system.name} has no model that says what it expects to see")
    picture = pictures(system)
    data = new_episodes(trained, lane=chosen, episodes=episodes, steps=steps, at_least=context + 1)
    with precision(system):
        expects = jax.jit(system.dream, static_argnames="context")
        found = expects(playback.params_of(trained, chosen), data, jax.random.key(seed), context=context)
        return Dream(picture(data.observation, False), picture(found, True), context)


def new_episodes(
    trained: playback.Trained,
    *,
    lane: int | None = None,
    episodes: int = 1,
    steps: int = 50,
    at_least: int | None = None,
) -> Trajectory:
    """The first steps of episodes after the run, [B T ...], of which its model has learned nothing.

    Args:
        trained: a run of a system that keeps what `data.sequences.record_step` records.
        lane: which of its seeds, from 0; None for the best.
        episodes: B.
        steps: T; fewer where the episodes are shorter.
        at_least: the fewest steps that an episode must have; default T.

    Raises:
        ConfigError: if too few episodes are so long.
    """
    system, chosen = trained.system, playback.lane_of(trained, lane)
    stage, found = dataclasses.replace(system.schedule[-1], updates=0), []
    decisions = stage.env_steps * trained.restored.state.timestep.first[0].size
    rounds = -(-episodes * (system.environment.spec.max_steps + 1) // decisions) + 1
    with precision(system):
        driver = make_driver(system, trained.record["seeds"])
        try:
            state = driver.resume(jax.tree.map(jnp.copy, trained.restored.state))  # a chunk uses it up
            chunk = driver.chunk(stage, state)
            for index in range(rounds):
                state, _ = chunk.call(state, np.int32(index))
                items = _newest(system, state, chosen, (index + 1) * stage.env_steps)
                begins, length = _beginnings(np.asarray(items.first), episodes, steps, at_least or steps)
                if length == steps or (index == rounds - 1 and length):
                    found = begins[:episodes]
                    break
        finally:
            driver.close()
    if not len(found):
        wanted = f"{episodes} episodes of {at_least or steps} steps or more"
        raise ConfigError(f"env {system.environment.spec.name} had not {wanted} in {rounds} rounds")
    place, begin = np.asarray(found).T
    rows = begin[:, None] + np.arange(length)
    return jax.tree.map(lambda leaf: leaf[place[:, None], rows], items)


def _newest(system: System, state: SystemState, lane: int, steps: int) -> Trajectory:
    """The last steps [N T ...] that one seed's replay was given."""
    ring = system.replay.data(jax.tree.map(lambda leaf: leaf[lane], state.replay))
    kept, capacity = int(ring.count), ring.items.first.shape[1]
    steps = min(steps, kept)
    rows = (int(ring.start) + kept - steps + np.arange(steps)) % capacity
    return jax.tree.map(lambda leaf: np.asarray(leaf[:, rows]), ring.items)


def _beginnings(
    first: np.ndarray, episodes: int, steps: int, least: int
) -> tuple[list[tuple[int, int]], int]:
    """(place, step) of beginnings, in order, and the largest length that enough of them have."""
    lengths = {}
    for place, flags in enumerate(first):
        begins = np.flatnonzero(flags)
        for begin, end in zip(begins, [*begins[1:], len(flags)], strict=True):
            lengths[place, int(begin)] = min(int(end - begin), steps)
    longest = sorted(lengths.values(), reverse=True)
    length = longest[episodes - 1] if len(longest) >= episodes else 0
    if length < least:
        return [], 0
    return [begin for begin, own in lengths.items() if own >= length], length


# ---------------------------------------------------------------- pictures


def pictures(system: System) -> Callable[[PyTree, bool], UInt8[np.ndarray, "B T H W 3"]]:
    """(observations, or what the model decodes, and whether it is the latter) -> pictures.

    Raises:
        ConfigError: if observations are vectors.
    """
    space = system.environment.spec.observation
    if not isinstance(space, Box) or len(space.shape) != 3:
        raise ConfigError(
            f"env {system.environment.spec.name} is observed as {space.shape[0]} numbers, not as a picture"
        )
    if space.dtype == jnp.bool_:
        draw = jax.jit(jax.vmap(jax.vmap(minatar.draw)))
        return lambda planes, decoded: np.asarray(draw(jax.nn.sigmoid(planes) if decoded else planes))
    return lambda images, decoded: _coloured(np.asarray(pixels(images) if decoded else images))


def _coloured(images: UInt8[np.ndarray, "B T H W C"]) -> UInt8[np.ndarray, "B T H W 3"]:
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images[..., :3]


def film(dreamt: Dream) -> UInt8[np.ndarray, "T H W 3"]:
    """Rows truth, model and error, a column for each episode; the number of the step above."""
    frames = [_grid(dreamt, step) for step in range(dreamt.truth.shape[1])]
    return np.stack(
        [
            _lettered(frame, f"step {step}, " + ("seen" if step < dreamt.context else "imagined"))
            for step, frame in enumerate(frames)
        ]
    )


def strip(dreamt: Dream, pictures: int = 10) -> UInt8[np.ndarray, "H W 3"]:
    """The same rows of the first episode, a column for each of some steps."""
    steps = np.unique(np.linspace(0, dreamt.truth.shape[1] - 1, pictures).round().astype(int))
    truth, model = (images[:1, steps].swapaxes(0, 1) for images in (dreamt.truth, dreamt.model))
    part = Dream(truth, model, dreamt.context)
    names = " ".join(f"{step}" for step in steps)
    return _lettered(_grid(part, 0), f"steps {names}; the first {dreamt.context} are seen")


def write(path: Path, dreamt: Dream, *, fps: float) -> Path:
    """Writes a GIF, or a strip where the name ends in .png.

    Raises:
        RunError: if the file cannot be written.
    """
    if path.suffix == ".png":
        return video.write_strip(path, strip(dreamt)[None], pictures=1)
    return video.write_gif(path, film(dreamt), fps=fps)


def _grid(dreamt: Dream, step: int) -> UInt8[np.ndarray, "H W 3"]:
    """One step of all episodes, larger where the pictures are small."""
    rows = [images[:, step] for images in (dreamt.truth, dreamt.model, dreamt.error)]
    larger = -(-_SIDE // max(rows[0].shape[1:3]))
    tiles = [row.repeat(larger, axis=1).repeat(larger, axis=2) for row in rows]
    gap = ((0, 0), (0, 2), (0, 2), (0, 0))
    return np.concatenate([np.concatenate(np.pad(row, gap, constant_values=255), axis=1) for row in tiles])


def _lettered(grid: UInt8[np.ndarray, "H W 3"], title: str) -> UInt8[np.ndarray, "h w 3"]:
    """With the names of the rows on the left, and a title."""
    from PIL import Image, ImageDraw

    height, width = grid.shape[:2]
    image: Any = Image.new("RGB", (width + _MARGIN, height + _HEADER), "white")
    image.paste(Image.fromarray(grid), (_MARGIN, _HEADER))
    letters = ImageDraw.Draw(image)
    letters.text((_MARGIN, 2), title, fill="black")
    for row, name in enumerate(ROWS):
        letters.text((4, _HEADER + height * (2 * row + 1) // 6 - 6), name, fill="black")
    return np.asarray(image)
