"""The models against dm_control's compiled ones."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mujoco")

from tests.envs.control.recorded import NAMES, mj_model, model_numbers  # noqa: E402


@pytest.mark.parametrize("name", NAMES)
def test_the_compiled_model_is_the_suites(name):
    mine, theirs = mj_model(name), model_numbers(name)
    options = theirs.pop("options")
    flags = [mine.opt.integrator, mine.opt.cone, mine.opt.disableflags]
    np.testing.assert_allclose([mine.opt.timestep, *flags, *mine.opt.gravity], options, rtol=1e-6)
    colours = theirs.pop("geom_rgba").reshape(-1, 4)
    np.testing.assert_allclose(mine.mat_rgba[mine.geom_matid], colours, atol=1e-6)
    assert len(theirs) > 40
    if name == "control_reacher_easy":  # the suite moves the target by changing the model
        theirs["geom_pos"] = theirs["geom_pos"].copy()
        theirs["geom_pos"].reshape(-1, 3)[mine.geom("target").id, :2] = 0
    for field, expected in theirs.items():
        got = np.asarray(getattr(mine, field), np.float32).ravel()
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6, err_msg=f"{name}: {field}")
