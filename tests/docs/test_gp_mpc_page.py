"""docs/gp_mpc.md says what the code does: its table of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path

from imaginax.models.gp.config import GPFitConfig
from imaginax.planners.config import MomentPlannerConfig
from imaginax.systems.presets import gp_mpc as gp_mpc_presets
from tests.docs.tables import check_links, columns

PAGE = Path(__file__).parents[2] / "docs" / "gp_mpc.md"


def published_presets() -> dict[str, gp_mpc_presets.GPMPCConfig]:
    """What the page says of preset `paper`; a row that is not read here is an error."""
    found = {}
    for env, rows in columns(PAGE.read_text(), "| | `gpmpc_cartpole`").items():
        found[env] = gp_mpc_presets.GPMPCConfig(
            env=env,
            trials=rows.pop("trials after the random one"),
            fit=GPFitConfig(
                starts=rows.pop("starts of the marginal likelihood"), steps=rows.pop("steps of each")
            ),
            planner=MomentPlannerConfig(
                variant=rows.pop("variant"),
                feedback={"yes": True, "no": False}[rows.pop("feedback in predicted beliefs")],
                probability=rows.pop("probability of keeping a limit"),
                horizon=rows.pop("plan horizon"),
                evaluations=rows.pop("evaluations of a decision"),
                starts=rows.pop("starts of a decision"),
            ),
        )
        assert not rows
    return found


def test_published_hyperparameters_are_the_preset():
    for env, published in published_presets().items():
        assert gp_mpc_presets.preset("paper", env) == published


def test_preset_laptop_differs_as_said():
    laptop = gp_mpc_presets.preset("laptop", None).planner
    sentence = f"`laptop` plans {laptop.horizon} steps ahead with at most {laptop.evaluations} evaluations"
    assert sentence in PAGE.read_text()


def test_functions_and_files_exist():
    check_links(PAGE, least=10)
