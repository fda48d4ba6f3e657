"""The tower against the published sizes, and its batch normalisation against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.networks.config import NetworkConfig
from imaginax.networks.residual import make_network
from imaginax.types import ConfigError

PLANES, ACTIONS = (3, 4, 2), 5
SMALL = dict(channels=4, blocks=1, value_hidden=3, momentum=0.9)


def network(**fields):
    return make_network(NetworkConfig(**(SMALL | fields)), PLANES, ACTIONS)


def boards(rows, seed=0):
    return jax.random.normal(jax.random.key(seed), (rows, *PLANES))


def fresh(net):
    """Fresh variables; the kernels of the last layers, which are zero, drawn as well."""
    variables, key = jax.jit(net.init)(jax.random.key(0)), jax.random.key(1)

    def drawn(path, leaf):
        last = path[-1].key == "kernel" and path[-2].key in ("policy", "policy_planes", "value")
        return jax.random.normal(key, leaf.shape) * (leaf.shape[-1] / leaf.size) ** 0.5 if last else leaf

    return jax.tree_util.tree_map_with_path(drawn, variables)


def trained(net, steps=1, data=None):
    """Variables whose running statistics are those of `steps` batches."""
    variables, step = fresh(net), jax.jit(net.train)
    for _ in range(steps):
        variables = variables | {"batch_stats": step(variables, boards(16) if data is None else data)[2]}
    return variables


def parameters(planes, actions, **fields):
    net = make_network(NetworkConfig(**fields), planes, actions)
    shapes = jax.eval_shape(net.init, jax.random.key(0))["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_published_network_has_its_parameters():
    """AlphaGo Zero's 20-block network for 19x19, counted from the paper's description (Methods)."""
    norm = 2  # scale and shift of each feature
    tower = 9 * 17 * 256 + norm * 256 + 38 * (9 * 256 * 256 + norm * 256)
    policy = 256 * 2 + norm * 2 + (361 * 2 + 1) * 362
    value = 256 * 1 + norm * 1 + (361 + 1) * 256 + 256 + 1
    assert parameters((19, 19, 17), 362) == tower + policy + value


def test_the_four_architectures_of_figure_4():
    """Residual and plain towers have the same weights; separate ones have the trunk twice."""
    trunk = 9 * 2 * 4 + 2 * 4 + 2 * (9 * 4 * 4 + 2 * 4)
    sizes = {
        (kind, trunks): parameters(PLANES, ACTIONS, **SMALL, kind=kind, trunks=trunks)
        for kind in ("residual", "convolutional")
        for trunks in ("dual", "separate")
    }
    assert sizes["residual", "dual"] == sizes["convolutional", "dual"]
    assert sizes["residual", "separate"] == sizes["residual", "dual"] + trunk
    residual, plain = network(), network(kind="convolutional")
    variables = fresh(residual)
    zeroed = jax.tree_util.tree_map_with_path(  # a block that adds nothing is the identity, or a dead end
        lambda path, leaf: leaf * ("block_0_b" not in str(path)), variables
    )
    evaluate = jax.jit(residual.apply), jax.jit(plain.apply)
    one, other = ([f(zeroed, boards(4, seed))[0] for seed in (0, 1)] for f in evaluate)
    assert not np.allclose(*one) and np.array_equal(*other)


def test_separate_trunks_share_nothing():
    net = network(trunks="separate", blocks=0)
    variables, x = fresh(net), boards(4)

    def total(params, head):
        return jnp.sum(net.apply(variables | {"params": params}, x)[head])

    for head, other in ((0, "value"), (1, "policy")):
        gradient = jax.jit(jax.grad(total), static_argnums=1)(variables["params"], head)
        moved = {name for name, leaves in gradient.items() if any(map(np.any, jax.tree.leaves(leaves)))}
        assert moved and not any(name.startswith(other) for name in moved)


def test_evaluation_is_row_by_row_and_training_is_not():
    net = make_network(NetworkConfig(**SMALL, policy="conv"), PLANES, 36)
    variables = trained(net)
    x = boards(6)
    changed = x.at[1:].set(7.0)
    evaluate, train = jax.jit(net.apply), jax.jit(net.train)
    for a, b in zip(evaluate(variables, x), evaluate(variables, changed), strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-6, atol=1e-6)
    assert abs(train(variables, x)[1][0] - train(variables, changed)[1][0]) > 1e-3


def test_running_statistics_forget_at_their_rate_and_converge_to_the_data():
    """After n batches that are all alike: momentum^n of the start and the rest the batch's moments."""
    net, x = network(), boards(16)
    kernel = fresh(net)["params"]["trunk"]["first"]["Convolution_0"]["kernel"]
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    mean, variance = np.mean(y, (0, 1, 2)), np.var(y, (0, 1, 2))
    for steps in (1, 3, 80):
        found = trained(net, steps, x)["batch_stats"]["trunk"]["first"]["BatchNorm_0"]
        rest = 0.9**steps
        np.testing.assert_allclose(found["mean"], (1 - rest) * mean, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found["var"], rest + (1 - rest) * variance, rtol=1e-4)


