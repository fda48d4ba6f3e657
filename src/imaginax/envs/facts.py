"""What every environment shows and takes, for `imaginax list`: no environment is made, and jax not imported.

A test compares the table with the environments themselves.
"""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """An environment in four words.

    Attributes:
        observation: shape of what it shows.
        actions: how many choices, or how many numbers between which bounds.
        steps: longest episode.
        extra: what `pip install 'imaginax[...]'` must have brought; empty for none.
    """

    observation: str
    actions: str
    steps: int
    extra: str = ""


FACTS = {
    "pets_cartpole": Fact("4", "1 in [-3, 3]", 200),
    "pets_halfcheetah": Fact("18", "6 in [-1, 1]", 1000, "brax"),
    "pets_reacher": Fact("17", "7 in [-20, 20]", 150, "brax"),
    "pets_pusher": Fact("20", "7 in [-2, 2]", 150, "brax"),
    "pendulum": Fact("3", "1 in [-2, 2]", 200),
    "cartpole": Fact("4", "2 choices", 500),
    "gpmpc_cartpole": Fact("4", "1 in [-10, 10]", 30),
    "gpmpc_double_pendulum": Fact("4", "2 in [-2, 2]", 30),
    "gpmpc_cartpole_wall": Fact("4", "1 in [-10, 10]", 30),
    "gpmpc_double_pendulum_wall": Fact("4", "2 in [-2, 2]", 30),
    "minatar_asterix": Fact("10x10x4", "5 choices", 5000),
    "minatar_breakout": Fact("10x10x4", "3 choices", 5000),
    "minatar_freeway": Fact("10x10x7", "3 choices", 5000),
    "minatar_seaquest": Fact("10x10x10", "6 choices", 5000),
    "minatar_space_invaders": Fact("10x10x6", "4 choices", 5000),
    "missing_frames": Fact("2", "40 in [-10000, 10000]", 130),
    "diagnostic_bandit": Fact("1", "1 in [-1, 1]", 1),
    "diagnostic_lqr": Fact("2", "1 in [-10, 10]", 20),
    "diagnostic_chain": Fact("8", "2 choices", 32),
    "control_cartpole_swingup": Fact("5", "1 in [-1, 1]", 1000, "control"),
    "control_cartpole_balance": Fact("5", "1 in [-1, 1]", 1000, "control"),
    "control_pendulum_swingup": Fact("3", "1 in [-1, 1]", 1000, "control"),
    "control_reacher_easy": Fact("6", "2 in [-1, 1]", 1000, "control"),
    "control_cheetah_run": Fact("17", "6 in [-1, 1]", 1000, "control"),
    "control_finger_spin": Fact("9", "2 in [-1, 1]", 1000, "control"),
    "control_cup_catch": Fact("8", "2 in [-1, 1]", 1000, "control"),
    "control_walker_walk": Fact("24", "6 in [-1, 1]", 1000, "control"),
    "control_hopper_hop": Fact("15", "4 in [-1, 1]", 1000, "control"),
    "brax:ant": Fact("27", "8 in [-1, 1]", 1000, "brax"),
    "brax:halfcheetah": Fact("17", "6 in [-1, 1]", 1000, "brax"),
    "brax:hopper": Fact("11", "3 in [-1, 1]", 1000, "brax"),
    "brax:humanoid": Fact("244", "17 in [-1, 1]", 1000, "brax"),
    "brax:humanoidstandup": Fact("244", "17 in [-1, 1]", 1000, "brax"),
    "brax:inverted_double_pendulum": Fact("8", "1 in [-1, 1]", 1000, "brax"),
    "brax:inverted_pendulum": Fact("4", "1 in [-1, 1]", 1000, "brax"),
    "brax:pusher": Fact("23", "7 in [-1, 1]", 1000, "brax"),
    "brax:reacher": Fact("11", "2 in [-1, 1]", 1000, "brax"),
    "brax:swimmer": Fact("8", "2 in [-1, 1]", 1000, "brax"),
    "brax:walker2d": Fact("17", "6 in [-1, 1]", 1000, "brax"),
    "tic_tac_toe": Fact("3x3x2", "9 choices", 9),
    "connect_four": Fact("6x7x2", "7 choices", 42),
    "othello": Fact("8x8x2", "65 choices", 119),
    "hex": Fact("11x11x4", "122 choices", 122),
    "hex_5x5": Fact("5x5x4", "26 choices", 26),
    "hex_7x7": Fact("7x7x4", "50 choices", 50),
    "go_5x5": Fact("5x5x17", "26 choices", 50),
    "go_7x7": Fact("7x7x17", "50 choices", 98),
    "go_9x9": Fact("9x9x17", "82 choices", 162),
    "go_13x13": Fact("13x13x17", "170 choices", 338),
    "go_19x19": Fact("19x19x17", "362 choices", 722),
    "gardner_chess": Fact("5x5x115", "1225 choices", 256),
    "animal_shogi": Fact("4x3x194", "132 choices", 256),
    "chess": Fact("8x8x119", "4672 choices", 512),
    "shogi": Fact("9x9x119", "2187 choices", 512),
}
