"""Atari: frames are skipped and counted once, sticky actions, ends, against the console's own account."""

from __future__ import annotations

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces  # noqa: E402

from imaginax import envs  # noqa: E402
from imaginax.envs.host.vector import episode_seed  # noqa: E402
from imaginax.envs.host.wrappers import ActionRepeat  # noqa: E402
from imaginax.types import ConfigError, Discrete  # noqa: E402

FRAMES = "?obs_type=grayscale&frameskip=1"
SEED = np.full(1, 3, np.uint32)


class Flicker(gymnasium.Env):
    """Draws one pixel in even frames, another in odd ones; ends after eleven frames."""

    observation_space, action_space = spaces.Box(0, 255, (2, 2), np.uint8), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.frame = 0
        return np.full((2, 2), 255, np.uint8), {}

    def step(self, action):
        self.frame += 1
        image = np.zeros((2, 2), np.uint8)
        image[self.frame % 2, 0] = self.frame
        return image, 1.0, self.frame == 11, False, {}


def test_an_object_drawn_in_every_other_frame_is_seen():
    """Of the last two frames of a decision, never of the frame before or of the last episode."""
    env = ActionRepeat(Flicker(), 4, pooled=True)
    for _ in range(2):
        env.reset()
        seen = [env.step(0) for _ in range(3)]
        assert [image[:, 0].tolist() for image, *_ in seen] == [[4, 3], [8, 7], [10, 11]]
        assert [step[1] for step in seen] == [4, 4, 3] and [step[2] for step in seen] == [False, False, True]
    env = ActionRepeat(Flicker(), 10, pooled=True)
    env.reset()
    env.step(0)
    assert env.step(0)[0][:, 0].tolist() == [0, 11], "a single frame is shown as it is"


@pytest.fixture(scope="module")
def ale():
    return pytest.importorskip("ale_py")


@pytest.fixture
def opened(ale):
    """(name, its options) -> one copy of an environment at the start of an episode, and its console."""
    made = []

    def begin(name, look=lambda host: host, **options):
        vector = look(envs.make(name, **options).host)(1)
        made.append(vector)
        first = vector.reset(SEED, np.zeros(1, np.int32))
        return vector, first, vector._vector.envs[0].unwrapped.ale

    yield begin
    for vector in made:
        vector.close()


def step(vector, action=0):
    vector.send(np.full(1, action, np.int32))
    return vector.receive()


def test_a_decision_is_four_frames_once(opened):
    """Of the console's own count; the limit of 108,000 frames is 27,000 decisions."""
    vector, _, console = opened(f"atari:Boxing{FRAMES}", action_repeat=4)
    assert envs.make(f"atari:Boxing{FRAMES}", action_repeat=4).spec.max_steps == 27_000
    before = console.getEpisodeFrameNumber()
    assert step(vector).steps == [4] and console.getEpisodeFrameNumber() == before + 4
    vector, _, console = opened("atari:Boxing")
    before = console.getEpisodeFrameNumber()
    assert step(vector).steps == [1] and console.getEpisodeFrameNumber() == before + 4
    assert envs.make("atari:Boxing").spec.max_steps == 27_000
    with pytest.raises(ConfigError, match="holds every action for 4 frames: action_repeat must be 1, got 4"):
        envs.make("atari:Boxing", action_repeat=4)


def test_the_image_is_the_consoles_own(opened):
    """64 x 64 in grey, of the larger of the last two frames: the same actions in a bare environment."""
    look = lambda host: host.in_turn().pixels(64)  # noqa: E731
    vector, first, _ = opened(f"atari:Breakout{FRAMES}", look, action_repeat=4)
    assert first.observation.shape == (1, 64, 64, 1)
    bare = gymnasium.make("ALE/Breakout-v5", frameskip=1, obs_type="grayscale")
    bare.reset(seed=episode_seed(3, 0))
    rows, columns = (np.arange(size) for size in (210, 160))
    for action in (1, 2, 3, 2, 2, 0, 1):
        frames = [bare.step(action)[0].astype(float) for _ in range(4)]
        pooled, seen = np.maximum(*frames[2:]), step(vector, action).observation[0, :, :, 0]
        for y, x in ((20, 30), (40, 7), (60, 33)):  # means of 210 / 64 x 160 / 64 pixels
            shares = [
                np.clip(np.minimum(at + 1, (n + 1) * width) - np.maximum(at, n * width), 0, None) / width
                for at, n, width in ((rows, y, 210 / 64), (columns, x, 160 / 64))
            ]
            assert abs(float(seen[y, x]) - shares[0] @ pooled @ shares[1]) <= 0.51
    bare.close()


def test_actions_stick_and_may_be_all(opened):
    _, _, console = opened(f"atari:Pong{FRAMES}", action_repeat=4)
    assert console.getFloat("repeat_action_probability") == 0.25
    assert envs.make("atari:Pong").spec.action == Discrete(6)
    assert envs.make("atari:Pong?full_action_space=True").spec.action == Discrete(18)
    with pytest.raises(ConfigError, match="cannot make env atari:Pong.colour=1"):
        envs.make("atari:Pong?colour=1")


def test_a_lost_life_is_no_end_and_a_time_limit_no_death(opened):
    vector, _, console = opened(f"atari:Breakout{FRAMES}", action_repeat=4)
    lives, now = [console.lives()], None
    while now is None or not now.last:
        lives.append(console.lives())
        now = step(vector, len(lives) % 2)  # fires, and does not move
    assert lives[0] == 5 and set(lives) >= {4, 3, 2, 1}
    assert not now.truncated and now.discount == 0
    vector, *_ = opened(f"atari:Breakout{FRAMES}", max_steps=10, action_repeat=4)
    counted = [step(vector) for _ in range(3)]
    assert [one.steps.item() for one in counted] == [4, 4, 2]
    assert counted[-1].truncated.all() and counted[-1].last.all() and counted[-1].discount == 1
