"""docs/dreamer.md says what the code does: its table of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path

from imaginax.learning.config import ActorCriticConfig, AdamConfig
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.policies.config import ActorConfig
from imaginax.systems.presets import dreamer as dreamer_presets
from tests.docs.tables import check_links, columns

PAGE = Path(__file__).parents[2] / "docs" / "dreamer.md"
TEXT = PAGE.read_text()
EPSILON = 1e-7  # of Adam, as TensorFlow has it, which the released code leaves alone


def adam(rows, part: str) -> AdamConfig:
    return AdamConfig(rows.pop(f"learning rate of the {part}"), EPSILON, rows["largest norm of a gradient"])


def published_presets() -> dict[str, dreamer_presets.DreamerConfig]:
    """What the page says of preset `paper`; a row that is not read here is an error."""
    rows = dict(columns(TEXT, "| | all tasks")["all tasks"])
    optimisers = {f"{field}_optimiser": adam(rows, part) for field, part in OPTIMISERS.items()}
    del rows["largest norm of a gradient"]
    steps = 1000 // rows["action repeat"] + 1
    config = dreamer_presets.DreamerConfig(
        image=rows.pop("image"),
        action_repeat=rows.pop("action repeat"),
        prefill_steps=rows.pop("random episodes") * steps,
        chunks=rows.pop("episodes"),
        chunk_steps=steps,
        updates=rows.pop("updates an episode"),
        batch_size=rows.pop("sequences of a batch"),
        sequence=rows.pop("steps of a sequence"),
        exploration=rows.pop("deviation of the noise"),
        model=LatentModelConfig(
            RSSMConfig(
                deterministic=rows.pop("deterministic state"),
                stochastic=rows.pop("stochastic state"),
                hidden=rows.pop("hidden units"),
                min_std=rows.pop("smallest standard deviation"),
                activation="elu",
            ),
            depth=rows.pop("filters of the first layer"),
            hidden=rows.pop("hidden layers of the reward"),
            bits=8,
            activation="elu",
        ),
        objective=ObjectiveConfig(
            reward=1.0,
            dynamics=rows["weight of the divergence"],
            representation=rows.pop("weight of the divergence"),
            free_nats=rows.pop("free nats"),
            free_average=True,
        ),
        actor=ActorConfig(
            hidden=rows.pop("hidden layers of the actor"),
            mean_scale=rows.pop("bound of the actor's mean"),
            init_std=rows.pop("first deviation of the actor"),
        ),
        critic_hidden=rows.pop("hidden layers of the value"),
        behaviour=ActorCriticConfig(
            horizon=rows.pop("imagined steps"),
            discount=rows.pop("discount"),
            trace_decay=rows.pop("lambda"),
        ),
        **optimisers,
    )
    assert not rows
    return {config.env: config}


OPTIMISERS = {"model": "model", "actor": "actor", "critic": "value"}


def test_published_hyperparameters_are_the_preset():
    """Every field of the preset, also those that have no row: they must be at their defaults."""
    assert list(published_presets().values()) == [dreamer_presets.PAPER]


def test_functions_and_files_exist():
    check_links(PAGE, least=10)
