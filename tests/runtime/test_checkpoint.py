from __future__ import annotations

import json
import resource
import shutil
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.runtime import checkpoint
from imaginax.runtime.checkpoint import CheckpointError


class Inner(NamedTuple):
    a: jax.Array
    nothing: None
    empty: tuple


@flax.struct.dataclass
class Struct:
    b: jax.Array
    c: dict


def make_state(scale=1.0):
    odd = np.array([np.nan, -0.0, np.inf, 1e-45], np.float32)
    with jax.enable_x64(True):
        wide = jnp.asarray(np.array([np.pi, 1e300]))
    return {
        "inner": Inner(jnp.asarray(odd * scale), None, ()),
        "struct": Struct(
            jnp.full((2, 3), 1.1 * scale, jnp.bfloat16), {"flag": jnp.asarray(True), "x.y/z": wide}
        ),
        "keys": jax.random.split(jax.random.key(3), 4),
        "other": jax.random.key(5, impl="rbg"),
        "none": jnp.zeros((3, 0, 2)),
        "counts": [jnp.asarray(7, jnp.int32), jnp.arange(5, dtype=jnp.uint8)],
    }


def shapes(state):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)


def raw(leaf):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return str(jax.random.key_impl(leaf)), np.asarray(jax.random.key_data(leaf)).tobytes()
    return str(leaf.dtype), leaf.shape, np.asarray(leaf).tobytes()


def assert_same(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert raw(a) == raw(b) and not getattr(b, "weak_type", False)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Checkpoints 1 and 2 of two different states."""
    folder = tmp_path_factory.mktemp("saved")
    checkpoint.save(folder, 1, make_state(1.0), progress={"chunk": 1})
    checkpoint.save(folder, 2, make_state(2.0), progress={"chunk": 2})
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "checkpoints")


def files(path):
    return sorted(p for p in path.rglob("*") if p.is_file())


def restore(folder):
    return checkpoint.restore(folder, shapes(make_state()))


def test_round_trip_is_exact(saved):
    restored = restore(saved)
    assert (restored.step, restored.progress, restored.skipped) == (2, {"chunk": 2}, ())
    assert_same(make_state(2.0), restored.state)
    jax.random.normal(restored.state["keys"][0])


def test_any_flipped_bit_in_any_file_is_found(folder):
    rng = np.random.default_rng(0)
    for path in files(folder / "2"):
        good = path.read_bytes()
        for position in {0, len(good) - 1, *rng.integers(len(good), size=6)}:
            bad = bytearray(good)
            bad[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(bad))
            if path.name == "manifest.json" and _same_json(good, bytes(bad)):
                continue
            with pytest.raises(CheckpointError, match="checkpoint .*2 is invalid: "):
                checkpoint.verify(folder / "2")
        path.write_bytes(good)
    checkpoint.verify(folder / "2")


def _same_json(good, bad):
    """A flip in the manifest's white space changes nothing."""
    try:
        return json.loads(good) == json.loads(bad)
    except ValueError:
        return False


@pytest.mark.parametrize("damage", ["missing", "truncated", "emptied", "added"])
def test_damaged_files_fall_back_to_the_checkpoint_before(folder, damage):
    for path in files(folder / "2"):
        good = path.read_bytes()
        if damage == "missing":
            path.unlink()
        elif damage == "added":
            path.with_name("stranger").write_bytes(b"x")
        else:
            path.write_bytes(good[: len(good) // 2] if damage == "truncated" else b"")
        with pytest.raises(CheckpointError):
            checkpoint.verify(folder / "2")
        path.with_name("stranger").unlink(missing_ok=True)
        path.write_bytes(good)
    (folder / "2" / "manifest.json").unlink()
    restored = restore(folder)
    assert restored.step == 1 and len(restored.skipped) == 1 and "manifest.json" in restored.skipped[0]
    assert_same(make_state(1.0), restored.state)


def test_none_valid_is_an_error_and_none_at_all_is_not(folder, tmp_path):
    for step in ("1", "2"):
        (folder / step / "index.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no valid checkpoint.*2 is invalid.*1 is invalid"):
        restore(folder)
    assert restore(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s | {"none": jnp.zeros((3, 0, 3))},
            r"\['none'\] is float32\[3, 0, 2\], not float32\[3, 0, 3\]",
        ),
        (lambda s: s | {"counts": [s["counts"][0].astype(jnp.int16), s["counts"][1]]}, "int32.*, not int16"),
        (lambda s: s | {"keys": jax.random.key_data(s["keys"])}, r"\['keys'\] is key<fry>"),
        (lambda s: s | {"more": jnp.zeros(2)}, r"\['more'\] is absent"),
        (
            lambda s: {name: s[name] for name in s if name != "other"},
            r"\['other'\] is key<rbg>\[\], not absent",
        ),
    ],
)
def test_another_state_is_refused_by_name(saved, change, message):
    with pytest.raises(CheckpointError, match=message):
        checkpoint.restore(saved, shapes(change(make_state())))


def test_only_the_newest_stay_and_a_step_can_be_replaced(tmp_path):
    for step, scale in ((1, 1.0), (2, 2.0), (10, 3.0), (10, 4.0)):
        checkpoint.save(tmp_path, step, {"x": jnp.asarray([scale])}, progress={}, keep=2)
    assert checkpoint.steps(tmp_path) == [10, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "2"]
    assert (
        float(checkpoint.restore(tmp_path, {"x": jax.ShapeDtypeStruct((1,), jnp.float32)}).state["x"][0])
        == 4.0
    )


def test_a_full_disk_leaves_the_older_ones(tmp_path):
    small, large = ({"x": jnp.asarray(np.random.default_rng(0).normal(size=n))} for n in (4, 400_000))
    checkpoint.save(tmp_path, 1, small, progress={})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="cannot write checkpoint .*/2: "):
            checkpoint.save(tmp_path, 2, large, progress={}, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    checkpoint.verify(tmp_path / "1")


def test_a_leftover_of_a_killed_run_is_ignored(folder):
    shutil.copytree(folder / "2", folder / ".writing-3")
    assert restore(folder).step == 2


def test_nothing_is_pickled(saved):
    heads = [path.read_bytes()[:2] for path in files(saved)]
    assert not any(head in (b"\x80\x03", b"\x80\x04", b"\x80\x05") for head in heads)
