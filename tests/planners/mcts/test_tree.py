"""Kept trees against their extraction node by node, and against searches that never stopped."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.planners.mcts.config import SearchConfig
from imaginax.planners.mcts.planner import make_mcts, make_tree_search
from imaginax.types import ConfigError
from tests.planners.mcts.reference import Reference
from tests.planners.worlds import game_tree, game_tree_env, game_tree_model

GAME = game_tree(0, branching=3, depth=6)
PLACES = np.array([0, 1, 2, 3, 5, 7, 0, 2])
BATCH = len(PLACES)
PUCT = SearchConfig(simulations=30, reuse=True, capacity=120)
FRESH = dataclasses.replace(PUCT, reuse=False, capacity=0)
KEY = jax.random.key(0)


@functools.cache
def make(config):
    """The search, and its compiled run, advance and forget."""
    search = make_tree_search(game_tree_model(GAME), config, game_tree_env(GAME))
    run = jax.jit(functools.partial(search.run, (), explore=False))
    return search, run, jax.jit(search.advance), jax.jit(search.reset)


def begin(config, places=PLACES):
    search, run, _, _ = make(config)
    return run(jnp.asarray(places, jnp.int32), search.init(len(places)), KEY, None)


def after(places, actions):
    return np.asarray(GAME.step(places, np.asarray(actions))[0], np.int32)


def assert_same(first, second, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), first, second)


# ------------------------------------------------------------ trees, node by node


def unfold(tree, node=0):
    """A node of one tree and all below it, as nested dictionaries."""
    children = {
        action: (
            tree.children_visits[node, action],
            tree.children_rewards[node, action],
            tree.children_discounts[node, action],
            tree.children_values[node, action],
            unfold(tree, tree.children_index[node, action]),
        )
        for action in np.flatnonzero(tree.children_index[node] >= 0)
    }
    own = (
        tree.node_visits[node],
        tree.node_values[node],
        tree.raw_values[node],
        tree.embeddings.belief[node],
    )
    return *map(float, own), tuple(tree.children_prior_logits[node]), children


def size(unfolded):
    return 1 + sum(size(child[-1]) for child in unfolded[-1].values())


def rows(kept):
    tree = jax.tree.map(np.asarray, kept.tree)
    for row in range(BATCH):
        yield jax.tree.map(lambda x, row=row: x[row], tree), int(kept.count[row])


def check(tree, count):
    """What holds in every tree of `count` nodes; raises an AssertionError where it does not."""
    used = np.arange(len(tree.parents)) < count
    assert (tree.node_visits[used] > 0).all() and not tree.node_visits[~used].any()
    assert (tree.children_index[~used] == -1).all() and (tree.parents[~used] == -1).all()
    assert size(unfold(tree)) == count
    assert tree.parents[0] == -1 and (tree.parents[1:count] < np.arange(1, count)).all()
    for node in range(count):
        edges = np.flatnonzero(tree.children_index[node] >= 0)
        children = tree.children_index[node, edges]
        assert (tree.parents[children] == node).all() and (tree.action_from_parent[children] == edges).all()
        visits, values = tree.children_visits[node, edges], tree.children_values[node, edges]
        np.testing.assert_array_equal(visits, tree.node_visits[children])
        np.testing.assert_array_equal(values, tree.node_values[children])
        assert tree.node_visits[node] == 1 + visits.sum()
        q = tree.children_rewards[node, edges] + tree.children_discounts[node, edges] * values
        backed_up = tree.raw_values[node] + (visits * q).sum()
        np.testing.assert_allclose(tree.node_values[node] * tree.node_visits[node], backed_up, atol=1e-4)
        legal = tree.children_prior_logits[node] > np.finfo(np.float32).min
        assert not tree.children_visits[node, ~legal].any()


def test_trees_are_sound_after_searches_moves_and_more_searches():
    _, run, advance, _ = make(PUCT)
    found, kept = begin(PUCT)
    places = PLACES
    for _ in range(3):
        for tree, count in rows(kept):
            check(tree, count)
        places = after(places, found.action)
        kept = advance(kept, found.action)
        for tree, count in rows(kept):
            check(tree, count)
        found, kept = run(places, kept, KEY, None)


@pytest.mark.parametrize("field", ["parents", "node_values", "children_visits", "children_index"])
def test_an_unsound_tree_is_noticed(field):
    _, kept = begin(PUCT)
    tree, count = next(rows(kept))
    broken = getattr(tree, field).copy()
    broken.flat[1] = 2
    with pytest.raises((AssertionError, IndexError)):
        check(tree.replace(**{field: broken}), count)


@pytest.mark.parametrize("width", [0, 2])
def test_a_move_keeps_what_is_below_it_and_nothing_else(width):
    config = dataclasses.replace(PUCT, width=width)
    found, before = begin(config)
    for action in range(3):
        after_move = make(config)[2](before, jnp.full(BATCH, action))
        trees = zip(rows(before), rows(after_move), strict=True)
        for row, ((old, _), (new, count)) in enumerate(trees):
            slots = range(3) if not width else list(old.embeddings.actions[0])
            slot = list(slots).index(action) if action in slots else None
            if slot is None or found.visits[row, action] == 0:
                assert count == 0
                continue
            kept = unfold(old)[-1][slot][-1]
            assert unfold(new) == kept and count == size(kept)


def test_an_action_that_does_not_exist_keeps_nothing():
    _, kept = begin(PUCT)
    for action in (-1, 3, 1000):
        assert not make(PUCT)[2](kept, jnp.full(BATCH, action)).count.any()


# ----------------------------------------------- searches that go on, and that never stopped


def test_going_on_from_the_child_equals_one_search_from_there():
    """The k simulations through the child and n more are k + n of a search that began at the child."""
    _, run, advance, _ = make(PUCT)
    found, kept = begin(PUCT)
    kept = advance(kept, found.action)
    places = after(PLACES, found.action)
    again, _ = run(places, kept, KEY, None)
    for row, place in enumerate(places):
        through = int(kept.tree.node_visits[row, 0]) - 1
        plain = Reference(dataclasses.replace(PUCT, simulations=through + 30), GAME, place)
        np.testing.assert_array_equal(again.visits[row], plain.root.counts())
        np.testing.assert_allclose(again.value[row], plain.root.value, atol=1e-5)
    assert int((np.asarray(kept.count) > 3).sum()) >= 4  # it was not for nothing


def test_going_on_at_the_same_root_equals_one_longer_search():
    _, run, _, _ = make(PUCT)
    _, kept = begin(PUCT)
    twice, kept = run(PLACES, kept, KEY, None)
    once, whole = begin(dataclasses.replace(PUCT, simulations=60))
    assert_same(twice, once)
    assert_same(kept, whole)


def test_gumbel_divides_the_new_simulations_and_counts_all_values():
    config = dataclasses.replace(PUCT, policy="gumbel", simulations=12)
    _, run, advance, _ = make(config)
    found, kept = begin(config)
    first = begin(dataclasses.replace(config, reuse=False, capacity=0))[0]
    assert_same(found, first)
    before = np.asarray(found.visits)
    again, kept = run(PLACES, kept, KEY, None)
    new = np.asarray(again.visits) - before
    np.testing.assert_array_equal(np.sort(new, axis=1), np.sort(before, axis=1))  # the same schedule
    for row, (tree, count) in enumerate(rows(kept)):
        check(tree, count)
        assert new[row, again.action[row]] == new[row].max()


def test_where_there_is_no_room_or_nothing_kept_a_search_begins_afresh_and_the_others_go_on():
    search, run, advance, forget = make(dataclasses.replace(PUCT, capacity=45))
    found, kept = run(PLACES, search.init(BATCH), KEY, None)
    assert (search.room(kept) == 45 - kept.count).all() and (kept.count == 31).all()
    again, whole = run(PLACES, kept, KEY, None)  # 31 + 30 nodes are too many for any of them
    assert_same((again, whole), (found, kept))
    kept = advance(kept, found.action)
    mask = jnp.arange(BATCH) % 2 == 0
    places = after(PLACES, found.action)
    mixed, _ = run(places, forget(kept, mask), KEY, None)
    afresh, _ = run(places, search.init(BATCH), KEY, None)
    goes_on = np.asarray((kept.count > 0) & (kept.count <= 15) & ~mask)
    assert 0 < goes_on.sum() < (~np.asarray(mask)).sum()  # some have too little room
    total = np.asarray(mixed.visits.sum(axis=1))
    expected = 30 + np.where(goes_on, np.asarray(kept.tree.node_visits[:, 0]) - 1, 0)
    np.testing.assert_array_equal(total, expected)
    assert_same(*(jax.tree.map(lambda x: x[~goes_on], result) for result in (mixed, afresh)))


def test_the_new_root_has_fresh_noise_and_keeps_its_visits():
    search, _, advance, _ = make(PUCT)
    found, kept = begin(PUCT)
    kept = advance(kept, found.action)
    places = after(PLACES, found.action)
    noisy = jax.jit(functools.partial(search.run, (), explore=True))
    (one, tree), (two, _) = (noisy(places, kept, jax.random.key(seed), None) for seed in (1, 2))
    clean = kept.tree.children_prior_logits[:, 0]
    several = GAME.legal(places).sum(axis=1) > 1
    moved = np.abs(np.exp(tree.tree.children_prior_logits[:, 0]) - np.exp(clean)).sum(axis=1)
    assert (moved[several & (np.asarray(kept.count) > 0)] > 1e-3).all()
    assert (np.asarray(one.visits) != np.asarray(two.visits)).any()
    assert (np.asarray(one.visits) >= np.asarray(kept.tree.children_visits[:, 0])).all()


def test_the_planner_goes_on_below_its_own_action():
    planner = make_mcts(game_tree_model(GAME), PUCT, game_tree_env(GAME))
    state = planner.init(BATCH)
    plan = jax.jit(lambda belief, state: planner.plan((), belief, state, KEY, None))
    action, state, output = plan(PLACES, state)
    np.testing.assert_array_equal(action, begin(FRESH)[0].action)
    found, kept = begin(PUCT)
    assert_same(state, make(PUCT)[2](kept, found.action))
    assert_same(
        jax.tree.map(jnp.shape, plan(after(PLACES, action), state)[1]), jax.tree.map(jnp.shape, state)
    )


def test_shapes_must_be_known():
    with pytest.raises(ConfigError, match="search.reuse"):
        make_tree_search(game_tree_model(GAME), PUCT)
