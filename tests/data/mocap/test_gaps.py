"""Each fill is exact on curves of its own kind, and changes nothing but the gap."""

import numpy as np
import pytest

from imaginax.data.mocap import gaps
from imaginax.types import ConfigError

TIME = np.arange(30.0)[:, None]
CURVES = {1: TIME * [2, -1] + 3, 3: 0.01 * (TIME - 9) ** 3 - TIME**2 * [0.1, 0.3] + 5}
MISSING = gaps.gap(30, 11, 19)


def test_polynomials_of_their_degree_are_filled_exactly():
    assert np.flatnonzero(MISSING).tolist() == list(range(11, 19))
    np.testing.assert_allclose(gaps.fill_linear(CURVES[1], MISSING), CURVES[1])
    np.testing.assert_allclose(gaps.fill_cubic(CURVES[3], MISSING), CURVES[3])
    assert gaps.rmse(CURVES[3], gaps.fill_linear(CURVES[3], MISSING), MISSING) > 1


@pytest.mark.parametrize("fill", [gaps.fill_mean, gaps.fill_linear, gaps.fill_cubic])
def test_only_the_gap_is_written_and_never_read(fill):
    values = np.random.default_rng(0).normal(size=(30, 2))
    spoilt = np.where(MISSING[:, None], np.nan, values)
    filled = fill(spoilt, MISSING)
    np.testing.assert_array_equal(filled[~MISSING], values[~MISSING])
    assert np.isfinite(filled).all() and np.isnan(spoilt[11:19]).all()


def test_mean_and_error_by_hand():
    values, missing = np.array([[1.0, 0], [5, 5], [3, 4]]), gaps.gap(3, 1, 2)
    filled = gaps.fill_mean(values, missing)
    np.testing.assert_allclose(filled[1], [2, 2])
    assert gaps.rmse(values, filled, missing) == 3.0


@pytest.mark.parametrize("start, stop", [(0, 4), (4, 4), (5, 4), (4, 30)])
def test_a_gap_has_frames_on_both_sides(start, stop):
    with pytest.raises(ConfigError, match="inside 30 frames"):
        gaps.gap(30, start, stop)
