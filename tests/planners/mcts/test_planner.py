"""The compiled search against a plain one, against exhaustive search, and against its own promises."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.acting.self_play import make_player
from imaginax.envs.wrappers import privileged
from imaginax.models.rules import rules
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import make_mcts, make_tree_search, sample_by_visits, temperature_at
from imaginax.types import ConfigError, Evaluation, Prediction
from tests.planners.mcts.reference import Reference
from tests.planners.worlds import game_tree, game_tree_env, game_tree_model

PLACES = np.arange(12)  # the root, its children and some grandchildren, terminal ones among them
GAME = game_tree(0)
ALONE = game_tree(1, discount=0.9)
ALL_LEGAL = np.ones((len(PLACES), 4), bool)

PUCT = SearchConfig(simulations=40)
GUMBEL = SearchConfig(policy="gumbel", simulations=23)
CASES = {
    "alphazero": (GAME, PUCT),
    "c of exploration grows": (GAME, dataclasses.replace(PUCT, c_base=10.0, first_play="loss")),
    "alphago zero": (GAME, dataclasses.replace(PUCT, c_puct=2.5, first_play="parent", max_depth=3)),
    "muzero, one player": (ALONE, dataclasses.replace(PUCT, values="tree", first_play="loss")),
    "mctx's scale": (ALONE, dataclasses.replace(PUCT, values="siblings", width=3)),
    "gumbel": (GAME, GUMBEL),
    "gumbel, three of four": (GAME, dataclasses.replace(GUMBEL, max_considered=3, c_scale=0.3)),
    "gumbel, one player": (ALONE, dataclasses.replace(GUMBEL, values="tree", c_scale=0.1)),
    "gumbel, mctx's scale": (GAME, dataclasses.replace(GUMBEL, values="siblings", c_visit=5.0)),
}


def run(game, config, places=PLACES, *, legal=None, explore=False, seed=0):
    search = make_tree_search(game_tree_model(game), config)
    compiled = jax.jit(functools.partial(search.run, explore=explore))
    found, carry = compiled((), jnp.asarray(places, jnp.int32), (), jax.random.key(seed), legal)
    assert carry == ()
    return jax.tree.map(np.asarray, found)


def narrowed(game, width):
    """The same game without all but the `width` actions of the highest prior."""
    least = -np.sort(-game.logits, axis=1)[:, width - 1 : width]
    return game._replace(logits=np.where(game.logits >= least, game.logits, np.finfo(np.float32).min))


@pytest.mark.parametrize("name", CASES)
def test_it_finds_what_a_plain_search_finds(name):
    game, config = CASES[name]
    found = run(game, config)
    plain_game = narrowed(game, config.width) if config.width else game
    for row, place in enumerate(PLACES):
        plain = Reference(config, plain_game, place)
        np.testing.assert_array_equal(found.visits[row], plain.root.counts())
        assert found.action[row] == plain.action()
        np.testing.assert_allclose(found.value[row], plain.root.value, atol=1e-5)
        np.testing.assert_allclose(found.raw_value[row], plain.root.raw, atol=1e-6)
        np.testing.assert_allclose(found.policy[row], plain.policy(), atol=2e-4)
        q = [plain.root.q(a) if a in plain.root.edges else -np.inf for a in range(4)]
        np.testing.assert_allclose(found.q[row], q, atol=1e-5)


def test_the_line_follows_the_most_visited_actions_to_the_end_of_the_game():
    found = run(GAME, PUCT)
    for row, place in enumerate(PLACES):
        node, line = Reference(PUCT, GAME, place).root, []
        action = found.action[row]
        while node.edges and node.counts().any():
            action = action if not line else int(node.counts().argmax())
            line.append(action)
            node, _, discount = node.edges[action]
            if discount == 0:
                break
        line = line[:16]
        assert list(found.line[row]) == line + [-1] * (16 - len(line))


# ------------------------------------------------------ against exhaustive search

ROWS = [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}]


@functools.cache
def minimax(own, other):
    """Tic-tac-toe: the value for the player to move, and those of his moves."""
    if any(row <= other for row in ROWS):
        return -1, {}
    moves = {move: -minimax(other, own | {move})[0] for move in set(range(9)) - own - other}
    return max(moves.values(), default=0), moves


def played(env, states, moves):
    """The positions [B] after moves [B, T], of which -1 is none."""
    for move in moves.T:
        after, _ = jax.vmap(env.step, in_axes=(0, 0, None))(states, move, jax.random.key(0))
        none = move < 0
        states = jax.tree.map(
            lambda new, old, none=none: jnp.where(none.reshape(-1, *[1] * (new.ndim - 1)), old, new),
            after,
            states,
        )
    return states


@pytest.fixture(scope="module")
def tic_tac_toe():
    """Every way to play 4 to 6 moves without a winner has a chance to be among these 64 positions."""
    env, rng = privileged(envs.make("tic_tac_toe")), np.random.default_rng(0)
    games = [[int(move) for move in rng.permutation(9)[: rng.integers(4, 7)]] for _ in range(90)]
    sides = [(frozenset(game[len(game) % 2 :: 2]), frozenset(game[1 - len(game) % 2 :: 2])) for game in games]
    quiet = [not any(row <= side for row in ROWS for side in pair) for pair in sides]
    games = [game for game, keep in zip(games, quiet, strict=True) if keep][:64]
    sides = [pair for pair, keep in zip(sides, quiet, strict=True) if keep][:64]
    moves = jnp.asarray([game + [-1] * (6 - len(game)) for game in games])

    start = jax.vmap(env.init)(jax.random.split(jax.random.key(0), 64))[0]
    return env, jax.jit(functools.partial(played, env))(start, moves), sides


def ignorant(env, sign=1.0):
    """The rules, every legal move as likely as any other, every position a draw."""
    model = rules(env)

    def judge(states):
        legal = states.legal_action_mask
        return Evaluation(jnp.zeros(len(legal)), jnp.where(legal, 0.0, jnp.finfo(jnp.float32).min))

    def predict(params, belief, action, key):
        belief, predicted = model.predict(params, belief, action, key)
        seen = judge(belief)
        return belief, Prediction(predicted.reward, sign * predicted.discount, seen.value, seen.policy)

    can = model.can._replace(value=True, policy=True)
    return model._replace(predict=predict, evaluate=lambda params, belief, key: judge(belief), can=can)


def solved(tic_tac_toe, config, sign=1.0):
    """Share of positions with a best move, and share of those where that move's value is right to 0.3."""
    env, states, sides = tic_tac_toe
    search = make_tree_search(ignorant(env, sign), config)
    found, _ = jax.jit(functools.partial(search.run, explore=False))((), states, (), jax.random.key(0))
    truth = [minimax(*pair) for pair in sides]
    assert {value for value, _ in truth} == {-1, 0, 1}
    best = [moves[int(a)] == value for (value, moves), a in zip(truth, found.action, strict=True)]
    q = jnp.take_along_axis(found.q, found.action[:, None], axis=1)[:, 0]
    near = [abs(float(q) - value) < 0.3 for (value, _), q in zip(truth, q, strict=True)]
    return np.mean(best), np.mean(near)


