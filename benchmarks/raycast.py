"""The ray-caster beside MuJoCo's own renderer on tasks of the DeepMind control suite.

    python benchmarks/raycast.py [--models FOLDER] [--states 50] [--batch 64] [--pictures FOLDER]

The models are XML files, by default those of an installed dm_control or playground. For random states of
every task: how well the silhouettes of the moving geoms agree (intersection over union), the mean difference
of the colours in steps of 255 to MuJoCo's pictures with and without shadows and reflections, pictures a
second of both, and the seconds that ours takes to compile. Prints a table and writes
results/benchmarks/raycast.json.
Without OpenGL (EGL or OSMesa; MUJOCO_GL chooses) only the speed of ours is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("MUJOCO_GL", "egl")

import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from imaginax.envs.raycast import Pose, make_renderer, make_segmenter, pose_of
from imaginax.runtime.plotting import commit
from imaginax.runtime.run_directory import write_json

RESULT = Path(__file__).parents[1] / "results" / "benchmarks" / "raycast.json"
TASKS = ("cartpole", "pendulum", "reacher", "cheetah", "finger", "ball_in_cup", "walker", "hopper")
PLACES = {"dm_control": "suite", "mujoco_playground": "_src/dm_control_suite/xmls"}  # package: folder in it
SIZE = 64
SETTLING_STEPS = 50  # of physics with random actions before a state counts
REPEATS = 5  # the fastest counts
PLAIN = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION)


class Views(NamedTuple):
    """MuJoCo's pictures of some states, and pictures a second."""

    full: np.ndarray
    plain: np.ndarray
    moving: np.ndarray
    rate: float
    plain_rate: float


def find_models() -> Path | None:
    """The folder of the models in an installed package."""
    for package, folder in PLACES.items():
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(root) / folder / f"{TASKS[0]}.xml").exists():
                return Path(root) / folder
    return None


def random_states(model: mujoco.MjModel, count: int) -> list[mujoco.MjData]:
    """Joints anywhere in their ranges, then a little physics with random actions."""
    rng = np.random.default_rng(0)
    states = []
    for _ in range(count):
        data = mujoco.MjData(model)
        for joint in range(model.njnt):
            slides = model.jnt_type[joint] == int(mujoco.mjtJoint.mjJNT_SLIDE)
            free = (-0.5, 0.5) if slides else (-np.pi, np.pi)
            low, high = model.jnt_range[joint] if model.jnt_limited[joint] else free
            data.qpos[model.jnt_qposadr[joint]] += rng.uniform(low, high)
        for _ in range(SETTLING_STEPS):
            data.ctrl[:] = rng.uniform(-1, 1, model.nu)
            mujoco.mj_step(model, data)
        mujoco.mj_forward(model, data)
        states.append(data)
    return states


def is_moving(model: mujoco.MjModel, geom: np.ndarray) -> np.ndarray:
    """Whether a pixel shows a geom of a body that can move; of numbers that may be none."""
    bodies = model.geom_bodyid[np.clip(geom, 0, model.ngeom - 1)]
    return (geom >= 0) & (geom < model.ngeom) & (model.body_weldid[bodies] != 0)


def mujoco_views(model: mujoco.MjModel, states: list[mujoco.MjData]) -> Views:
    """Everything that MuJoCo's renderer says."""
    with mujoco.Renderer(model, SIZE, SIZE) as renderer:
        full, rate = timed_views(renderer, states, flags=True)
        plain, plain_rate = timed_views(renderer, states, flags=False)
        renderer.enable_segmentation_rendering()
        parts = timed_views(renderer, states, flags=False)[0]
    geom = np.where(parts[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM), parts[..., 0], -1)
    return Views(full.astype(int), plain.astype(int), is_moving(model, geom), rate, plain_rate)


def timed_views(
    renderer: mujoco.Renderer, states: list[mujoco.MjData], *, flags: bool
) -> tuple[np.ndarray, float]:
    """Pictures of all states, and how many a second, with or without shadows and reflections."""
    best, images = np.inf, []
    for _ in range(2):  # the first round loads
        start, images = time.perf_counter(), []
        for data in states:
            renderer.update_scene(data, camera=0)
            for flag in PLAIN:
                renderer.scene.flags[flag] = flags
            images.append(renderer.render().copy())
        best = min(best, time.perf_counter() - start)
    return np.stack(images), len(states) / best


