"""Which frames are seen, where sequences begin, and from where the dynamics step."""

import numpy as np
import pytest

from imaginax.models.gpdm.config import GPDMConfig
from imaginax.models.gpdm.data import motion_data
from imaginax.types import ConfigError

FRAMES = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
FIRST, SECOND = GPDMConfig(), GPDMConfig(inputs="xx")


def gap(*missing):
    return ~np.isin(np.arange(9), missing)


def test_one_sequence():
    data = motion_data(FIRST, FRAMES)
    np.testing.assert_array_equal(data.observed, np.arange(9))
    np.testing.assert_array_equal(data.steps, np.arange(8))
    np.testing.assert_array_equal(data.starts, [0])
    np.testing.assert_allclose(data.mean + data.frames, FRAMES, rtol=1e-6)
    assert data.missing.shape == (0,)


def test_no_step_leads_from_one_sequence_to_the_next():
    data = motion_data(FIRST, FRAMES, lengths=[4, 5])
    np.testing.assert_array_equal(data.starts, [0, 4])
    np.testing.assert_array_equal(data.steps, [0, 1, 2, 4, 5, 6, 7])
    data = motion_data(SECOND, FRAMES, lengths=[4, 5])
    np.testing.assert_array_equal(data.steps, [1, 2, 5, 6, 7])


def test_missing_frames_stay_in_the_dynamics():
    spoilt = np.where(gap(3, 4)[:, None], FRAMES, np.nan)
    data = motion_data(FIRST, spoilt, observed=gap(3, 4))
    np.testing.assert_array_equal(data.steps, np.arange(8))
    np.testing.assert_array_equal(data.missing, [3, 4])
    np.testing.assert_allclose(data.mean, FRAMES[gap(3, 4)].mean(0), atol=1e-6)
    assert np.isfinite(data.frames).all()


def test_pieces_have_no_step_over_a_gap():
    data = motion_data(FIRST, FRAMES, observed=gap(3, 4), pieces=True)
    np.testing.assert_array_equal(data.starts, [0, 5])
    np.testing.assert_array_equal(data.steps, [0, 1, 5, 6, 7])
    data = motion_data(FIRST, FRAMES, observed=gap(2), lengths=[6, 3], pieces=True)
    np.testing.assert_array_equal(data.starts, [0, 3, 6])
    np.testing.assert_array_equal(data.steps, [0, 3, 4, 6, 7])


def test_what_cannot_be_is_named():
    with pytest.raises(ConfigError, match="lengths"):
        motion_data(FIRST, FRAMES, lengths=[4, 4])
    with pytest.raises(ConfigError, match="lengths"):
        motion_data(SECOND, FRAMES, lengths=[7, 2])
    with pytest.raises(ConfigError, match="missing"):
        motion_data(FIRST, FRAMES, observed=np.zeros(9, bool))
    for field, value in (
        ("latent", 0),
        ("kappa2", 0.0),
    ):
        with pytest.raises(ConfigError, match=rf"model\.{field}"):
            GPDMConfig(**{field: value})
