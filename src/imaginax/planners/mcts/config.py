"""Settings of Monte Carlo tree search."""

from __future__ import annotations

import dataclasses
from typing import Literal

from imaginax.errors import ConfigError

MAXIMUM = {
    "simulations": 1_000_000,
    "max_depth": 1_000_000,
    "max_considered": 100_000,
    "capacity": 10_000_000,
    "width": 100_000,
}


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Monte Carlo tree search; the defaults are AlphaZero's (Silver et al. 2018).

    Attributes:
        policy: selection rule: PUCT (AlphaZero), or Sequential Halving with Gumbel noise at the root and the
            improved policy below it (Danihelka et al. 2022, "Policy improvement by planning with Gumbel").
        simulations: simulations for one decision; each adds one node to the tree.
        max_depth: maximum depth of the tree in edges; 0 for no limit.
        width: searched actions of a node, those with the highest prior; 0 for all. Trees take memory and
            time for so many actions a node. Nothing is lost while no position has more legal actions.
        discount: discount of future reward, which multiplies that of the model; 1 in board games.
        c_init: constant part of the exploration weight c(s) = log((1 + N(s) + c_base) / c_base) + c_init
            (puct).
        c_base: visits after which the exploration weight c(s) grows (puct).
        c_puct: constant exploration weight in place of c(s), as in AlphaGo Zero; 0 for c(s) (puct).
        first_play: assumed value of an unvisited action (puct): a `draw`, as both papers write (Q = 0 for
            values in [-1, 1]); a `loss`, as AlphaZero's pseudocode has it (0 for values in [0, 1]); or that
            of its `parent` so far.
        values: scale of the values that are weighed against exploration: [-1, 1] for values of a `game`; the
            range of Q in the `tree` (MuZero); or its range among the `siblings` of a node with the value of
            the parent (puct) or the mixed value of unvisited actions (gumbel), as in mctx.
        dirichlet_fraction: weight of the Dirichlet noise in the root's prior (puct).
        dirichlet_alpha: concentration of the Dirichlet noise; 0 for 10 / the number of legal actions, which
            is near AlphaZero's .3 (chess), .15 (shogi) and .03 (Go).
        max_considered: maximum number of actions that Sequential Halving starts with (gumbel).
        gumbel_scale: scale of the Gumbel noise at the root (gumbel).
        c_visit: offset of the visits in sigma(q) = (c_visit + max_b N(b)) c_scale q, which weighs values
            against the prior (gumbel).
        c_scale: scale of sigma(q); the paper has 1 for board games and 0.1 for Atari. The larger it is, the
            longer an action below the root that looks worse than its siblings waits for its first visit.
        reuse: whether the next search goes on in the part of the tree below the actions that were taken.
        capacity: maximum number of nodes in a reused tree; 0 for three times the simulations and one.
    """

    policy: Literal["puct", "gumbel"] = "puct"
    simulations: int = 800
    max_depth: int = 0
    width: int = 0
    discount: float = 1.0
    c_init: float = 1.25
    c_base: float = 19652.0
    c_puct: float = 0.0
    first_play: Literal["draw", "loss", "parent"] = "draw"
    values: Literal["game", "tree", "siblings"] = "game"
    dirichlet_fraction: float = 0.25
    dirichlet_alpha: float = 0.0
    max_considered: int = 16
    gumbel_scale: float = 1.0
    c_visit: float = 50.0
    c_scale: float = 1.0
    reuse: bool = False
    capacity: int = 0

    def __post_init__(self):
        choices = {
            "policy": ("puct", "gumbel"),
            "first_play": ("draw", "loss", "parent"),
            "values": ("game", "tree", "siblings"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"search.{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        for name, maximum in MAXIMUM.items():
            minimum = int(name in ("simulations", "max_considered"))
            if not minimum <= getattr(self, name) <= maximum:
                raise ConfigError(
                    f"search.{name} must lie in [{minimum}, {maximum}], got {getattr(self, name)}"
                )
        for name in ("c_init", "c_puct", "dirichlet_alpha", "gumbel_scale", "c_visit", "c_scale"):
            if not 0 <= getattr(self, name) <= 1e6:
                raise ConfigError(f"search.{name} must lie in [0, 1e6], got {getattr(self, name)}")
        if not 0 < self.c_base <= 1e9:
            raise ConfigError(f"search.c_base must lie in (0, 1e9], got {self.c_base}")
        for name in ("dirichlet_fraction", "discount"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"search.{name} must lie in [0, 1], got {getattr(self, name)}")
        if self.capacity and self.capacity <= self.simulations:
            raise ConfigError(
                f"search.capacity must exceed search.simulations ({self.simulations}), got {self.capacity}"
            )

    def with_simulations(self, simulations: int) -> SearchConfig:
        """The same with other simulations; `capacity` has room for as many searches as before."""
        capacity = min(-(-self.capacity * simulations // self.simulations), MAXIMUM["capacity"])
        return dataclasses.replace(self, simulations=simulations, capacity=capacity)

    @property
    def nodes(self) -> int:
        """Nodes of a tree, the root among them."""
        if not self.reuse:
            return self.simulations + 1
        return self.capacity or 3 * self.simulations + 1