def rate(program: Callable[[Pose], jax.Array], poses: Pose) -> float:
    """Pictures a second."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(program(poses))
        seconds.append(time.perf_counter() - start)
    return len(poses.place) / min(seconds)


def measure_speed(model: mujoco.MjModel, poses: Pose) -> dict[str, float]:
    """Pictures a second of a batch in both arrangements, and with four samples; seconds to compile."""
    render = make_renderer(model, height=SIZE, width=SIZE)
    fine = make_renderer(model, height=SIZE, width=SIZE, samples=2)
    lowered = jax.jit(jax.vmap(render)).lower(poses)
    start = time.perf_counter()
    together = lowered.compile()
    compile_s = time.perf_counter() - start
    rates = {
        "vmap_per_s": rate(together, poses),
        "map_per_s": rate(jax.jit(lambda batch: jax.lax.map(render, batch)).lower(poses).compile(), poses),
        "vmap_2x2_per_s": rate(jax.jit(jax.vmap(fine)).lower(poses).compile(), poses),
    }
    return rates | {"compile_s": compile_s}


def measure(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One task's row."""
    model = mujoco.MjModel.from_xml_path(str(path))
    states = random_states(model, options.states)
    poses = jax.tree.map(lambda *parts: jnp.stack(parts), *map(pose_of, states))
    batch = jax.tree.map(lambda part: jnp.resize(part, (options.batch, *part.shape[1:])), poses)
    row: dict[str, Any] = {"bodies": model.nbody, "geoms": model.ngeom} | measure_speed(model, batch)
    try:
        theirs = mujoco_views(model, states)
    except Exception as error:  # OpenGL fails in as many ways as there are drivers
        print(f"{path.stem}: MuJoCo's renderer does not work here ({error})")
        return row
    images = np.array(jax.lax.map(make_renderer(model, height=SIZE, width=SIZE), poses), int)
    fine = np.array(jax.lax.map(make_renderer(model, height=SIZE, width=SIZE, samples=2), poses), int)
    mine = is_moving(model, np.array(jax.lax.map(make_segmenter(model, height=SIZE, width=SIZE), poses)))
    union = (mine | theirs.moving).sum(axis=(1, 2))
    overlap = (mine & theirs.moving).sum(axis=(1, 2))[union > 0] / union[union > 0]
    if options.pictures:
        shown = [np.concatenate([fine[i], theirs.full[i]], axis=1) for i in range(min(4, len(fine)))]
        picture = np.kron(np.concatenate(shown), np.ones((4, 4, 1))).astype(np.uint8)
        options.pictures.mkdir(parents=True, exist_ok=True)
        imageio.imwrite(options.pictures / f"{path.stem}.png", picture)
    return row | {
        "iou_mean": overlap.mean(),
        "iou_min": overlap.min(),
        "states_compared": len(overlap),
        "colour_error_plain": np.abs(images - theirs.plain).mean(),
        "colour_error_full": np.abs(images - theirs.full).mean(),
        "colour_error_2x2_full": np.abs(fine - theirs.full).mean(),
        "mujoco_per_s": theirs.rate,
        "mujoco_plain_per_s": theirs.plain_rate,
    }


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", type=Path, default=find_models(), help="folder with the suite's XML files"
    )
    parser.add_argument("--states", type=int, default=50)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--pictures", type=Path, help="folder for pictures: ours on the left, MuJoCo's right")
    options = parser.parse_args()
    if options.models is None:
        print("Nothing measured: this needs the control suite's models. pip install playground, or --models")
        return
    mujoco.set_mju_user_warning(print)  # it would write a file into the current folder
    rows = {task: measure(options.models / f"{task}.xml", options) for task in options.tasks}
    write(options, rows)


def write(options: argparse.Namespace, rows: dict[str, dict[str, Any]]) -> None:
    """Prints the table and writes the file."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"{'':<13}" + "".join(f"{name.replace('_', ' '):>23}" for name in columns))
    for task, row in rows.items():
        print(f"{task:<13}" + "".join(f"{row.get(name, float('nan')):>23.4g}" for name in columns))
    place = jax.devices()[0]
    record = {
        "size": SIZE,
        "states": options.states,
        "batch": options.batch,
        "tasks": {task: {name: float(value) for name, value in row.items()} for task, row in rows.items()},
        "commit": commit(),
        "jax": jax.__version__,
        "mujoco": mujoco.__version__,
        "device": {"platform": place.platform, "kind": place.device_kind, "cores": os.cpu_count()},
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, record)
    print(RESULT)


if __name__ == "__main__":
    main()
