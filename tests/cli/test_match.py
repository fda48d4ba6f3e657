"""`imaginax match`: what it prints is what was played."""

from __future__ import annotations

import json
import re

import pytest

from imaginax import cli

SMALL = ["--chunks", "1", "--updates", "1", "--search.simulations", "4", "--evaluation.games", "2"]


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    """A run that has hardly begun."""
    path = tmp_path_factory.mktemp("match") / "run"
    assert cli.main(["train", "alphazero", "--preset", "tiny", "--logdir", str(path), *SMALL]) == 0
    return path


@pytest.mark.slow
def test_matches_are_counted_printed_and_written(logdir, tmp_path, capsys):
    file = tmp_path / "match.json"
    words = ["match", str(logdir), "perfect", "random", str(logdir), "--games", "20", "--openings", "0"]
    assert cli.main([*words, "--output", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = json.loads(file.read_text())["matches"]
    assert [row["opponent"] for row in rows] == ["perfect", "random", str(logdir)]
    for line, row in zip(lines, rows, strict=False):
        won, drawn, lost = map(int, re.search(r": (\d+) won, (\d+) drawn, (\d+) lost", line).groups())
        assert (won, drawn, lost) == (row["wins"], row["draws"], row["losses"]) and won + drawn + lost == 20
        assert row["score"] == (won + drawn / 2) / 20
        assert [sum(colour) for colour in zip(row["beginning"], row["replying"], strict=True)] == [
            won,
            drawn,
            lost,
        ]
    assert all(
        f"; {row['distinct']} of 20 games distinct;" in line for line, row in zip(lines, rows, strict=False)
    )
    assert rows[2]["distinct"] <= 2, "a run against itself from the empty board"
    assert rows[0]["wins"] == 0, "nobody beats perfect play"
    assert rows[1]["score"] > rows[0]["score"]


@pytest.mark.slow
def test_no_more_games_than_openings(logdir, capsys):
    """Tic-tac-toe has nine positions after one ply."""
    assert cli.main(["match", str(logdir), "perfect", "--games", "40", "--openings", "1"]) == 0
    line = capsys.readouterr().out
    assert "of 18 games distinct" in line and line.endswith(
        "; with --openings 1 tic_tac_toe has 9 openings\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nobody"], "unknown opponent"),
        (["random", "--games", "3"], "games must be even"),
        (["random", "--lane", "1"], "lane must be between 0 and 0"),
        (["gnugo:1"], "gnugo"),
    ],
)
def test_matches_that_cannot_be(logdir, words, complaint, capsys):
    assert cli.main(["match", str(logdir), *words]) == 2
    assert complaint in capsys.readouterr().err


def test_what_is_no_run(tmp_path, capsys):
    assert cli.main(["match", str(tmp_path), "random"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
