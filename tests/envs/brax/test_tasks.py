from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

brax = pytest.importorskip("brax")

import mujoco  # noqa: E402  (comes with brax)

from imaginax.envs.brax import half_cheetah as brax_half_cheetah  # noqa: E402
from imaginax.envs.brax import pusher as brax_pusher  # noqa: E402
from imaginax.envs.brax import reacher as brax_reacher  # noqa: E402
from imaginax.envs.brax import tasks as brax_tasks  # noqa: E402
from imaginax.types import ConfigError, Environment, TimeStep  # noqa: E402

LANES, STEPS = 4, 100
TASKS = {
    "half_cheetah": brax_half_cheetah,
    "reacher": brax_reacher,
    "pusher": brax_pusher,
}


class Rollout(NamedTuple):
    """Random actions in LANES copies; arrays are numpy [LANES, STEPS, ...]."""

    env: Environment
    start: TimeStep
    start_state: object
    actions: np.ndarray
    states: object  # after each step
    steps: TimeStep

    @property
    def before(self) -> np.ndarray:
        """Observations that the actions were taken in."""
        first = np.asarray(self.start.observation)[:, None]
        return np.concatenate([first, self.steps.observation[:, :-1]], axis=1)


@cache
def environment(task: str) -> Environment:
    return getattr(brax_tasks, task)()


@cache
def rollout(task: str) -> Rollout:
    """One compiled program a task serves all tests."""
    env = environment(task)
    state, start = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.key(3), LANES))
    if task == "pusher":
        state = _push_in_last_lane(state)
        start = start._replace(observation=jax.vmap(brax_pusher.observe)(state))
    box = env.spec.action
    shape = (LANES, STEPS, *box.shape)
    actions = jax.random.uniform(jax.random.key(4), shape, minval=box.low, maxval=box.high)

    def act(state, action):
        state, timestep = env.step(state, action, jax.random.key(0))
        return state, (state, timestep)

    run = jax.jit(jax.vmap(lambda state, actions: jax.lax.scan(act, state, actions)[1]))
    states, steps = jax.tree.map(np.asarray, run(state, actions))
    return Rollout(env, start, state, np.asarray(actions), states, steps)


def _push_in_last_lane(state):
    """The hand is level with the object, which stands between the fingers, and swings sideways."""
    q = jnp.array([0.0, 0.39, 0, 0, 0, 0, 0, -0.55, 0.40], jnp.float32)
    qd = jnp.array([1.5, 0, 0, 0, 0, 0, 0, 0, 0], jnp.float32)
    return state._replace(q=state.q.at[-1].set(q), qd=state.qd.at[-1].set(qd))


def _body(state):
    return getattr(state, "body", state)


def _simulate(task: str, mjcf: str) -> tuple[np.ndarray, np.ndarray]:
    """MuJoCo's own simulation, its solver run to convergence, of each step from where the roll-out was."""
    played = rollout(task)
    model = mujoco.MjModel.from_xml_string(mjcf)
    model.opt.iterations, model.opt.ls_iterations = 100, 50
    data = mujoco.MjData(model)
    before = jax.tree.map(
        lambda first, rest: np.concatenate([np.asarray(first)[:, None], rest[:, :-1]], axis=1),
        _body(played.start_state),
        _body(played.states),
    )
    q, qd = np.zeros_like(before.q), np.zeros_like(before.qd)
    for lane, step in np.ndindex(LANES, STEPS):
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = before.q[lane, step], before.qd[lane, step]
        if task == "half_cheetah":
            data.qpos[0] = 0  # x counts anew
        data.ctrl[:] = played.actions[lane, step]
        mujoco.mj_step(model, data, TASKS[task].FRAME_SKIP)
        q[lane, step], qd[lane, step] = data.qpos, data.qvel
    return q, qd


