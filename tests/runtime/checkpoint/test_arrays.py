from __future__ import annotations

import math
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginax.runtime import checkpoint
from imaginax.runtime.checkpoint import arrays as checkpoint_arrays
from imaginax.runtime.checkpoint.arrays import CHUNK_BYTES, _chunk


@given(st.lists(st.integers(1, 3000), max_size=4), st.sampled_from([1, 2, 4, 8]))
def test_chunks_divide_a_shard_and_are_small_but_not_many(shard, itemsize):
    chunk = _chunk(tuple(shard), itemsize)
    assert all(size % part == 0 for size, part in zip(shard, chunk, strict=True))
    files = math.prod(shard) // math.prod(chunk)
    total = math.prod(shard) * itemsize
    assert files == 1 or total > CHUNK_BYTES
    # No axis is cut into more than eight times the pieces that it takes.
    assert files <= 8 ** len(shard) * -(-total // CHUNK_BYTES)


@pytest.mark.parametrize(
    ("shard", "itemsize", "chunk"),
    [
        ((), 4, ()),
        ((5,), 4, (5,)),
        ((2**26,), 4, (2**24,)),  # 256 MiB in four
        ((5, 10**6, 64, 64, 3), 1, (1, 5000, 64, 64, 3)),  # images of five seeds: 61 MB a file
        ((5 * 13_421_773,), 4, (13_421_773,)),  # four would do, but five divide it
        ((4, 2**31 - 1), 1, (1, 2**31 - 1)),  # a prime number stays whole
    ],
)
def test_chunks_of_known_shapes(shard, itemsize, chunk):
    assert _chunk(shard, itemsize) == chunk


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, jnp.bfloat16, np.complex64, bool])
def test_arrays_in_many_files_are_the_same(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(checkpoint_arrays, "CHUNK_BYTES", 64)
    rng = np.random.default_rng(0)
    state = {f"{shape}": rng.integers(0, 2, shape).astype(dtype) for shape in [(), (1,), (12, 10), (3, 7, 5)]}
    checkpoint.save(tmp_path, 1, state, progress={})
    assert len(list((tmp_path / "1").glob("state/*/*"))) - 4 >= 1 + 1 + 2 + 3
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)
    restored = checkpoint.restore(tmp_path, like).state
    for name, array in state.items():
        assert restored[name].dtype == array.dtype and np.asarray(restored[name]).tobytes() == array.tobytes()


def test_saving_takes_the_memory_of_one_copy_and_gives_it_back(tmp_path):
    state = {"a": jnp.ones((500, 1000)), "b": np.ones((1000, 1000), np.float32)}
    with checkpoint.Saver(tmp_path) as saver:
        saver.save(0, {"a": jnp.ones(1)}, progress={})  # modules are imported
        saver.wait()
        tracemalloc.start()
        saver.save(1, state, progress={})
        saver.wait()
        left, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 6e6 <= peak < 6.5e6 and left < 1e5


def test_leaves_go_where_they_are_asked_for(tmp_path):
    """Keys too; an array that is given in the place of its shape says where it is."""
    state = {"key": jax.random.split(jax.random.key(7, impl="rbg"), 3), "x": jnp.arange(3.0)}
    checkpoint.save(tmp_path, 1, state, progress={})
    restored = checkpoint.restore(tmp_path, state).state
    device = jax.devices()[0]
    assert restored["x"].devices() == restored["key"].devices() == {device}
    assert str(jax.random.key_impl(restored["key"])) == "rbg"
    assert jax.random.bits(restored["key"][2]) == jax.random.bits(state["key"][2])
