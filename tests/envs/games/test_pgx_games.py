"""The rules against independent ones: few lines of numpy here, python-chess and GNU Go elsewhere."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.envs.games import names, notation, pgx_games

DIRECTIONS = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]


def line(board, row, column, step, colour):
    """Stones of `colour` in a row from (row, column), that square not counted."""
    count = 0
    while True:
        row, column = row + step[0], column + step[1]
        if not (0 <= row < board.shape[0] and 0 <= column < board.shape[1]) or board[row, column] != colour:
            return count
        count += 1


def test_connect_four_against_plain_rules(random_games):
    games = random_games("connect_four", 16, 42)
    for game in range(16):
        board, won = np.zeros((6, 7), int), False
        for move in range(games.moves(game)):
            assert not won
            legal = (board == 0).any(0)
            np.testing.assert_array_equal(games.timesteps.legal[move, game], legal)
            column, colour = int(games.actions[move, game]), 1 - 2 * (move % 2)
            row = np.flatnonzero(board[:, column] == 0).max()
            board[row, column] = colour
            pairs = [(step, (-step[0], -step[1])) for step in DIRECTIONS]
            won = any(1 + sum(line(board, row, column, s, colour) for s in pair) >= 4 for pair in pairs)
            assert games.after.reward[move, game] == won
            assert games.after.last[move, game] == (won or (board != 0).all())


def othello_flips(board, row, column, colour):
    found = []
    for step in DIRECTIONS:
        count = line(board, row, column, step, -colour)
        end = (row + (count + 1) * step[0], column + (count + 1) * step[1])
        if count and 0 <= end[0] < 8 and 0 <= end[1] < 8 and board[end] == colour:
            found += [(row + i * step[0], column + i * step[1]) for i in range(1, count + 1)]
    return found


def test_othello_against_plain_rules(random_games):
    games = random_games("othello", 16, 66)
    for game in range(6):
        board, passes, colour = np.zeros((8, 8), int), 0, 1
        board[3, 4] = board[4, 3] = 1
        board[3, 3] = board[4, 4] = -1
        for move in range(games.moves(game)):
            squares = [divmod(a, 8) for a in range(64) if board[divmod(a, 8)] == 0]
            legal = np.zeros(65, bool)
            legal[[8 * r + c for r, c in squares if othello_flips(board, r, c, colour)]] = True
            legal[64] = not legal.any()
            np.testing.assert_array_equal(games.timesteps.legal[move, game], legal)
            action = int(games.actions[move, game])
            if action == 64:
                passes += 1
            else:
                passes, place = 0, divmod(action, 8)
                for flipped in [place, *othello_flips(board, *place, colour)]:
                    board[flipped] = colour
            ended = passes == 2 or (board != 0).all() or not (board == -colour).any()
            assert games.after.last[move, game] == ended
            assert games.after.reward[move, game] == (np.sign(colour * board.sum()) if ended else 0)
            colour = -colour


def stones_after(board, point, colour):
    """Go by flood fill: the board after a stone, or None where the stone would stand without liberty."""
    board = board.copy()
    board[point] = colour
    for owner in (-colour, colour):
        for start in np.argwhere(board == owner):
            chain, edge = {tuple(start)}, [tuple(start)]
            free = False
            while edge:
                row, column = edge.pop()
                for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                    if not (0 <= near[0] < len(board) and 0 <= near[1] < len(board)) or near in chain:
                        continue
                    free |= board[near] == 0
                    if board[near] == owner:
                        chain.add(near)
                        edge.append(near)
            if not free and owner == colour:
                return None
            if not free:
                for stone in chain:
                    board[stone] = 0
    return board


def test_go_against_plain_rules_with_superko(random_games):
    """Liberties by flood fill and repetition by whole boards: legal moves, captures and the final score."""
    games = random_games("go_5x5", 16, 50)
    position = jax.jit(pgx_games.position(names.parse("go_5x5")))
    barred = 0
    for game in range(6):
        board, colour = np.zeros((5, 5), int), 1
        seen = {board.tobytes()}
        for move in range(games.moves(game)):
            np.testing.assert_array_equal(position(games.state(move, game)).squares, board)
            legal = np.ones(26, bool)
            for point in range(25):
                after = (
                    stones_after(board, divmod(point, 5), colour) if board[divmod(point, 5)] == 0 else None
                )
                repeats = after is not None and after.tobytes() in seen
                legal[point] = after is not None and not repeats
                barred += repeats
            np.testing.assert_array_equal(games.timesteps.legal[move, game], legal)
            action = int(games.actions[move, game])
            if action < 25:
                board = stones_after(board, divmod(action, 5), colour)
                seen.add(board.tobytes())
            colour = -colour
        winner = np.sign(area(board) - 24.5)
        assert games.after.reward[games.moves(game) - 1, game] == winner * -colour
    assert barred > 0, "no position was repeated: the test shows nothing of superko"


def area(board):
    """Black's stones and surrounded points less White's."""
    score, left = int(board.sum()), {tuple(point) for point in np.argwhere(board == 0)}
    while left:
        region, edge, owners = set(), [left.pop()], set()
        while edge:
            row, column = edge.pop()
            region.add((row, column))
            for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if 0 <= near[0] < len(board) and 0 <= near[1] < len(board):
                    owners.add(board[near])
                    if near in left:
                        left.discard(near)
                        edge.append(near)
        owners.discard(0)
        score += len(region) * (owners.pop() if len(owners) == 1 else 0)
    return score


def play(name, moves):
    env = envs.make(name)
    step = jax.jit(env.step)
    state, timestep = env.init(jax.random.key(0))
    for move in moves.split():
        state, timestep = step(state, jnp.int32(notation.parse_move(name, state, move)), jax.random.key(0))
    return state, timestep


def test_a_ko_may_be_taken_back_after_an_exchange_elsewhere():
    state, timestep = play("go_5x5", "C4 D4 B3 E3 C2 D2 A1 C3 D3")
    assert int(timestep.player) == 1 and "C3" not in notation.legal_moves("go_5x5", state)
    state, _ = play("go_5x5", "C4 D4 B3 E3 C2 D2 A1 C3 D3 A5 E5")
    assert "C3" in notation.legal_moves("go_5x5", state)
