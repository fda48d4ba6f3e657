"""docs/muzero.md says what the code does: its table of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imaginax import envs
from imaginax.learning.config import DecayConfig
from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.planners.mcts.config import SearchConfig
from imaginax.systems.presets import muzero as presets
from imaginax.systems.presets.muzero_config import MuZeroConfig
from tests.docs.tables import check_links, columns

PAGE = Path(__file__).parents[2] / "docs" / "muzero.md"
PUBLISHED = columns(PAGE.read_text(), "| | `go_19x19`")


def config_of(env: str, rows: dict[str, Any]) -> MuZeroConfig:
    """The configuration that the table describes; a row that is not read here is an error."""
    rows, ours, atari = dict(rows), presets.PAPER[env], env == "atari"
    temperatures, until = rows.pop("temperatures"), rows.pop("from update")
    config = MuZeroConfig(
        env="atari:MsPacman" if atari else env,
        sampled_steps=rows.pop("steps drawn by visits"),
        temperatures=temperatures if atari else (temperatures,),
        temperature_until=() if until == "none" else until,
        unroll=rows.pop("unrolled steps K"),
        bootstrap=rows.pop("steps n of a return, 0: outcome"),
        priority=rows.pop("exponent of priorities"),
        correction=rows.pop("exponent of corrections"),
        batch_size=rows.pop("batch"),
        search=SearchConfig(
            "puct",
            simulations=rows.pop("simulations a move"),
            c_init=rows.pop("c_init"),
            c_base=float(rows.pop("c_base")),
            dirichlet_alpha=rows.pop("Dirichlet alpha"),
            dirichlet_fraction=rows.pop("weight of the noise"),
            discount=rows.pop("discount"),
            first_play="loss",
            values="tree" if atari else "game",
        ),
        model=MuZeroModelConfig(
            channels=rows.pop("channels"),
            blocks=rows.pop("residual blocks"),
            bins=rows.pop("atoms, 0: one number"),
            largest=rows.pop("largest atom"),
            downsample=atari,
            policy="conv" if env in ("chess", "shogi") else "fc",
        ),
        optimiser=DecayConfig(
            "sgd",
            learning_rate=rows.pop("learning rate"),
            decay_rate=rows.pop("decay of the rate"),
            decay_updates=rows.pop("updates of a decay"),
            momentum=rows.pop("momentum"),
            weight_decay=rows.pop("weight of the penalty"),
        ),
        # The page says of these that they are ours.
        environments=ours.environments,
        warmup=ours.warmup,
        chunks=rows.pop("updates") // ours.updates,
        chunk_steps=ours.chunk_steps,
        updates=ours.updates,
        window=ours.window,
        episode_steps=rows.pop("longest episode") if atari else 0,
    )
    assert list(rows) == ([] if atari else ["longest episode"])
    return config


def published_presets() -> dict[str, MuZeroConfig]:
    """What the page says of preset `paper`, for each environment; tests/contract compares it."""
    return {
        "atari:MsPacman" if env == "atari" else env: config_of(env, rows) for env, rows in PUBLISHED.items()
    }


def test_published_hyperparameters_are_the_preset():
    assert set(PUBLISHED) == set(presets.PAPER)
    for env, config in published_presets().items():
        assert presets.preset("paper", env) == config


@pytest.mark.slow
@pytest.mark.parametrize("env", ["go_19x19", "chess", "shogi"])
def test_the_longest_game_is_the_environments(env):
    assert envs.make(env).spec.max_steps == PUBLISHED[env]["longest episode"]


def test_functions_and_files_exist():
    check_links(PAGE, least=16)