@pytest.mark.parametrize("task", TASKS)
def test_physics_is_mujocos(task):
    q, qd = _simulate(task, TASKS[task].MJCF)
    mine = _body(rollout(task).states)
    for got, expected, tolerance in ((mine.q, q, 1e-4), (mine.qd, qd, 1e-2)):
        error = np.abs(got - expected).max(axis=-1)
        assert np.percentile(error, 90) < tolerance / 20
        assert error.max() < tolerance
        assert np.abs(expected).max() > 500 * tolerance  # what is compared moves


def test_half_cheetah_stands_on_its_feet():
    steps = rollout("half_cheetah").steps
    height = steps.observation[:, 20:, 1]  # they hang 5 cm up at first
    assert -0.5 < height.min() and height.max() < 0.3 and height.mean() < -0.04


def test_pushers_hand_moves_the_object_as_the_published_cylinder():
    mjcf = brax_pusher.MJCF
    cylinder = mjcf.replace('<geom name="object"', '<geom name="object" type="cylinder"')
    assert cylinder != mjcf
    lane, states = LANES - 1, rollout("pusher").states
    assert np.ptp(states.q[lane, :, 7]) > 0.1
    assert np.ptp(states.q[:lane, :, 7:], axis=1).max() == 0  # and nothing else does
    q, _ = _simulate("pusher", cylinder)
    error = np.abs(states.q[lane, :, 7:] - q[lane, :, 7:]).max(axis=-1)
    assert np.percentile(error, 95) < 1e-5 and error.max() < 5e-3


@pytest.mark.parametrize("task", TASKS)
def test_random_actions_keep_everything_finite_and_never_end(task):
    steps = rollout(task).steps
    assert np.isfinite(steps.observation).all() and np.isfinite(steps.reward).all()
    assert np.abs(steps.observation).max() < 200
    assert (steps.discount == 1).all() and not steps.last.any() and not steps.truncated.any()


@pytest.mark.parametrize("task", TASKS)
def test_init_and_step_return_the_same_types(task):
    env = environment(task)
    shapes = jax.eval_shape(env.init, jax.random.key(0))
    action = jax.ShapeDtypeStruct(env.spec.action.shape, jnp.float32)
    after = jax.eval_shape(env.step, shapes[0], action, jax.random.key(0))

    def kinds(tree):
        leaves, structure = jax.tree.flatten(tree)
        return structure, [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in leaves]

    assert kinds(shapes) == kinds(after)  # what jit compares before it compiles again
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(shapes))
    assert shapes[1].observation.shape == env.spec.observation.shape


def test_half_cheetah_observation_and_reward():
    played = rollout("half_cheetah")
    body, observation = played.states.body, played.steps.observation
    x = played.states.distance.astype(np.float64) + body.q[..., 0]
    start = np.asarray(played.start_state.distance)[:, None]
    speed = np.diff(x, axis=1, prepend=start) / 0.05
    np.testing.assert_allclose(observation[..., 0], speed, atol=1e-4)
    np.testing.assert_array_equal(observation[..., 1:9], body.q[..., 1:])
    np.testing.assert_array_equal(observation[..., 9:], body.qd)
    reward = speed - 0.1 * (played.actions**2).sum(-1)
    np.testing.assert_allclose(played.steps.reward, reward, atol=1e-4)
    assert np.abs(speed).max() > 0.5


def test_reacher_observation_and_reward():
    played = rollout("reacher")
    observation = played.steps.observation
    np.testing.assert_array_equal(observation[..., :7], played.states.body.q)
    np.testing.assert_array_equal(observation[..., 7:10], played.states.goal)
    np.testing.assert_array_equal(observation[..., 10:], played.states.body.qd)
    hands = _mujoco_points("reacher", observation[0, :, :7], _ahead(0.16828))
    miss = ((hands - observation[0, :, 7:10]) ** 2).sum(-1)
    reward = -miss - 0.01 * (played.actions[0] ** 2).sum(-1)
    np.testing.assert_allclose(played.steps.reward[0], reward, rtol=1e-4)


