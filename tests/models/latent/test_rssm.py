"""The recurrent state-space model: its recursion, what it forgets, and what its ablations lack."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.latent import rssm
from imaginax.models.latent.config import RSSMConfig
from imaginax.models.latent.rssm import features, make_rssm, observe
from imaginax.types import ConfigError

SIZES = {"deterministic": 6, "stochastic": 3, "hidden": 7}
CONFIGS = {
    "rssm": RSSMConfig(**SIZES),
    "ssm": RSSMConfig("ssm", **SIZES),
    "gru": RSSMConfig("gru", **SIZES),
    "choices": RSSMConfig(classes=4, **SIZES),
    "ssm of choices": RSSMConfig("ssm", classes=4, **SIZES),
    "gru of choices": RSSMConfig("gru", classes=4, **SIZES),
    "dreamerv2": RSSMConfig(classes=4, cell="layer_norm_gru", activation="elu", unimix=0.01, **SIZES),
}
STEPS, BATCH = 7, 4


@pytest.fixture(scope="module", params=CONFIGS)
def model(request):
    config = CONFIGS[request.param]
    made = make_rssm(config, embedding=5, actions=2)
    return config, made, made.init(jax.random.key(0))


@pytest.fixture(scope="module")
def seen():
    keys = jax.random.split(jax.random.key(1), 2)
    return jax.random.normal(keys[0], (STEPS, BATCH, 5)), jax.random.normal(keys[1], (STEPS, BATCH, 2))


def run(model, seen, first, key=2):
    _, made, params = model
    embedded, actions = seen
    return observe(made, params, made.project(params, embedded), actions, first, jax.random.key(key))


def test_sequences_are_filtered_step_by_step(model, seen):
    config, made, params = model
    first = jnp.zeros((STEPS, BATCH), bool).at[0].set(True)
    priors, posteriors = run(model, seen, first)
    belief, keys = made.start(BATCH), jax.random.split(jax.random.key(2), STEPS)
    actions = seen[1].at[0].set(0.0)
    for t in range(STEPS):
        key_prior, key_posterior = jax.random.split(keys[t])
        prior = made.predict(params, belief, actions[t], key_prior)
        belief = made.correct(params, prior, made.project(params, seen[0][t]), key_posterior)
        at = lambda tree, t=t: jax.tree.map(lambda x: x[t], tree)  # noqa: E731
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), at(priors), prior)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), at(posteriors), belief)
    assert features(belief).shape == (BATCH, config.features)


def test_nothing_leaks_over_the_beginning_of_an_episode(model, seen):
    """Beliefs from there on do not change with what came before, and they do change without the flag."""
    first = jnp.zeros((STEPS, BATCH), bool).at[0].set(True).at[3, 1].set(True)
    other = tuple(
        x.at[:3, 1].add(1.0).at[3, 1].set(y) for x, y in zip(seen, (seen[0][3, 1], 9.0), strict=True)
    )
    ours, theirs = (features(run(model, given, first)[1]) for given in (seen, other))
    np.testing.assert_array_equal(ours[3:, 1], theirs[3:, 1])
    assert (ours[:3, 1] != theirs[:3, 1]).any()
    np.testing.assert_array_equal(ours[:, [0, 2, 3]], theirs[:, [0, 2, 3]])
    without = features(run(model, other, first.at[3, 1].set(False))[1])
    assert (without[3:, 1] != theirs[3:, 1]).any()


def test_each_ablation_lacks_its_part(seen):
    first = jnp.zeros((STEPS, BATCH), bool)
    made = {name: (config, make_rssm(config, embedding=5, actions=2)) for name, config in CONFIGS.items()}
    found = {}
    for name, (config, one) in made.items():
        params = one.init(jax.random.key(0))
        found[name] = [run((config, one, params), seen, first, key)[1] for key in (2, 3)]
    assert found["ssm"][0].deterministic.shape == (STEPS, BATCH, 0)
    for name in ("gru", "gru of choices"):  # no noise
        np.testing.assert_array_equal(*(features(one) for one in found[name]))
    for name in ("rssm", "ssm", "choices", "ssm of choices"):
        assert (features(found[name][0]) != features(found[name][1])).any()
    groups = found["choices"][0].stochastic.reshape(STEPS, BATCH, 3, 4)
    np.testing.assert_allclose(groups.sum(-1), 1.0, atol=1e-6)


def test_gradients_reach_every_parameter(model, seen):
    _, made, params = model
    first = jnp.zeros((STEPS, BATCH), bool)

    def total(params):
        projected = made.project(params, seen[0])
        priors, posteriors = observe(made, params, projected, seen[1], first, jax.random.key(0))
        return jnp.sum(jnp.sin(features(posteriors))) + sum(jnp.sum(x**2) for x in jax.tree.leaves(priors))

    slopes = jax.tree_util.tree_leaves_with_path(jax.grad(total)(params))
    assert all((slope != 0).any() for path, slope in slopes), [
        path for path, s in slopes if not (s != 0).any()
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [("hidden", 0), ("deterministic", -1), ("classes", 1), ("min_std", -0.1), ("unimix", 1.0)],
)
def test_impossible_sizes_name_their_field(field, value):
    with pytest.raises(ConfigError, match=f"rssm.{field}"):
        RSSMConfig(**{field: value})


def test_deviations_have_a_floor():
    stats = rssm.stats_of(RSSMConfig(**SIZES), jnp.full((1, 6), -100.0))
    np.testing.assert_allclose(stats.std, 0.1)
