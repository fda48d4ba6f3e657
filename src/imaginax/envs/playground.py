"""MuJoCo Playground's environments (Zakka et al. 2025, arXiv 2502.08844): `playground:CartpoleSwingup`.

They need the package: pip install 'imaginax[playground]'. Options change fields of the environment's own
configuration: `playground:CartpoleSwingup?impl=jax&action_repeat=2`. Observations that are dictionaries are
shown as their entry `state`, what a policy sees.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree, UInt8

from imaginax.envs import raycast
from imaginax.envs.physical import restart, transition
from imaginax.envs.wrappers import strip_weak_types
from imaginax.errors import ConfigError
from imaginax.types import Box, Environment, EnvSpec, TimeStep

PIXELS = 128  # a side
_FREE_CAMERA = -1


class PlaygroundState(NamedTuple):
    """What a step needs of Playground's state: MJX's data, what the task notes, and its metrics."""

    data: PyTree
    info: PyTree
    metrics: PyTree


def environment(name: str, **options: Any) -> Environment:
    """One of Playground's environments, with actions in [-1, 1] and its own episode length.

    Args:
        name: as Playground's registry has it.
        options: fields of its configuration; `impl` is "jax" where nobody says otherwise.

    Raises:
        ConfigError: for an unknown name or field, or if Playground is not installed.
    """
    title = f"playground:{name}" + ("?" + "&".join(f"{k}={v}" for k, v in options.items()) if options else "")
    world, length = _world(title, name, options)

    def begin(key: Array) -> Any:
        with _quiet(title):
            return strip_weak_types(world.reset(key))

    reset = jax.eval_shape(begin, jax.random.key(0))
    shown = _shown(reset.obs)

    def init(key: Array) -> tuple[PlaygroundState, TimeStep]:
        state = begin(key)
        return PlaygroundState(state.data, state.info, state.metrics), restart(_shown(state.obs))

    def step(state: PlaygroundState, action: Array, key: Array) -> tuple[PlaygroundState, TimeStep]:
        del key  # Playground keeps a key of its own in `info`
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (reset.obs, reset.reward))
        whole = reset.replace(
            data=state.data,
            info=state.info,
            metrics=state.metrics,
            obs=zeros[0],
            reward=zeros[1],
            done=jnp.zeros(reset.done.shape, reset.done.dtype),
        )
        with _quiet(title):
            after = world.step(whole, jnp.clip(action, -1.0, 1.0))
        after = strip_weak_types(jax.tree.map(_cast, reset, after))
        reward = jnp.asarray(after.reward, jnp.float32)
        timestep = transition(_shown(after.obs), reward, terminal=after.done > 0)
        return PlaygroundState(after.data, after.info, after.metrics), timestep

    spec = EnvSpec(
        name=title,
        observation=Box(shown.shape),
        action=Box((world.action_size,), -1.0, 1.0),
        max_steps=length,
        step_seconds=round(float(world.dt), 6),
    )
    return Environment(spec, init, step, _renderer(world.mj_model))


def _world(title: str, name: str, options: dict[str, Any]) -> tuple[Any, int]:
    """Playground's environment, and the steps of its episodes."""
    with _quiet(title):
        from mujoco_playground import registry  # pyright: ignore[reportMissingImports]

        if name not in registry.ALL_ENVS:
            near = difflib.get_close_matches(name, registry.ALL_ENVS, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ConfigError(f"env {title}: Playground has no environment {name!r}{hint}")
        config = registry.get_default_config(name)
        unknown = [option for option in options if option not in config]
        if unknown:
            raise ConfigError(f"env {title}: its configuration has no field {unknown[0]}")
        own = {"impl": "jax"} if "impl" in config else {}  # the other one, warp, is for NVIDIA alone
        world = registry.load(name, config_overrides=own | options)
    return world, int(config.get("episode_length", 1000))


def _shown(observation: Any) -> Any:
    return observation["state"] if isinstance(observation, dict) else observation


def _cast(shape: jax.ShapeDtypeStruct, x: Array) -> Array:
    if jnp.issubdtype(shape.dtype, jax.dtypes.prng_key):
        return x
    return jnp.asarray(x).astype(shape.dtype)


def _renderer(model: Any):
    """Draws with the model's first camera, or MuJoCo's free one; None for a model of meshes."""
    camera = 0 if model.ncam else _FREE_CAMERA
    try:
        draw = raycast.make_renderer(model, height=PIXELS, width=PIXELS, camera=camera)
    except ConfigError:
        return None

    def render(state: PlaygroundState) -> UInt8[Array, "H W 3"]:
        return draw(raycast.pose_of(state.data))

    return render


@contextlib.contextmanager
def _quiet(title: str) -> Iterator[None]:
    """Without notices of what is missing and of fields that MJX will rename."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"env {title} needs MuJoCo Playground: pip install 'imaginax[playground]'"
        ) from error
