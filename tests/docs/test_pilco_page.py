"""docs/gp_mpc.md, where PILCO's published settings are too."""

from __future__ import annotations

from pathlib import Path

from imaginax.systems.presets import pilco as pilco_presets
from tests.docs.tables import columns

PAGE = Path(__file__).parents[2] / "docs" / "gp_mpc.md"


def published_presets() -> dict[str, pilco_presets.PILCOConfig]:
    """What the page says of preset `paper`; a row that is not read here is an error."""
    found = {}
    for env, rows in columns(PAGE.read_text(), "| PILCO | `gpmpc_cartpole`").items():
        search = pilco_presets.PolicySearchConfig(rows.pop("policy"), rows.pop("basis functions"))
        trials, inducing = rows.pop("trials after the random one"), rows.pop("inducing inputs")
        found[env] = pilco_presets.PILCOConfig(env=env, trials=trials, inducing=inducing, search=search)
        assert not rows
    return found


def test_published_hyperparameters_are_the_preset():
    for env, published in published_presets().items():
        assert pilco_presets.preset("paper", env) == published
