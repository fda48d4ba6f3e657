"""docs/alphazero.md says what the code does: its table of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imaginax import envs
from imaginax.learning.config import OptimiserConfig
from imaginax.networks.config import NetworkConfig
from imaginax.planners.mcts.config import SearchConfig
from imaginax.systems.alphazero import AlphaZeroConfig
from imaginax.systems.presets import alphazero as alphazero_presets
from tests.docs.tables import check_links, columns

PAGE = Path(__file__).parents[2] / "docs" / "alphazero.md"
PUBLISHED = columns(PAGE.read_text(), "| | `chess`")


def config_of(env: str, rows: dict[str, Any]) -> AlphaZeroConfig:
    """The configuration that the table describes; a row that is not read here is an error."""
    rows, ours = dict(rows), alphazero_presets.PAPER[env]
    config = AlphaZeroConfig(
        env=env,
        sampled_plies=rows.pop("moves drawn by visits"),
        window_games=rows.pop("window, games"),
        batch_size=rows.pop("batch"),
        search=SearchConfig(
            "puct",
            simulations=rows.pop("simulations a move"),
            c_init=rows.pop("c_init"),
            c_base=float(rows.pop("c_base")),
            dirichlet_alpha=rows.pop("Dirichlet alpha"),
            dirichlet_fraction=rows.pop("weight of the noise"),
            reuse=True,
        ),
        network=NetworkConfig(
            channels=rows.pop("channels"),
            blocks=rows.pop("residual blocks"),
            policy="fc" if env == "go_19x19" else "conv",
        ),
        optimiser=OptimiserConfig(
            "sgd",
            rates=rows.pop("learning rates"),
            boundaries=rows.pop("from update"),
            momentum=rows.pop("momentum"),
            weight_decay=rows.pop("weight of the penalty"),
        ),
        # The page says of these that they are ours.
        environments=ours.environments,
        warmup=ours.warmup,
        chunks=rows.pop("updates") // ours.updates,
        chunk_plies=ours.chunk_plies,
        updates=ours.updates,
        window_plies=ours.window_plies,
    )
    assert list(rows) == ["longest game"]
    return config


def published_presets() -> dict[str, AlphaZeroConfig]:
    """What the page says of preset `paper`, for each environment; tests/contract compares it."""
    return {env: config_of(env, rows) for env, rows in PUBLISHED.items()}


def test_published_hyperparameters_are_the_preset():
    assert published_presets() == alphazero_presets.PAPER


@pytest.mark.slow
@pytest.mark.parametrize("env", alphazero_presets.PAPER)
def test_the_longest_game_is_the_environments(env):
    assert envs.make(env).spec.max_steps == PUBLISHED[env]["longest game"]


def test_functions_and_files_exist():
    check_links(PAGE, least=12)
