"""docs/alphago_zero.md says what the code does: its table of settings, its functions, its files."""

from __future__ import annotations

from pathlib import Path

from imaginax.acting.config import ResignationConfig
from imaginax.learning.config import OptimiserConfig
from imaginax.networks.config import NetworkConfig
from imaginax.planners.mcts.config import SearchConfig
from imaginax.systems.alphago_zero import AlphaGoZeroConfig
from imaginax.systems.presets import alphago_zero as alphago_zero_presets
from tests.docs.tables import check_links, columns

PAGE = Path(__file__).parents[2] / "docs" / "alphago_zero.md"


def published_presets() -> dict[str, AlphaGoZeroConfig]:
    """What the page says of preset `paper`; a row that is not read here is an error."""
    ((env, rows),) = columns(PAGE.read_text(), "| | `go_19x19`").items()
    ours = alphago_zero_presets.PAPER
    config = AlphaGoZeroConfig(
        env=env,
        sampled_plies=rows.pop("moves drawn by visits"),
        window_games=rows.pop("window, games"),
        batch_size=rows.pop("batch"),
        updates=rows.pop("updates between two gates"),
        gate_games=rows.pop("games of a gate"),
        gate_openings=rows.pop("moves of their openings"),
        gate_share=rows.pop("share to exceed"),
        search=SearchConfig(
            "puct",
            simulations=rows.pop("simulations a move"),
            dirichlet_alpha=rows.pop("Dirichlet alpha"),
            dirichlet_fraction=rows.pop("weight of the noise"),
            reuse=True,
        ),
        resignation=ResignationConfig(
            held_out=rows.pop("games played to their end"), wrong=rows.pop("resignations in error")
        ),
        network=NetworkConfig(channels=rows.pop("channels"), blocks=rows.pop("residual blocks")),
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
        window_plies=ours.window_plies,
    )
    assert not rows
    return {env: config}


def test_published_hyperparameters_are_the_preset():
    assert published_presets() == {"go_19x19": alphago_zero_presets.PAPER}


def test_functions_and_files_exist():
    check_links(PAGE, least=8)
