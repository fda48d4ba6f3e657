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
        ("", r"game\.sgf: no game tree: \(; is missing"),
        ("nothing here", "no game tree"),
        ("(;SZ[9]\n;B[aa]\n;W[bb]", r"ends inside a game tree"),
        ("(;SZ[9]\n;B[aa", r"line 2: a value without \]"),
        ("(;SZ[9]\n;B[aa]\n;W[jj])", r"line 3: 'jj' is no point of a board of 9 lines"),
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
        ("(;B[aa]\r\r\n;%)", "line 3: '%"),
        ("()", "no game tree"),
        ("(;SZ[9]\n(;B[aa]))\n;W[bb])", r"line 3: a node stands outside of every game tree"),
        ("(;SZ[9]\n;AB[aa]\nAW[aa])", "line 3: one node sets aa up in two ways"),
        ("(;SZ[9]\n;PL[red])", r"line 2: PL\[red\] is no player"),
        ("(;SZ[9]HA[some])", r"HA\[some\] is no number of stones"),
        ("(;SZ[19]\nKM[1000])", r"line 2: KM\[1000\] cannot be the komi of a board of 19 lines"),
        ("(;SZ[9]KM[-82])", r"KM\[-82\] cannot be the komi"),
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


# ----------------------------------------------------------------- what changes a position


def test_setup_applies_where_it_stands():
    (record,) = sgf.parse(
        "(;SZ[9]AB[aa][bb:ba]AW[cc]PL[w];AE[bb]AW[aa];B[dd]AE[cc];W[];AE[dd]AB[ee];PL[Black];B[ff])"
    )
    assert record.setup == (Move("W", (0, 0)), Move("B", (0, 1))) and record.mover == "W"
    assert [move.point for move in record.moves] == [(3, 3), None, (5, 5)]
    first, second = record.changes
    assert first == sgf.Change(2, (Move("B", (4, 4)),), ((3, 3),))
    assert second == sgf.Change(2, mover="B")


def test_names_of_older_formats_and_in_small_letters():
    (record,) = sgf.parse("(;SiZe[9]AddBlack[aa]PLayer[1];b[bb];White[cc];w[pass])")
    assert record == Record(
        (Move("B", (1, 1)), Move("W", (2, 2)), Move("W", None)), 9, setup=(Move("B", (0, 0)),), mover="B"
    )


@pytest.mark.parametrize(
    "text, komi",
    [
        ("", None),
        ("KM[]", None),
        ("KM[0]", 0.0),
        ("KM[7,5]", 7.5),
        ("KM[ -3.5 ]", -3.5),
        ("KM[375]", 7.5),
        ("KM[3.75]", 7.5),
        ("KM[3.25]", 6.5),
        ("KM[550]", 5.5),
        ("KM[650]", 6.5),
        ("KM[750]", 7.5),
        ("KM[50]", 50.0),
        ("KM[50]AP[foxwq]", 0.5),
        ("KM[6.5]AP[foxwq]", 6.5),
    ],
)
def test_komi(text, komi):
    assert sgf.parse(f"(;SZ[19]{text};B[aa])")[0].komi == komi
    assert sgf.parse(f"(;SZ[19];{text};B[aa])")[0].komi == komi  # in another node


# ----------------------------------------------------------------- files with more than one game

BAD = [
    "(;GM[1]SZ[9]KM[seven];B[aa])",
    "(;GM[2]SZ[8])",
    "(;GM[1]SZ[9];B[zz])",
    "(;GM[1]SZ[9];B[aa];W[bb]",  # never closed
    "(;GM[1]SZ[9];B[aa);W[bb])",
    "(;GM[1]SZ[9]C[a [b] c];B[aa])",
    "(;GM[1]SZ[9:13];B[aa])",
    "(GM[1]SZ[9];B[aa])",
]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_game_leaves_the_others(bad, caplog):
    games = [f"(;FF[4]GM[1]SZ[9](;B[a{letter}];W[bb](;B[cc])(;B[dd]))(;B[ii]))" for letter in "abc"]
    text = (
        "From: a (b) [c]\n\n"
        + "\n".join([games[0], games[1], bad, games[2]])
        + "\nsaved (c) by a program\n)\n"
    )
    found = list(sgf.games(text, "all.sgf"))
    assert [isinstance(one, ConfigError) for one in found] == [False, False, True, False]
    assert str(found[2]).startswith("all.sgf, line ") and int(str(found[2])[14:15]) in (5, 6)
    kept = sgf.parse(text, "all.sgf")
    assert [record.moves[0].point for record in kept] == [(0, 0), (1, 0), (2, 0)]
    assert all(len(record.moves) == 3 for record in kept)
    assert caplog.messages == [f"{found[2]}; this game is left out"]


BITS = [
    "(",
    ")",
    ";",
    "[",
    "]",
    "\\",
    "B",
    "AW",
    "KM",
    "SZ",
    "PL",
    "GM",
    "CA",
    "[aa]",
    "[9]",
    "[\n]",
    "[Big5]",
    "\n",
    "許",
    "(;",
]