@pytest.mark.parametrize("policy", ["puct", "gumbel"])
def test_with_many_simulations_it_agrees_with_exhaustive_search(tic_tac_toe, policy):
    assert solved(tic_tac_toe, SearchConfig(policy=policy, simulations=400)) == (1.0, 1.0)


def test_a_wrong_sign_between_the_players_is_noticed(tic_tac_toe):
    best, near = solved(tic_tac_toe, SearchConfig(simulations=400), sign=-1.0)
    assert best < 0.9 and near < 0.9


# ----------------------------------------------------------------- its promises


def test_the_legal_actions_of_the_root_are_those_it_is_told():
    legal = ALL_LEGAL.copy()
    legal[:, 1] = False
    config = dataclasses.replace(PUCT, first_play="draw")
    forbidden = GAME.logits.copy()
    forbidden[PLACES, 1] = np.finfo(np.float32).min
    for explore in (False, True):
        found = run(GAME, config, legal=jnp.asarray(legal), explore=explore)
        assert not found.visits[:, 1].any() and not found.policy[:, 1].any()
        assert (found.visits.sum(axis=1)[GAME.legal(PLACES)[:, [0, 2, 3]].any(axis=1)] == 40).all()


@pytest.mark.parametrize("config", [PUCT, GUMBEL], ids=["puct", "gumbel"])
def test_an_element_does_not_depend_on_the_others(config):
    both = run(GAME, config)
    other = run(GAME, config, np.concatenate([PLACES[:6], np.full(6, 3)]))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[:6], b[:6]), both, other)


@pytest.mark.parametrize("config", [PUCT, GUMBEL], ids=["puct", "gumbel"])
def test_noise_is_there_to_explore_and_only_then(config):
    quiet, again = run(GAME, config), run(GAME, config, seed=1)
    np.testing.assert_array_equal(quiet.visits, again.visits)
    loud, louder = run(GAME, config, explore=True), run(GAME, config, explore=True, seed=1)
    assert (loud.visits != louder.visits).any()
    assert (loud.visits[~GAME.legal(PLACES)] == 0).all()


def test_gumbel_draws_first_actions_from_the_prior():
    """With one simulation and values without weight, Gumbel's choice is a sample of the prior."""
    config = SearchConfig(policy="gumbel", simulations=1, max_considered=1, c_scale=0.0)
    found = run(GAME, config, np.zeros(20_000, int), explore=True)
    prior = Reference(config, GAME, 0).root.prior
    np.testing.assert_allclose(np.bincount(found.action, minlength=4) / 20_000, prior, atol=0.012)


