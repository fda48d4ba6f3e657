"""Names of games."""

from __future__ import annotations

import pytest

from imaginax.envs.games import names
from imaginax.envs.games.names import GameName
from imaginax.types import ConfigError


def test_a_name_says_kind_size_and_komi():
    assert names.parse("chess") == GameName("chess")
    assert names.parse("hex") == GameName("hex", 11)
    assert names.parse("hex_7x7") == GameName("hex", 7)
    assert names.parse("go_9x9") == GameName("go", 9, 7.5)
    assert names.parse("go_5x5") == GameName("go", 5, 24.5)
    assert names.parse("go_13x13_komi0.5") == GameName("go", 13, 0.5)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("go_4x4", "from 5x5 to 19x19"),
        ("go_20x20", "from 5x5 to 19x19"),
        ("go_9x8", "must be square"),
        ("go_9x9_komi7", "end in .5"),
        ("hex_2x2", "from 3x3 to 19x19"),
        ("hex_5x5_komi7.5", "no komi"),
        ("go_9", "did you mean go_9x9"),
        ("go_9x9_komi", "write go_NxN"),
    ],
)
def test_a_wrong_name_is_one_line_that_says_what_is_wrong(name, complaint):
    with pytest.raises(ConfigError, match=complaint) as error:
        names.parse(name)
    assert "\n" not in str(error.value)


def test_names_are_all_known():
    assert all(names.is_game(name) and names.parse(name) for name in names.NAMES)
    assert not names.is_game("pendulum") and not names.is_game("gonzo")
