"""The reader against records written by hand; the writer against the reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginax.data import sgf
from imaginax.data.sgf import Move, Record
from imaginax.types import ConfigError

TRICKY = r"""comment before the tree
(;GM[1]FF[4] SZ [9]
KM[6.5]RU[Chinese]RE[B+3.5]PB[A \] b \\ c]PW[two
lines\
joined]C[a (;B[aa\]) in a comment; (not a tree)]
HA[2]AB[cc][gg:hh]AW[aa];B[ee](;W[] ;B[ea](;W[ia])(;W[zz];B[zz]))
(;W[ab](;B[bad\]]))  (;W[tt]) )
"""


def test_reads_the_main_line_and_nothing_else():
    (record,) = sgf.parse(TRICKY)
    assert record == Record(
        moves=(Move("B", (4, 4)), Move("W", None), Move("B", (0, 4)), Move("W", (0, 8))),
        size=9,
        komi=6.5,
        result="B+3.5",
        rules="Chinese",
        handicap=2,
        setup=tuple(Move("B", p) for p in ((2, 2), (6, 6), (6, 7), (7, 6), (7, 7))) + (Move("W", (0, 0)),),
        black="A ] b \\ c",
        white="two\nlinesjoined",
    )


def test_passes_defaults_and_several_games():
    first, second = sgf.parse("(;FF[3]GaMe[1];B[tt];W[sa])\n(;SZ[21];B[tt];W[ua])")
    assert first == Record(moves=(Move("B", None), Move("W", (0, 18))))
    assert second.moves == (Move("B", (19, 19)), Move("W", (0, 20)))


def test_large_boards_use_capitals():
    (record,) = sgf.parse("(;SZ[52];B[Za])")
    assert record.moves == (Move("B", (0, 51)),)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"game\.sgf: no game tree: \( is missing"),
        ("nothing here", "no game tree"),
        ("(;SZ[9]\n;B[aa]\n;W[bb]", r"ends inside a game tree"),
        ("(;SZ[9]\n;B[aa", r"line 2: a value without \]"),
        ("(;SZ[9]\n;B[aa]\n;W[jj])", r"line 1: 'jj' is no point of a board of 9 lines"),
        ("(;SZ[9];B[a])", "'a' is no point"),
        ("(;SZ[9];B[abc])", "'abc' is no point"),
        ("(;SZ[9]AB[])", "is no point"),
        ("(;SZ[9:13])", r"SZ\[9:13\] is no square board"),
        ("(;SZ[0])", r"SZ\[0\] is no square board"),
        ("(;SZ[99])", r"SZ\[99\]"),
        ("(;KM[six])", r"KM\[six\] is no number"),
        ("(;KM[nan])", r"KM\[nan\] is no number"),
        ("(;GM[2])", r"GM\[2\] is not Go"),
        ("(B[aa])", "stands before the first node"),
        ("(;[aa])", "belongs to no property"),
        ("(;B[aa]\n\n;%)", "line 3: '%"),
        ("()", "has no node"),
        ("(;B[aa])\n)", r"line 2: a game tree begins with \(, got '\)'"),
    ],
)
def test_malformed_files_are_named_with_the_place(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        sgf.parse(text, "game.sgf")
    assert str(caught.value).startswith("game.sgf") and "\n" not in str(caught.value)


def test_deep_variations_need_no_deep_stack():
    depth = 20_000
    (record,) = sgf.parse("(;SZ[9]" + "(;B[aa]" * depth + ")" * depth + ")")
    assert len(record.moves) == depth


def test_reading_a_file_names_it(tmp_path):
    path = tmp_path / "game.sgf"
    path.write_bytes("(;PB[Jos\xe9];B[aa])".encode("latin-1"))
    assert sgf.read(path)[0].black == "Jos\xe9"
    with pytest.raises(ConfigError, match=r"missing\.sgf cannot be read"):
        sgf.read(tmp_path / "missing.sgf")


@pytest.mark.parametrize(
    "result, outcome",
    [
        ("B+3.5", 1),
        ("b+r", 1),
        ("W+Time", -1),
        ("0", 0),
        ("Draw", 0),
        ("Void", None),
        ("?", None),
        ("", None),
    ],
)
def test_winner(result, outcome):
    assert sgf.winner(result) == outcome


points = st.none() | st.tuples(st.integers(0, 18), st.integers(0, 18))
moves = st.lists(st.builds(Move, st.sampled_from("BW"), points), max_size=25).map(tuple)
stones = st.lists(
    st.builds(Move, st.just("B"), st.tuples(st.integers(0, 18), st.integers(0, 18))), max_size=3
)
names = st.text(st.sampled_from("ab ]\\[(;):é\n"), max_size=8).filter(lambda text: not text.endswith("\\"))


@given(moves, stones.map(tuple), names, st.sampled_from((0.0, 6.5, -3.0)), st.integers(0, 9))
def test_what_is_written_is_read_back(moves, setup, name, komi, handicap):
    record = Record(
        moves, komi=komi, handicap=handicap, setup=setup, black=name, result="W+R", rules="Japanese"
    )
    assert sgf.parse(sgf.text(record)) == [record]


def test_stones_off_the_board_are_not_written():
    with pytest.raises(ConfigError, match=r"\(9, 0\) is no point of a board of 9 lines"):
        sgf.text(Record((Move("B", (9, 0)),), size=9))