def test_as_a_planner_it_needs_a_value_and_a_policy():
    model, env = game_tree_model(GAME), game_tree_env(GAME)
    planner = make_mcts(model, PUCT)
    check_compatible(env, model, planner)
    action, state, output = planner.plan((), jnp.asarray(PLACES), planner.init(12), jax.random.key(0), None)
    np.testing.assert_array_equal(action, run(GAME, PUCT).action)
    assert state == () and output.plan.shape == (12, 16)
    blind = model._replace(can=model.can._replace(policy=False))
    with pytest.raises(ConfigError, match="policy"):
        check_compatible(env, blind, planner)
    with pytest.raises(ConfigError, match="values and a policy"):
        make_tree_search(model._replace(evaluate=None), PUCT)


@pytest.mark.parametrize(
    "field, value",
    [
        ("policy", "uct"),
        ("simulations", 0),
        ("max_depth", -1),
        ("width", -1),
        ("c_init", -0.1),
        ("c_base", 0.0),
        ("c_puct", float("nan")),
        ("first_play", "win"),
        ("values", "minmax"),
        ("dirichlet_fraction", 1.1),
        ("discount", 1.1),
        ("dirichlet_alpha", -1.0),
        ("max_considered", 0),
        ("gumbel_scale", float("inf")),
        ("capacity", 800),
    ],
)
def test_a_setting_that_cannot_work_is_named(field, value):
    config = SearchConfig()
    object.__setattr__(config, field, value)  # past the annotations, which refuse some values in tests
    with pytest.raises(ConfigError, match=f"search.{field}"):
        config.__post_init__()


@pytest.mark.parametrize("capacity", [0, 41, 60, 121, 10_000_000])
def test_the_capacity_follows_the_simulations(capacity):
    """A player is asked for searches of many sizes: each fits into the tree as often as the own one did."""
    config = SearchConfig(simulations=40, reuse=True, capacity=capacity)
    for simulations in (1, 3, 39, 40, 41, 160, 1_000_000):
        other = config.with_simulations(simulations)
        assert other.simulations == simulations and other.nodes > simulations
        if capacity < 1000:
            ratio = (config.nodes - (capacity == 0)) / 40
            assert other.nodes - (capacity == 0) == np.ceil(ratio * simulations)
    assert config.with_simulations(40) == config


def test_a_player_with_a_capacity_of_its_own_searches_at_every_size():
    """As clocks ask of it; a capacity that stayed would be refused by a search that is as large."""
    model, env = game_tree_model(GAME), game_tree_env(GAME)
    config = SearchConfig(simulations=40, reuse=True, capacity=100)
    for simulations, nodes in [(None, 100), (1, 3), (40, 100), (640, 1600)]:
        player = make_player("player", model, config, env, simulations=simulations)
        memory = player.init(1)
        assert memory.tree.node_visits.shape == (1, nodes)
        timestep = jax.vmap(env.init)(jax.random.split(jax.random.key(0), 1))[1]
        action, following, _ = jax.eval_shape(player.move, (), memory, timestep, jax.random.key(1))
        assert action.shape == (1,) and following.tree.node_visits.shape == (1, nodes)


# ------------------------------------------------------------------- temperature


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_actions_are_drawn_in_proportion_to_a_power_of_visits(temperature):
    visits = jnp.tile(jnp.array([[8, 0, 3, 1]]), (40_000, 1))
    actions = sample_by_visits(visits, temperature, jax.random.key(0))
    weights = np.array([8.0, 0.0, 3.0, 1.0]) ** (1 / temperature)
    shares = np.bincount(actions, minlength=4) / 40_000
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.01)


def test_without_temperature_one_of_the_most_visited_is_taken_and_each_element_has_its_own():
    visits = jnp.tile(jnp.array([[4, 5, 5, 0]]), (4000, 1))
    temperature = jnp.where(jnp.arange(4000) < 2000, 0.0, 1e6)
    actions = np.asarray(sample_by_visits(visits, temperature, jax.random.key(0)))
    cold, hot = (np.bincount(half, minlength=4) / 2000 for half in (actions[:2000], actions[2000:]))
    np.testing.assert_allclose(cold, [0, 0.5, 0.5, 0], atol=0.04)
    np.testing.assert_allclose(hot, [1 / 3, 1 / 3, 1 / 3, 0], atol=0.04)


def test_the_temperature_falls_with_the_number_of_the_move():
    np.testing.assert_array_equal(temperature_at(jnp.array([0, 29, 30, 400])), [1, 1, 0, 0])
    np.testing.assert_allclose(
        temperature_at(jnp.arange(5), (1.0, 0.5, 0.25), (1, 3)), [1, 0.5, 0.5, 0.25, 0.25]
    )
