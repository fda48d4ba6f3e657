"""Physics, images and accidents: what an environment of a task does besides its numbers."""

from __future__ import annotations

import subprocess
import sys
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from imaginax import envs  # noqa: E402
from imaginax.envs.control import suite  # noqa: E402
from imaginax.envs.control.suite import data, environment  # noqa: E402
from imaginax.types import ConfigError  # noqa: E402
from tests.envs.control.recorded import NAMES, recorded  # noqa: E402

# what one control step leads to: greatest error of positions [m, rad] and velocities [1/s]
PHYSICS = {"control_cartpole_balance": (1e-6, 1e-4), "control_hopper_hop": (1e-3, 1e-1)}


@cache
def task(name):
    return suite.task(name)


def placed(name, q, qd, target):
    """A state with joints there."""
    state = task(name).start(jax.random.key(0))
    return state._replace(
        body=state.body._replace(q=q, qd=qd, warmstart=jnp.zeros_like(q)),
        target=target if target.size else None,
    )


@pytest.mark.parametrize("name", PHYSICS)
def test_a_step_leads_where_dm_control_goes(name):
    """From every recorded state, so that errors cannot add up."""
    rows = recorded(name)
    env = environment(task(name))
    target = jnp.broadcast_to(rows["target"][:, None], (*rows["action"].shape[:2], rows["target"].shape[-1]))

    def step(q, qd, target, action):
        return env.step(placed(name, q, qd, target), action, jax.random.key(0))

    both = jax.jit(jax.vmap(jax.vmap(step)))
    state, timestep = both(rows["q"][:, :-1], rows["qd"][:, :-1], target, rows["action"])
    for got, expected, tolerance in zip(
        (state.body.q, state.body.qd), (rows["q"], rows["qd"]), PHYSICS[name], strict=True
    ):
        error = np.abs(got - expected[:, 1:]).max(axis=-1)
        assert error.max() < tolerance and np.median(error) < tolerance / 20
        assert np.abs(expected).max() > 100 * tolerance
    np.testing.assert_allclose(timestep.reward, rows["reward"], atol=10 * PHYSICS[name][0])
    assert (timestep.discount == 1).all() and not timestep.last.any()


def test_a_step_into_infinity_truncates():
    env = environment(task("control_pendulum_swingup"))
    state, _ = env.init(jax.random.key(0))
    broken = state._replace(body=state.body._replace(qd=jnp.full(1, jnp.inf)))
    after, timestep = jax.jit(env.step)(broken, jnp.zeros(1), jax.random.key(0))
    assert timestep.last and timestep.truncated and timestep.discount == 1 and timestep.reward == 0
    np.testing.assert_array_equal(after.body.q, state.body.q)


def test_actions_outside_of_the_bounds_are_the_nearest_bound():
    env = environment(task("control_pendulum_swingup"))
    state, _ = env.init(jax.random.key(0))
    step = jax.jit(env.step)
    far, near = (step(state, jnp.full(1, action), jax.random.key(0))[0] for action in (7.0, 1.0))
    np.testing.assert_array_equal(far.body.qd, near.body.qd)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_can_be_seen_is_in_its_place(name):
    rows = recorded(name)
    q, target = rows["state_q"][0], rows["state_target"][0]
    model = task(name).system.mj_model
    theirs = mujoco.MjData(model)
    theirs.qpos[:] = q
    for stage in (mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_camlight):
        stage(model, theirs)
    if target.size:
        theirs.geom("target").xpos[:2] = target
    state = placed(name, jnp.asarray(q), jnp.zeros_like(q), jnp.asarray(target))
    mine = jax.jit(partial(data, task(name).system))(state)
    for field in ("xpos", "geom_xpos", "cam_xpos"):
        np.testing.assert_allclose(getattr(mine, field), getattr(theirs, field), atol=1e-5, err_msg=field)
    for field in ("xmat", "geom_xmat", "cam_xmat"):
        expected = getattr(theirs, field).reshape(-1, 3, 3)
        np.testing.assert_allclose(getattr(mine, field), expected, atol=1e-5, err_msg=field)


def test_a_renderer_is_given_the_model_and_the_places():
    def renderer(model):
        ball = model.geom("mass").id
        return lambda data: jnp.full((2, 3, 3), 100 * data.geom_xpos[ball, 2]).astype(jnp.uint8)

    env = suite.make("control_pendulum_swingup", renderer)
    state, timestep = env.init(jax.random.key(1))
    image = env.render(state)
    assert image.shape == (2, 3, 3) and image.dtype == jnp.uint8
    assert image[0, 0, 0] == int(100 * (0.6 + 0.5 * timestep.observation[0]))


def test_the_reachers_target_is_drawn_where_it_is():
    """The camera looks straight down from 0.75 m with an angle of view of 45 degrees."""
    env = suite.make("control_reacher_easy")
    draw = jax.jit(env.render)
    state = env.init(jax.random.key(0))[0]
    state = state._replace(body=state.body._replace(q=jnp.array([0.8, 0.0])))  # the arm is out of the way
    pictures = []
    for target in ([-0.1, 0.15], [-0.17, -0.05], [0.1, -0.12]):
        pictures.append(np.asarray(draw(state._replace(target=jnp.array(target))), int))
    background = np.median(pictures, axis=0)
    for picture, (x, y) in zip(pictures, ([-0.1, 0.15], [-0.17, -0.05], [0.1, -0.12]), strict=True):
        rows, columns = np.nonzero(np.abs(picture - background).sum(-1) > 30)
        scale = 32 / (0.74 * np.tan(np.pi / 8))
        assert columns.mean() + 0.5 == pytest.approx(32 + scale * x, abs=1)
        assert rows.mean() + 0.5 == pytest.approx(32 - scale * y, abs=1)


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_a_step_lowers_for_accelerators(platform):
    from jax import export

    env = environment(task("control_pendulum_swingup"))
    state, _ = jax.eval_shape(env.init, jax.random.key(0))
    action = jax.ShapeDtypeStruct((1,), jnp.float32)
    key = jax.eval_shape(jax.random.key, 0)
    program = export.export(jax.jit(env.step), platforms=[platform])(state, action, key)
    assert program.platforms == (platform,)


def test_without_mjx_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    message = r"control_pendulum_swingup needs mujoco-mjx: pip install 'imaginax\[control\]'"
    with pytest.raises(ConfigError, match=message):
        envs.make("control_pendulum_swingup")


def test_a_users_terminal_stays_clean():
    program = "from imaginax import envs; envs.make('control_pendulum_swingup')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
