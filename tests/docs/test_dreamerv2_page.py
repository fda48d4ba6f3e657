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
COLUMNS = {"control": dreamerv2_presets.PAPER, "Atari": dreamerv2_presets.PAPER_ATARI}


def published_presets() -> dict[str, dreamerv2_presets.DreamerV2Config]:
    """What the page says of preset `paper`; a row that is not read here is an error."""
    found = columns(TEXT, "| | control | Atari")
    assert found.keys() == COLUMNS.keys()
    configs = [settings(dict(rows), COLUMNS[name].env) for name, rows in found.items()]
    return {config.env: config for config in configs}


def settings(rows, env: str) -> dreamerv2_presets.DreamerV2Config:
    """One column; of the name of the environment only what has a row is read."""
    shared = rows.pop("epsilon of Adam"), rows.pop("largest norm of a gradient"), rows.pop("weight decay")
    rates = {part: rows.pop(f"learning rate of the {part}") for part in ("model", "actor", "critic")}
    layers, balance = (
        rows.pop("hidden layers of reward, actor and critic"),
        rows.pop("balance of the divergence"),
    )
    divergence, ends = rows.pop("weight of the divergence"), rows.pop("predicted ends, and their weight")
    control = rows.pop("smallest deviation of the actor")
    bounded = {} if control == "-" else {"continuous": "truncated_normal", "min_std": control}
    updates, decisions = 100, rows.pop("decisions an update")  # at a time: ours
    assert rows.pop("colours") == (1 if "obs_type=grayscale" in env else 3)
    limit = rows.pop("steps of the longest episode")
    assert limit == (108_000 if env.startswith("atari:") else 1000)  # tests/envs measure both
    config = dreamerv2_presets.DreamerV2Config(
        env=env,
        image=rows.pop("image"),
        action_repeat=rows.pop("action repeat"),
        prefill_steps=rows.pop("random decisions"),
        chunks=rows.pop("decisions in all") // (updates * decisions),
        chunk_steps=updates * decisions,
        updates=updates,
        batch_size=rows.pop("sequences of a batch"),
        sequence=rows.pop("steps of a sequence"),
        memory={"all": 0}.get(kept := rows.pop("steps in replay"), kept),
        prioritize_ends={"yes": True, "no": False}[rows.pop("ends of episodes drawn more often")],
        exploration=0.0,
        rewards=rows.pop("rewards"),
        model=model(rows, layers, ends > 0),
        objective=ObjectiveConfig(
            reward=1.0,
            dynamics=balance * divergence,
            representation=round(1 - balance, 9) * divergence,
            free_nats=rows.pop("free nats"),
            free_average=True,
            continuation=ends or 1.0,
        ),
        actor=ActorConfig(layers, **bounded),
        critic_hidden=layers,
        behaviour=ActorCriticConfig(
            horizon=rows.pop("imagined steps"),
            discount=rows.pop("discount"),
            trace_decay=rows.pop("lambda"),
            gradient=rows.pop("gradient of the actor"),
            entropy=rows.pop("entropy"),
            target_every=rows.pop("updates between two target critics"),
        ),
        **{f"{part}_optimiser": AdamConfig(rate, *shared) for part, rate in rates.items()},
    )
    assert not rows
    return config


def model(rows, layers: tuple[int, ...], continuation: bool) -> LatentModelConfig:
    """The latent model of a column."""
    rssm = RSSMConfig(
        deterministic=rows.pop("deterministic state"),
        stochastic=rows.pop("choices of the stochastic state"),
        classes=rows.pop("classes of each"),
        hidden=rows.pop("hidden units"),
        cell="layer_norm_gru",
        activation="elu",
    )
    depth = rows.pop("filters of the first layer")
    return LatentModelConfig(rssm, depth, layers, bits=8, activation="elu", continuation=continuation)


def test_published_hyperparameters_are_the_preset():
    """Every field of the preset, also those that have no row: they must be at their defaults."""
    assert list(published_presets().values()) == list(COLUMNS.values())


def test_functions_and_files_exist():
    check_links(PAGE, least=10)