def test_pusher_observation_and_rewards():
    played = rollout("pusher")
    observation, q = played.steps.observation, played.states.q
    np.testing.assert_array_equal(observation[..., :7], q[..., :7])
    np.testing.assert_array_equal(observation[..., 7:14], played.states.qd[..., :7])
    lane = LANES - 1
    tips = _mujoco_points("pusher", q[lane, :, :7], _finger_tips)
    np.testing.assert_allclose(observation[lane, :, 14:17], tips, atol=1e-5)
    centre = np.stack([0.45 + q[..., 8], -0.05 + q[..., 7], np.full(q.shape[:2], -0.275)], axis=-1)
    np.testing.assert_allclose(observation[..., 17:], centre, atol=1e-6)

    def charge(state):
        tip, thing = state[..., 14:17], state[..., 17:]
        far = np.abs(tip - thing).sum(-1)
        off = np.abs(thing - [0.45, -0.05, -0.323]).sum(-1)
        return 1.25 * off + 0.5 * far + 0.1 * (played.actions**2).sum(-1)

    np.testing.assert_allclose(played.steps.reward, -charge(played.before), rtol=1e-5)
    planned = played.env.reward(*map(jnp.asarray, (played.before, played.actions, observation)))
    np.testing.assert_allclose(planned, -charge(observation), rtol=1e-5)


def _ahead(distance):
    def point(model, data):
        hand = model.body("hand").id
        return data.xpos[hand] + data.xmat[hand].reshape(3, 3) @ [distance, 0, 0]

    return point


def _finger_tips(model, data):
    spheres = [i for i in range(model.ngeom) if model.geom_bodyid[i] == model.body("hand").id]
    spheres = [i for i in spheres if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_SPHERE]
    assert len(spheres) == 2
    return data.geom_xpos[spheres].mean(axis=0)


def _mujoco_points(task, angles, point):
    model = mujoco.MjModel.from_xml_string(TASKS[task].MJCF)
    data = mujoco.MjData(model)
    points = []
    for row in angles:
        data.qpos[:7] = row
        mujoco.mj_kinematics(model, data)
        points.append(point(model, data))
    return np.array(points)


def test_forward_kinematics_of_the_arms_are_mujocos():
    angles = np.random.default_rng(0).uniform(-3, 3, (50, 7)).astype(np.float32)
    observation = jnp.zeros((5, 10, 17)).at[..., :7].set(angles.reshape(5, 10, 7))
    hand = np.asarray(brax_reacher.hand(observation)).reshape(50, 3)
    np.testing.assert_allclose(hand, _mujoco_points("reacher", angles, _ahead(0.16828)), atol=3e-6)
    body = brax_pusher.BodyState(jnp.zeros(9), jnp.zeros(9), jnp.zeros(9))
    for row, tip in zip(angles[:5], _mujoco_points("pusher", angles[:5], _finger_tips), strict=True):
        observed = brax_pusher.observe(body._replace(q=jnp.append(row, jnp.zeros(2))))
        np.testing.assert_allclose(observed[14:17], tip, atol=3e-6)


def test_reacher_reward_is_differentiable_with_a_straight_elbow():
    observation = jnp.zeros(17).at[8].set(0.25)
    gradient = jax.grad(brax_reacher.reward, argnums=2)(observation, jnp.zeros(7), observation)
    reach = 0.1 + 0.4 + 0.321 + 0.16828  # the pan turns the stretched hand towards +y
    assert gradient[0] == pytest.approx(2 * reach * (0.25 + 0.188), rel=1e-5)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("task", TASKS)
def test_features_are_undone_by_apply(task):
    played = rollout(task)
    features = played.env.features
    before, following = jnp.asarray(played.before), jnp.asarray(played.steps.observation)
    inputs, target = features.inputs(before), features.target(before, following)
    sizes = {"half_cheetah": (24, 18), "reacher": (24, 17), "pusher": (27, 20)}[
        task
    ]  # of the published networks
    assert (inputs.shape[-1] + played.actions.shape[-1], target.shape[-1]) == sizes
    np.testing.assert_allclose(features.apply(before, target), following, atol=1e-5)


