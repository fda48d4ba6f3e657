"""PlaNet's video prediction: five images are seen, fifty more imagined, with the run of planet_returns.py.

    python experiments/figures/planet_open_loop.py                      draws results/planet/open_loop.png
    python experiments/figures/planet_open_loop.py --run                predicts; docs/planet_open_loop.gif
    python experiments/figures/planet_open_loop.py --run --preset gpu   with the run of that preset
    ... --run --preset gpu --search laptop                              acting with another preset's search

The episodes are new: the run's agent acts, with its noise, and learns no more. The prediction follows the
actions alone, from an episode's beginning, where the pole swings up. How right it is, is read off its images:
the angle of the pole in an image is that of the most similar one among images of all places and angles, drawn
by the environment.
"""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import jax
import jax.numpy as jnp
import numpy as np

from imaginax.data.pixels import pixels as levels
from imaginax.envs.control import cartpole
from imaginax.envs.control.suite import ControlState, environment, still
from imaginax.envs.pixels import shrunk
from imaginax.runtime import playback, plotting, video
from imaginax.runtime.dream import new_episodes
from imaginax.systems import planet
from imaginax.systems.presets import planet as planet_presets

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "planet"
RUNS = ROOT / "runs" / "planet"
PRESETS = {"laptop": "", "gpu": "_gpu"}  # endings of names
EPISODES, CONTEXT, STEPS = 10, 5, 55
SHOWN = (0, 2, 4, 5, 10, 15, 20, 30, 40, 54)  # steps in the figure
SECONDS = 0.08  # of a step: action repeat 8
PLACES, ANGLES = np.linspace(-1.8, 1.8, 37), np.linspace(-np.pi, np.pi, 180, endpoint=False)


def named(preset: str, name: str) -> Path:
    """The place of a result."""
    path = RESULTS / name
    return path.with_stem(path.stem + PRESETS[preset])


def measure(preset: str, search: str | None) -> None:
    """Predicts, and reads the angles off what was seen and what was imagined."""
    logdir = RUNS / f"cartpole_swingup{PRESETS[preset]}"
    trained = playback.load(logdir)
    config: Any = trained.system.config
    if search:
        planner = planet_presets.preset(search, None).planner
        trained = trained._replace(system=planet.make(dataclasses.replace(config, planner=planner)))
    data = new_episodes(trained, episodes=EPISODES, steps=STEPS)
    assert trained.system.dream is not None
    predict = jax.jit(partial(trained.system.dream, context=CONTEXT))
    means = predict(playback.params_of(trained), data, jax.random.key(0))
    imagined = np.asarray(levels(means))
    read = _reader(config.image)
    truth = read(data.observation)
    frozen = np.repeat(truth[:, CONTEXT - 1 : CONTEXT], STEPS, axis=1)
    record = plotting.results_record(logdir) | {
        "context": CONTEXT,
        "episodes": EPISODES,
        "search": search or preset,
        "error_degrees": _errors(read(imagined) - truth),
        "error_degrees_of_no_prediction": _errors(frozen - truth),
    }
    plotting.write_results(named(preset, "open_loop.json"), record)
    rows = [np.concatenate(images[0, SHOWN], axis=1) for images in (data.observation, imagined)]
    iio.imwrite(named(preset, "open_loop_frames.png"), np.concatenate(rows))
    pairs = np.concatenate([data.observation, imagined], axis=2)[:3]  # above each other, of three episodes
    wide = 128 // config.image
    film = np.concatenate(list(pairs), axis=2).repeat(wide, axis=1).repeat(wide, axis=2)
    video.write_gif(ROOT / "docs" / f"planet_open_loop{PRESETS[preset]}.gif", film, fps=1 / SECONDS)


def _reader(size: int):
    """Images [B T H W 3] -> angles of the pole [B T], in radians from upright."""
    task = cartpole.swingup()
    render, square = environment(task).render, 64 // size
    assert render is not None

    @jax.jit
    @jax.vmap
    def draw(q):
        return shrunk(render(ControlState(still(task.system, q))), square)

    q = np.stack(np.meshgrid(PLACES, ANGLES, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
    images = np.concatenate([np.asarray(draw(jnp.asarray(part))) for part in np.split(q, len(PLACES))])
    gallery = images.reshape(len(q), -1).astype(np.float32)
    norms = (gallery**2).sum(1)

    def read(images: np.ndarray) -> np.ndarray:
        flat = images.reshape(-1, gallery.shape[1]).astype(np.float32)
        return q[(norms - 2 * flat @ gallery.T).argmin(1), 1].reshape(images.shape[:2])

    return read


def _errors(difference: np.ndarray) -> dict[str, list[float]]:
    """Quartiles over episodes of |difference of angles| at every step, in degrees."""
    wrapped = np.degrees(np.abs((difference + np.pi) % (2 * np.pi) - np.pi))
    quartiles = np.quantile(wrapped, (0.25, 0.5, 0.75), axis=0).round(2)
    return {name: row.tolist() for name, row in zip(("lower", "median", "upper"), quartiles, strict=True)}


def results() -> list[str]:
    """Presets that have one."""
    return [preset for preset in PRESETS if named(preset, "open_loop.json").exists()]


def draw(preset: str = "gpu") -> Path:
    """Images above, the error of the pole's angle below."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = plotting.read_results(named(preset, "open_loop.json"))
    frames = iio.imread(named(preset, "open_loop_frames.png"))
    size = frames.shape[0] // 2
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(10, 5.5), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=(2, 2.4))
        upper, lower = parts
        rows = upper.subplots(2, len(SHOWN))
        for row, name in enumerate(("true", "imagined")):
            rows[row, 0].set_ylabel(name)
            for column, axes in enumerate(rows[row]):
                axes.imshow(frames[row * size : (row + 1) * size, column * size : (column + 1) * size])
                axes.set(xticks=[], yticks=[])
                axes.grid(False)
        for one, step in zip(rows[0], SHOWN, strict=True):
            one.set_title(f"step {step}" + (" (seen)" if step < CONTEXT else ""), fontsize=8, loc="center")
        axes = lower.subplots()
        steps = np.arange(STEPS)
        for name, label in (
            ("error_degrees", "imagined"),
            ("error_degrees_of_no_prediction", "as last seen"),
        ):
            error = record[name]
            (line,) = axes.plot(steps, error["median"], label=label)
            axes.fill_between(steps, error["lower"], error["upper"], color=line.get_color(), alpha=0.2)
        axes.axvline(CONTEXT - 0.5, color="#888888", linestyle="--")
        axes.set(
            xlabel="step (0.08 s each); images are seen up to the line", ylabel="error of the angle, degrees"
        )
        axes.legend()
        path = named(preset, "open_loop.png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", action="store_true", help="predict")
    parser.add_argument("--preset", choices=PRESETS, default="laptop", help="of the run")
    parser.add_argument("--search", choices=PRESETS, help="that episodes are acted with; default: the run's")
    options = parser.parse_args()
    if options.run:
        measure(options.preset, options.search)
    print(*map(draw, results()) if results() else ["no result yet: --run makes it"], sep="\n")
