"""docs/pets.md says what the code does: its tables of settings, its functions, its files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from imaginax import envs
from imaginax.learning.config import EnsembleFitConfig
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.systems.presets import pets as pets_presets
from tests.docs.tables import check_links, columns, flat, table, value

PAGE = Path(__file__).parents[2] / "docs" / "pets.md"
TEXT = PAGE.read_text()


def published() -> dict[str, dict[str, Any]]:
    """Environment -> row of the table of hyperparameters -> value."""
    return columns(TEXT, "| | `pets_cartpole`")


def config_of(env: str, rows: dict[str, Any]) -> pets_presets.PetsConfig:
    """The configuration that the table describes; a row that is not read here is an error."""
    rows = dict(rows)
    config = pets_presets.PetsConfig(
        env=env,
        trials=rows.pop("trials"),
        trial_steps=0,  # as many as the environment's own limit, which the next test compares
        chunk_steps=pets_presets.PAPER[
            env
        ].chunk_steps,  # how often progress is shown: no result depends on it
        model=EnsembleConfig(
            kind=rows.pop("model"),
            members=rows.pop("members"),
            hidden=rows.pop("hidden layers"),
            weight_decay=rows.pop("weight decay, layer by layer"),
            propagation=rows.pop("propagation"),
            particles=rows.pop("particles"),
        ),
        fit=EnsembleFitConfig(
            learning_rate=rows.pop("learning rate (Adam)"),
            batch_size=rows.pop("batch"),
            epochs=rows.pop("epochs a trial"),
        ),
        planner=ShootingConfig(
            method="cem",
            horizon=rows.pop("plan horizon"),
            population=rows.pop("CEM population"),
            elites=rows.pop("CEM elites"),
            iterations=rows.pop("CEM iterations"),
            alpha=rows.pop("CEM alpha"),
            epsilon=rows.pop("CEM stops at variance"),
        ),
    )
    assert list(rows) == ["trial steps"]
    return config


def published_presets() -> dict[str, pets_presets.PetsConfig]:
    """What the page says of preset `paper`, for each environment; tests/contract compares it."""
    return {env: config_of(env, rows) for env, rows in published().items()}


def test_published_hyperparameters_are_the_preset():
    """Every field of the preset, also those that have no row: they must be at their defaults."""
    assert published_presets() == pets_presets.PAPER


@pytest.mark.parametrize("env", pets_presets.PAPER)
def test_trial_steps_are_the_environments(env):
    if env != "pets_cartpole":
        pytest.importorskip("brax")
    assert envs.make(env).spec.max_steps == published()[env]["trial steps"]


def test_trials_of_preset_gpu():
    (sentence,) = re.findall(r"with fewer trials: (.*?half-cheetah)\.", TEXT, re.DOTALL)
    words = dict(
        zip(("cart-pole", "reacher", "pusher", "half-cheetah"), pets_presets.GPU_TRIALS, strict=True)
    )
    found = re.findall(r"(\d+)\s+on the\s+([a-z-]+)", sentence)
    assert {words[word]: int(number) for number, word in found} == pets_presets.GPU_TRIALS


def test_preset_laptop_differs_as_listed():
    paper, laptop = (
        flat(pets_presets.PAPER["pets_cartpole"]),
        flat(pets_presets.preset("laptop", "pets_cartpole")),
    )
    names = paper.keys() - {"chunk_steps"}
    differences = {name: (paper[name], laptop[name]) for name in names if paper[name] != laptop[name]}
    _, *rows = table(TEXT, "| field | paper")
    assert {name: (value(left), value(right)) for name, left, right in rows} == differences


def test_functions_and_files_exist():
    check_links(PAGE, least=10, commands=4)
