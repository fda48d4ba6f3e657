"""Chess against python-chess: legal moves, outcomes and FEN of thousands of random positions."""

from __future__ import annotations

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.games import notation, text

pytestmark = pytest.mark.slow
PLIES = 100
# White to move; endings, so that random play meets mate, stalemate, promotion, repetition and quiet moves
STARTS = (
    "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1",
    "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1",
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1",
    "r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1",
    "7k/8/8/8/8/8/8/KQ6 w - - 0 1",
    "7k/8/8/8/8/8/8/KR6 w - - 60 70",
    "7k/7P/8/6K1/8/8/8/8 w - - 0 1",
    "4k3/P6P/8/8/8/8/p6p/4K3 w - - 0 1",
    "4k3/8/8/2b5/8/2B5/3N4/4K3 w - - 0 1",
)


@pytest.fixture(scope="module")
def games():
    """[T, B] states, actions and what they led to: two random games from every start."""
    pgx_chess = pytest.importorskip("pgx.experimental.chess")
    env = envs.make("chess")
    like, timestep = jax.eval_shape(env.init, jax.random.key(0))
    starts = [pgx_chess.from_fen(fen) for fen in STARTS for _ in range(6)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    stacked = jax.tree.map(lambda leaf, shape: leaf.astype(shape.dtype), stacked, like)
    batch = len(starts)

    def move(state, key):
        logits = jnp.where(state.legal_action_mask, 0.0, -jnp.inf)
        action = jax.random.categorical(key, logits)
        after, timestep = jax.vmap(env.step, (0, 0, None))(state, action, key)
        return after, (state, action, timestep._replace(observation=None))

    @jax.jit
    def play(state, key):
        return jax.lax.scan(move, state, jax.random.split(key, PLIES))[1]

    del timestep
    found = jax.tree.map(np.asarray, play(stacked, jax.random.key(0)))
    return batch, *found


def expected_end(board, seen):
    """Whether and how a game ends by pgx's rules: a double step counts for repetition in any case."""
    key = (board.board_fen(), board.turn, board.clean_castling_rights(), board.ep_square)
    seen[key] += 1
    if board.is_checkmate():
        return True, 1
    drawn = board.is_stalemate() or board.is_insufficient_material() or board.halfmove_clock >= 100
    return drawn or seen[key] >= 3, 0


def test_moves_and_outcomes_are_those_of_python_chess(games):
    chess = pytest.importorskip("chess")
    batch, states, actions, after = games
    ends, positions = collections.Counter(), 0
    for game in range(batch):
        board, seen = chess.Board(STARTS[game // 6]), collections.Counter()
        expected_end(board, seen)
        for ply in range(PLIES):
            state = jax.tree.map(lambda leaf: leaf[ply, game], states)  # noqa: B023
            moves = notation.legal_moves("chess", state)
            assert set(moves) == {move.uci() for move in board.legal_moves}, board.fen()
            assert len(moves) == int(state.legal_action_mask.sum())
            assert text.to_fen("chess", state) == board.fen(en_passant="fen")
            positions += 1
            played = next(move for move, action in moves.items() if action == actions[ply, game])
            board.push_uci(played)
            ended, reward = expected_end(board, seen)
            assert (after.last[ply, game], after.reward[ply, game]) == (ended, reward), board.fen()
            if ended:
                kinds = ("checkmate", "stalemate", "insufficient_material", "fifty_moves")
                kind = next((kind for kind in kinds if getattr(board, f"is_{kind}")()), "repetition")
                ends[kind] += 1
                break
    assert positions > 2000
    assert set(ends) >= {"checkmate", "stalemate", "insufficient_material", "fifty_moves"}, ends
    print(positions, dict(ends))


def play(moves):
    env = envs.make("chess")
    state, timestep = jax.jit(env.init)(jax.random.key(0))
    step = jax.jit(env.step)
    for move in moves.split():
        state, timestep = step(state, jnp.int32(notation.parse_move("chess", state, move)), jax.random.key(0))
    return state, timestep


def test_mate_castling_and_repetition():
    _, timestep = play("f2f3 e7e5 g2g4 d8h4")
    assert timestep.last and timestep.reward == 1 and timestep.discount == 0
    state, _ = play("g1f3 g8f6 g2g3 g7g6 f1g2 f8g7 e1g1 e8g8")
    assert text.to_fen("chess", state).startswith("rnbq1rk1/ppppppbp/5np1/8/8/5NP1/PPPPPPBP/RNBQ1RK1 w - -")
    _, timestep = play("g1f3 g8f6 f3g1 f6g8 g1f3 g8f6 f3g1 f6g8")
    assert timestep.last and timestep.reward == 0 and not timestep.truncated
