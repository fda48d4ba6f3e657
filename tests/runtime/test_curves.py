from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from imaginax.runtime.curves import Curve, band, join
from imaginax.types import ConfigError

STEPS = np.arange(1.0, 6.0)


@pytest.mark.parametrize(
    ("statistic", "reference"),
    [("iqm", lambda x, axis=None: scipy.stats.trim_mean(x, 0.25, axis=axis)), ("mean", np.mean)],
)
def test_a_band_is_the_bootstrap_of_each_step(statistic, reference):
    rng = np.random.default_rng(0)
    returns = rng.normal(size=(6, 5)) * np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    returns[2, 3] = np.nan
    found = band(Curve("", STEPS, returns), statistic)
    name = {"iqm": "IQM", "mean": "mean"}[statistic]
    assert found.words == f"{name} of 6 seeds, 95% bootstrap interval"
    for t, column in enumerate(returns.T):
        column = column[np.isfinite(column)]
        assert found.centre[t] == pytest.approx(reference(column))
        drawn = reference(rng.choice(column, size=(4000, column.size)), axis=1)
        expected = np.quantile(drawn, [0.025, 0.975])
        np.testing.assert_allclose([found.low[t], found.high[t]], expected, atol=0.1 * np.ptp(expected))


def test_few_seeds_show_their_extremes():
    two = band(Curve("", STEPS[:3], np.array([[np.nan, 1.0, 5.0], [np.nan, 3.0, np.nan]])))
    assert two.words == "mean of 2 seeds, lowest to highest"
    np.testing.assert_array_equal(two[:4], [[2, 3], [2, 5], [1, 5], [3, 5]])
    assert band(Curve("", STEPS, np.ones((1, 5)))).words == ""
    assert band(Curve("", STEPS, np.full((3, 5), np.nan))).centre.size == 0


def test_equal_steps_are_joined_as_they_are():
    rng = np.random.default_rng(1)
    curves = [Curve("x", STEPS, rng.normal(size=(seeds, 5))) for seeds in (1, 3)]
    joint = join("both", curves)
    assert joint.label == "both"
    np.testing.assert_array_equal(joint.env_steps, STEPS)
    np.testing.assert_array_equal(joint.returns, np.concatenate([curve.returns for curve in curves]))


def test_other_steps_are_interpolated_as_far_as_all_go():
    """Lines stay lines: y = 2 x and y = 5 - x, seen at different steps and with a hole."""
    a, b = np.array([0.0, 2.0, 4.0, 6.0, 8.0]), np.array([1.0, 4.0, 5.0, 7.0])
    rising, falling = 2 * a[None], (5 - b)[None]
    rising[0, 2] = np.nan
    joint = join("", [Curve("", a, rising), Curve("", b, falling)])
    np.testing.assert_array_equal(joint.env_steps, [1, 2, 4, 5, 6, 7])
    np.testing.assert_allclose(joint.returns, [2 * joint.env_steps, 5 - joint.env_steps])
    fine = [Curve("", np.linspace(0, 1, size), np.zeros((1, size))) for size in (300, 331)]
    assert join("", fine).env_steps.size == 400


def test_what_has_nothing_in_common_is_refused():
    early, late = Curve("", STEPS, np.ones((1, 5))), Curve("", STEPS + 10, np.ones((1, 5)))
    with pytest.raises(ConfigError, match="one run ends at 5, before another begins at 11"):
        join("x", [early, late])
    with pytest.raises(ConfigError, match="x cannot be grouped: one of its seeds has no value yet"):
        join("x", [early, late._replace(returns=np.full((1, 5), np.nan))])
