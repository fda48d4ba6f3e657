from __future__ import annotations

import pytest

from imaginax.cli.terminal import number, print_returns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1234.56, "-1234.6"),
        (182.34, "182.3"),
        (-1.6512, "-1.651"),
        (0.0123456, "0.01235"),
        (3.0, "3"),
        (0.0, "0"),
    ],
)
def test_numbers_are_as_long_as_needed(value, text):
    assert number(value) == text


def test_returns_of_one_seed_and_of_several(capsys):
    print_returns([1.25])
    print_returns([1.0, 0.5], games=40, distinct=[2, 18])
    print_returns([1.0, 4.0])
    assert capsys.readouterr().out.splitlines() == [
        "evaluation return 1.25",
        "evaluation return 0.75 (seeds: 1, 0.5); 40 games a seed, 2, 18 of them distinct",
        "evaluation return 2.5 (seeds: 1, 4)",
    ]
