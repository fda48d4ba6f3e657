"""docs/gpdm.md says what the code does: its table of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path

from imaginax.models.gpdm.config import GPDMConfig, GPDMFitConfig
from imaginax.numerics.config import HMCConfig
from imaginax.systems.presets import gpdm as gpdm_presets
from tests.docs.tables import check_links, columns

PAGE = Path(__file__).parents[2] / "docs" / "gpdm.md"
TEXT = PAGE.read_text()


def published_presets() -> dict[str, gpdm_presets.GPDMSystemConfig]:
    """What the page says of preset `paper`; tests/contract compares it. No row may be left over."""
    rows = dict(columns(TEXT, "| | walk")["walk"])
    config = gpdm_presets.GPDMSystemConfig(
        frames=rows.pop("frames of the file"),
        every=rows.pop("every"),
        pieces=0,
        sweeps=rows.pop("updates of W"),
        model=GPDMConfig(
            latent=rows.pop("latent dimensions"),
            inputs=rows.pop("inputs"),
            outputs=rows.pop("outputs"),
            balanced=rows.pop("balanced") == "yes",
            kappa2=rows.pop("kappa squared"),
        ),
        fit=GPDMFitConfig(
            optimiser=rows.pop("optimiser"),
            iterations=rows.pop("iterations between two updates of W"),
        ),
    )
    assert not rows
    return {"missing_frames": config}


def test_published_settings_are_the_preset():
    """Every field, also those that have no row: they must be at their defaults."""
    assert published_presets() == {"missing_frames": gpdm_presets.PAPER}


def test_sampling_is_as_published():
    hmc = HMCConfig()
    assert (
        f"{hmc.leapfrog} leapfrog\nsteps of {hmc.step}, {hmc.burn_in} draws of burn-in, {hmc.draws}" in TEXT
    )


def test_functions_and_files_exist():
    check_links(PAGE, least=15)