@given(st.lists(st.sampled_from(BITS), max_size=40))
def test_any_text_is_games_and_errors_of_one_line(bits):
    for one in sgf.games(sgf.decode("".join(bits).encode("big5")), "x.sgf"):
        assert isinstance(one, Record) or ("\n" not in str(one) and str(one).startswith("x.sgf"))


# ----------------------------------------------------------------- encodings


def test_second_bytes_that_look_like_brackets_end_nothing():
    """In Big5 all of these characters end in a bracket or a backslash."""
    data = "(;CA[Big5]SZ[9]PB[許功蓋也];B[ee]C[許也];W[cc]C[功];B[gg])".encode("big5")
    assert b"\\]" in data and b"]]" in data
    for found in (data, data.replace(b"CA[Big5]", b"")):
        (record,) = sgf.parse(sgf.decode(found))
        assert record.black == "許功蓋也"
        assert record.moves == (Move("B", (4, 4)), Move("W", (2, 2)), Move("B", (6, 6)))


def test_each_game_declares_its_own_encoding():
    names = {
        "Big5": "許功",
        "GB2312": "柯洁",
        "Shift_JIS": "表ソ",
        "EUC-KR": "이세돌",
        "UTF-8": "古力",
        "ISO-8859-1": "é",
    }
    data = b"".join(f"(;PB[{name} (a)]CA[{ca}];B[aa])\n".encode(ca) for ca, name in names.items())
    assert [record.black for record in sgf.parse(sgf.decode(data))] == [
        f"{name} (a)" for name in names.values()
    ]


def test_a_declaration_that_cannot_be_is_not_believed():
    text = "(;CA[%s]PB[李昌镐]RE[白中盘胜];B[aa]C[李];W[bb])"
    for declared, written in (
        ("UTF-8", "gb18030"),
        ("GB2312", "utf-8"),
        ("Klingon", "utf-8"),
        ("UTF-8", "utf-16"),
    ):
        (record,) = sgf.parse(sgf.decode((text % declared).encode(written)))
        assert record.black == "李昌镐" and len(record.moves) == 2


TRAPS = "許功蓋閱也因包財加坤館稼"  # their second byte in Big5 is a bracket or a backslash


@given(st.text(st.sampled_from(TRAPS + "abc]\\[;()"), max_size=12), st.booleans())
def test_what_is_written_in_big5_is_read_back(name, in_game):
    assert all(char.encode("big5")[1:] in (b"[", b"\\", b"]") or char in TRAPS for char in name[:0])
    record = Record((Move("B", (1, 2)), Move("W", None), Move("B", (3, 3))), 9, black=name, white="x")
    text = sgf.text(record).replace("UTF-8", "Big5")
    text = text.replace(";W", f"C[{name.translate({92: None, 93: None})}];W") if in_game else text
    assert sgf.parse(sgf.decode(text.encode("big5"))) == [record]


# ----------------------------------------------------------------- results, and writing


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
        ("Black+3", 1),
        ("black wins", 1),
        ("黑中盘胜", 1),
        ("黒中押し勝ち", 1),
        ("白勝", -1),
        ("백 불계승", -1),
        ("黑负", None),
        ("黑负白胜", None),
        ("和棋", 0),
        ("무승부", 0),
    ],
)
def test_winner(result, outcome):
    assert sgf.winner(result) == outcome


points = st.none() | st.tuples(st.integers(0, 18), st.integers(0, 18))
moves = st.lists(st.builds(Move, st.sampled_from("BW"), points), max_size=25).map(tuple)
board = st.tuples(st.integers(0, 18), st.integers(0, 18))
stones = st.lists(st.builds(Move, st.just("B"), board), max_size=3, unique=True)
names = st.text(st.sampled_from("ab ]\\[(;):é許\n"), max_size=8)


@st.composite
def records(draw):
    made = draw(moves)
    setup = draw(stones)
    before = sorted(draw(st.lists(st.integers(1, max(len(made), 1)), max_size=3))) if made else []
    changes = [
        sgf.Change(number, tuple(draw(stones)), (), draw(st.sampled_from(("B", "W")))) for number in before
    ]
    return Record(
        made,
        komi=draw(st.sampled_from((None, 0.0, 6.5, -3.0))),
        handicap=draw(st.integers(0, 9)),
        setup=tuple(setup),
        black=draw(names),
        result="W+R",
        rules="Japanese",
        mover=draw(st.sampled_from((None, "B", "W"))),
        changes=tuple(changes),
    )


@given(records())
def test_what_is_written_is_read_back(record):
    assert sgf.parse(sgf.decode(sgf.text(record).encode())) == [record]


def test_stones_off_the_board_are_not_written():
    with pytest.raises(ConfigError, match=r"\(9, 0\) is no point of a board of 9 lines"):
        sgf.text(Record((Move("B", (9, 0)),), size=9))