def test_half_cheetah_features():
    before = jax.random.normal(jax.random.key(1), (3, 18))
    after = before + 1
    features = environment("half_cheetah").features
    pitch = before[:, 2:3]
    inputs = np.hstack([before[:, 1:2], np.sin(pitch), np.cos(pitch), before[:, 3:]])
    np.testing.assert_allclose(features.inputs(before), inputs, rtol=1e-6)
    target = np.hstack([after[:, :1], np.ones((3, 17))])
    np.testing.assert_allclose(features.target(before, after), target, rtol=1e-5)


def test_a_predicted_goal_is_ignored():
    env = environment("reacher")
    observation, prediction = jnp.arange(17.0), jnp.ones(17)
    moved = np.asarray(env.features.apply(observation, prediction) - observation)
    np.testing.assert_array_equal(moved, [1] * 7 + [0] * 3 + [1] * 7)


def test_starts_are_drawn_as_published():
    keys = jax.random.split(jax.random.key(0), 2000)
    body = jax.vmap(brax_half_cheetah.init)(keys)[0].body
    np.testing.assert_allclose(np.std(body.q[:, 1:]), 0.001, rtol=0.03)
    np.testing.assert_allclose(np.std(body.qd), 0.001, rtol=0.03)
    goal = jax.vmap(brax_reacher.init)(keys)[0].goal
    np.testing.assert_allclose(goal.mean(axis=0), [0, 0.25, 0], atol=0.01)
    np.testing.assert_allclose(goal.std(axis=0), 0.1, rtol=0.06)
    observation = jax.vmap(brax_pusher.init)(keys)[1].observation
    np.testing.assert_allclose(observation[:, 17:].mean(axis=0), [0.6, -0.3, -0.275], atol=0.003)
    np.testing.assert_allclose(observation[:, 17:19].std(axis=0), 0.025, rtol=0.06)
    assert 0.0049 < np.abs(observation[:, 7:14]).max() <= 0.005


def test_half_cheetah_is_braxs_body_with_the_published_contacts():
    path = Path(brax.__file__).parent / "envs" / "assets" / "half_cheetah.xml"
    theirs = mujoco.MjModel.from_xml_string(path.read_text().replace(' settotalmass="14"', ""))
    mine = mujoco.MjModel.from_xml_string(brax_half_cheetah.MJCF)
    scale = 14 / theirs.body_mass.sum()
    for name in ("body_mass", "body_inertia"):
        np.testing.assert_allclose(getattr(mine, name), scale * getattr(theirs, name), rtol=1e-4)
    limits = ("jnt_range", "jnt_limited", "jnt_stiffness", "jnt_solref", "jnt_solimp")
    motion = ("dof_damping", "dof_armature", "actuator_gear", "actuator_ctrlrange", "body_pos")
    contact = ("geom_friction", "geom_solref", "geom_solimp", "geom_pos", "geom_quat", "geom_size")
    for name in limits + motion + contact:
        np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), atol=1e-12, err_msg=name)
    assert (mine.geom_contype == 1).all() and mine.geom_conaffinity.tolist() == [1] + [0] * 8


@pytest.mark.parametrize("task", TASKS)
def test_render_shows_the_state(task):
    played = rollout(task)
    render = jax.jit(played.env.render)
    states = jax.tree.map(lambda leaf: leaf[-1], played.states)
    first = np.asarray(render(jax.tree.map(lambda leaf: leaf[0], states)))
    last = np.asarray(render(jax.tree.map(lambda leaf: leaf[-1], states)))
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[-1] == 3
    changed = (np.abs(first.astype(int) - last).max(axis=-1) > 30).mean()
    assert 0.005 < changed < 0.5


def test_without_brax_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "brax.io", None)
    with pytest.raises(ConfigError, match=r"pets_reacher needs brax: pip install 'imaginax\[brax\]'"):
        brax_tasks.reacher()


def test_a_users_terminal_stays_clean():
    program = "from imaginax.envs.brax.tasks import reacher; reacher()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