def test_evaluation_with_the_datas_own_statistics_is_training_on_it():
    net, x = network(momentum=0.5), boards(16)
    variables = trained(net, 60, x)
    logits, value, _ = jax.jit(net.train)(variables, x)
    for a, b in zip(jax.jit(net.apply)(variables, x), (logits, value), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_training_normalises_whatever_the_scale_of_the_input():
    net = network()
    variables, x = fresh(net), boards(16)
    step = jax.jit(net.train)
    for a, b in zip(step(variables, x)[:2], step(variables, 50.0 * x)[:2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)


def test_bfloat16_keeps_variables_and_outputs_in_float32():
    wide, narrow = network(), network(dtype="bfloat16")
    variables = fresh(wide)
    logits, value, statistics = jax.jit(narrow.train)(variables, boards(16))
    assert {leaf.dtype for leaf in jax.tree.leaves((logits, value, statistics))} == {jnp.dtype("float32")}
    exact = jax.jit(wide.train)(variables, boards(16))
    np.testing.assert_allclose(logits, exact[0], atol=0.1)
    np.testing.assert_allclose(value, exact[1], atol=0.1)
    assert not np.array_equal(logits, exact[0])


def test_an_untrained_network_has_no_opinion():
    """However deep it is, so that search has the rules alone."""
    for policy in ("fc", "conv"):
        net = make_network(NetworkConfig(**SMALL | {"blocks": 8}, policy=policy), PLANES, 36)
        logits, value = jax.jit(net.apply)(jax.jit(net.init)(jax.random.key(0)), boards(4))
        assert not logits.any() and not value.any()


def test_fresh_weights_have_the_variances_that_they_say():
    net = make_network(NetworkConfig(channels=64, blocks=1), (9, 9, 17), 82)
    params = jax.jit(net.init)(jax.random.key(0))["params"]
    for kernel, variance in (
        (params["trunk"]["block_0_a"]["Convolution_0"]["kernel"], 2 / (9 * 64)),
        (params["value_hidden"]["kernel"], 2 / 81),
    ):
        np.testing.assert_allclose(np.var(kernel), variance, rtol=0.06)
        assert abs(np.mean(kernel)) < 5 * (variance / kernel.size) ** 0.5


def test_layout_moves_logits_to_their_actions():
    config = NetworkConfig(**SMALL, policy="conv")
    layout = np.random.default_rng(0).permutation(36)
    plain, moved = make_network(config, PLANES, 36), make_network(config, PLANES, 36, layout)
    variables = fresh(plain)
    logits, found = (jax.jit(net.apply)(variables, boards(2))[0] for net in (plain, moved))
    np.testing.assert_array_equal(found, logits[:, layout])


@pytest.mark.parametrize(
    "fields, message",
    [
        (dict(channels=0), r"network.channels must lie in \[1, 100000\]"),
        (dict(blocks=-1), r"network.blocks must lie in \[0, 200\]"),
        (dict(value_hidden=0), r"network.value_hidden must lie in \[1, 1000000\]"),
        (dict(momentum=1.0), r"network.momentum must lie in \[0, 1\)"),
        (dict(epsilon=0.0), r"network.epsilon must lie in \(0, 1\]"),
    ],
)
def test_sizes_that_cannot_be(fields, message):
    with pytest.raises(ConfigError, match=message):
        NetworkConfig(**fields)


def test_a_convolutional_policy_needs_actions_on_squares():
    with pytest.raises(ConfigError, match="network.policy=conv .* 9 squares.* 10"):
        make_network(NetworkConfig(policy="conv"), (3, 3, 2), 10)
