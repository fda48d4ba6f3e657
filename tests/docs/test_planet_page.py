"""docs/planet.md says what the code does: its tables of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path

from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.systems.presets import planet as planet_presets
from tests.docs.tables import check_links, columns, flat, table, value

PAGE = Path(__file__).parents[2] / "docs" / "planet.md"
TEXT = PAGE.read_text()


def config_of(env: str, action_repeat: int) -> planet_presets.PlaNetConfig:
    """The configuration that the tables describe; a row that is not read here is an error."""
    rows = dict(columns(TEXT, "| | all tasks")["all tasks"])
    config = planet_presets.PlaNetConfig(
        env=env,
        action_repeat=action_repeat,
        image=rows.pop("image"),
        environments=1,
        seed_episodes=rows.pop("random episodes"),
        episodes=rows.pop("episodes"),
        updates=rows.pop("updates an episode"),
        batch_size=rows.pop("sequences of a batch"),
        sequence=rows.pop("steps of a sequence"),
        memory=0,
        exploration=rows.pop("deviation of the noise"),
        learning_rate=rows.pop("learning rate (Adam)"),
        adam_epsilon=rows.pop("epsilon of Adam"),
        clip_norm=rows.pop("largest norm of a gradient"),
        model=LatentModelConfig(
            RSSMConfig(
                kind="rssm",
                deterministic=rows.pop("deterministic state"),
                stochastic=rows.pop("stochastic state"),
                hidden=rows.pop("hidden units"),
                min_std=rows.pop("least standard deviation"),
            ),
            depth=rows.pop("filters of the first layer"),
            hidden=rows.pop("hidden layers of the reward"),
            bits=rows.pop("bits of a colour"),
        ),
        objective=ObjectiveConfig(
            reward=rows.pop("weight of the reward"),
            dynamics=rows["weight of the divergence"],
            representation=rows.pop("weight of the divergence"),
            free_nats=rows.pop("free nats a step"),
            overshooting=rows.pop("weight of overshooting"),
        ),
        planner=ShootingConfig(
            "planet_cem",
            horizon=rows.pop("plan horizon"),
            population=rows.pop("candidates"),
            iterations=rows.pop("iterations"),
            elites=rows.pop("best of them"),
        ),
    )
    assert not rows
    return config


def published_presets() -> dict[str, planet_presets.PlaNetConfig]:
    """What the page says of preset `paper`, for each environment; tests/contract compares it."""
    repeats = columns(TEXT, "| task | action repeat")["action repeat"]
    return {env.strip("`"): config_of(env.strip("`"), number) for env, number in repeats.items()}


def test_published_hyperparameters_are_the_preset():
    """Every field of the preset, also those that have no row: they must be at their defaults."""
    assert published_presets() == planet_presets.PAPER


def test_preset_laptop_differs_as_listed():
    paper, laptop = (
        flat(planet_presets.PAPER["control_cartpole_swingup"]),
        flat(planet_presets.preset("laptop", None)),
    )
    differences = {name: (paper[name], laptop[name]) for name in paper if paper[name] != laptop[name]}
    _, *rows = table(TEXT, "| field | paper")
    assert {name: (value(left), value(right)) for name, left, right in rows} == differences


def test_functions_and_files_exist():
    check_links(PAGE, least=10)
