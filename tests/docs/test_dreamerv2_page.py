"""docs/dreamerv2.md says what the code does: its table of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path

from imaginax.learning.config import ActorCriticConfig, AdamConfig
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.policies.config import ActorConfig
from imaginax.systems.presets import dreamerv2 as dreamerv2_presets
from tests.docs.tables import check_links, columns

PAGE = Path(__file__).parents[2] / "docs" / "dreamerv2.md"
TEXT = PAGE.read_text()
CHUNK = 500  # decisions between two batches of updates: ours


def published_presets() -> dict[str, dreamerv2_presets.DreamerV2Config]:
    """What the page says of preset `paper`; a row that is not read here is an error."""
    rows = dict(columns(TEXT, "| | control")["control"])
    shared = rows.pop("epsilon of Adam"), rows.pop("largest norm of a gradient"), rows.pop("weight decay")
    rates = {part: rows.pop(f"learning rate of the {part}") for part in ("model", "actor", "critic")}
    layers, balance = (
        rows.pop("hidden layers of reward, actor and critic"),
        rows.pop("balance of the divergence"),
    )
    config = dreamerv2_presets.DreamerV2Config(
        image=rows.pop("image"),
        action_repeat=rows.pop("action repeat"),
        prefill_steps=rows.pop("random decisions"),
        chunks=2000,  # a million decisions
        chunk_steps=CHUNK,
        updates=CHUNK // rows.pop("decisions an update"),
        batch_size=rows.pop("sequences of a batch"),
        sequence=rows.pop("steps of a sequence"),
        exploration=0.0,
        model=LatentModelConfig(
            RSSMConfig(
                deterministic=rows.pop("deterministic state"),
                stochastic=rows.pop("choices of the stochastic state"),
                classes=rows.pop("classes of each"),
                hidden=rows.pop("hidden units"),
                cell="layer_norm_gru",
                activation="elu",
            ),
            depth=rows.pop("filters of the first layer"),
            hidden=layers,
            bits=8,
            activation="elu",
        ),
        objective=ObjectiveConfig(
            reward=1.0,
            dynamics=balance,
            representation=0.2,
            free_nats=rows.pop("free nats"),
            free_average=True,
        ),
        actor=ActorConfig(
            layers, continuous="truncated_normal", min_std=rows.pop("smallest deviation of the actor")
        ),
        critic_hidden=layers,
        behaviour=ActorCriticConfig(
            horizon=rows.pop("imagined steps"),
            discount=rows.pop("discount"),
            trace_decay=rows.pop("lambda"),
            entropy=rows.pop("entropy"),
            target_every=rows.pop("updates between two target critics"),
        ),
        **{f"{part}_optimiser": AdamConfig(rate, *shared) for part, rate in rates.items()},
    )
    assert not rows
    return {config.env: config}


def test_published_hyperparameters_are_the_preset():
    """Every field of the preset, also those that have no row: they must be at their defaults."""
    assert list(published_presets().values()) == [dreamerv2_presets.PAPER]


def test_functions_and_files_exist():
    check_links(PAGE, least=10)
