from __future__ import annotations

import resource
import shutil
import threading
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.runtime import checkpoint
from imaginax.runtime.checkpoint import CheckpointError
from imaginax.runtime.checkpoint import arrays as checkpoint_arrays
from imaginax.types import ConfigError


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
        "zeros": (jnp.full((5,), -0.0), jnp.zeros(5)),
        "host": np.arange(6, dtype=np.int16).reshape(2, 3)[:, ::-1],
        "half": jnp.full((), 2.5, jnp.float8_e4m3fn),
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


KINDS = {
    "array": lambda path: path.parent.name.startswith("array_") and path.name != ".zarray",
    "description": lambda path: path.name == ".zarray",
    "index": lambda path: path.name == "index.json",
    "manifest": lambda path: path.name == "manifest.json",
}


def of_kind(folder, kind):
    found = [path for path in files(folder) if KINDS[kind](path)]
    assert found
    return found


def test_every_file_is_of_a_kind(saved):
    assert sum(len(of_kind(saved / "2", kind)) for kind in KINDS) == len(files(saved / "2")) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_any_flipped_bit_is_found_and_named(folder, kind, record_property):
    """One bit at a time: the first, the last and others at random."""
    rng = np.random.default_rng(0)
    found = of_kind(folder / "2", kind)
    flips = 0
    for path in found:
        good = path.read_bytes()
        bits = {0, 8 * len(good) - 1, *rng.integers(8 * len(good), size=60 // len(found) + 1).tolist()}
        for bit in bits:
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            path.write_bytes(bytes(bad))
            with pytest.raises(CheckpointError, match="checkpoint .*2 is invalid: ") as error:
                checkpoint.verify(folder / "2")
            assert kind == "manifest" or path.name in str(error.value)
            flips += 1
        path.write_bytes(good)
    checkpoint.verify(folder / "2")
    assert flips >= 60
    record_property("flips found", flips)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["flipped", "truncated", "shortened", "emptied", "missing", "accompanied"])
def test_damage_is_named_and_the_checkpoint_before_is_used(folder, damage, kind):
    path = of_kind(folder / "2", kind)[0]
    good = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "accompanied":
        path = path.with_name("stranger")
        path.write_bytes(b"x")
    else:
        flipped = bytes([good[0] ^ 16]) + good[1:]
        shorter = {"truncated": good[: len(good) // 2], "shortened": good[:-1], "emptied": b""}
        path.write_bytes(shorter.get(damage, flipped))
    restored = restore(folder)
    assert (restored.step, len(restored.skipped)) == (1, 1)
    assert path.name in restored.skipped[0] and str(folder / "2") in restored.skipped[0]
    assert_same(make_state(1.0), restored.state)


def test_none_valid_is_an_error_and_none_at_all_is_not(folder, tmp_path):
    for step in ("1", "2"):
        (folder / step / "index.json").write_text("{}")
    (folder / "007").mkdir()  # no number that a checkpoint would be called by
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


def test_a_leftover_of_a_killed_run_is_ignored_and_goes(folder):
    shutil.copytree(folder / "2", folder / ".writing-3")
    assert restore(folder).step == 2
    checkpoint.save(folder, 4, make_state(), progress={})
    assert sorted(path.name for path in folder.iterdir()) == ["2", "4"]


def test_a_checkpoint_of_another_name_is_refused(folder):
    shutil.copytree(folder / "1", folder / "3")
    restored = restore(folder)
    assert restored.step == 2 and "3 is invalid: it was saved as step 1" in restored.skipped[0]


def test_an_invalid_newer_one_does_not_push_out_a_valid_one(folder):
    (folder / "2").rename(folder / "9")
    checkpoint.save(folder, 3, make_state(3.0), progress={}, keep=1)
    restored = restore(folder)
    assert checkpoint.steps(folder) == [9, 3] and restored.step == 3 and len(restored.skipped) == 1


def test_nothing_is_pickled(saved):
    heads = [path.read_bytes()[:2] for path in files(saved)]
    assert not any(head in (b"\x80\x03", b"\x80\x04", b"\x80\x05") for head in heads)


# --------------------------------------------------------- in the background


class Gate:
    """Holds back what is written until it is opened; may fail instead."""

    def __init__(self, monkeypatch):
        self.opened, self.fault = threading.Event(), None
        self.write = checkpoint_arrays.write
        monkeypatch.setattr(checkpoint_arrays, "write", self)

    def __call__(self, *arguments):
        assert self.opened.wait(20)
        if self.fault:
            raise self.fault
        return self.write(*arguments)


@pytest.fixture
def gate(monkeypatch):
    return Gate(monkeypatch)


def test_a_state_may_be_donated_and_overwritten_as_soon_as_save_returns(tmp_path, gate):
    """The arrays are written after their buffers have gone to the next step, or been overwritten."""
    overwrite = jax.jit(lambda x: x * 0 - 1, donate_argnums=0)
    device = jnp.arange(100_000, dtype=jnp.float32)
    host = np.arange(100_000, dtype=np.float32)
    progress = {"chunk": 1}
    like = {"device": jax.ShapeDtypeStruct(host.shape, host.dtype)} | {
        "host": jax.ShapeDtypeStruct(host.shape, host.dtype)
    }
    place = device.unsafe_buffer_pointer()
    with checkpoint.Saver(tmp_path) as saver:
        saver.save(1, {"device": device, "host": host}, progress=progress)
        assert checkpoint.steps(tmp_path) == []
        overwritten = overwrite(device).block_until_ready()
        assert device.is_deleted() and overwritten.unsafe_buffer_pointer() == place
        host[:], progress["chunk"] = -1, 2
        gate.opened.set()
    restored = checkpoint.restore(tmp_path, like)
    assert restored.progress == {"chunk": 1}
    for name in like:
        np.testing.assert_array_equal(restored.state[name], np.arange(100_000))


def test_a_second_save_waits_for_the_first(tmp_path, gate):
    with checkpoint.Saver(tmp_path) as saver:
        saver.save(1, {"x": jnp.ones(3)}, progress={})
        second = threading.Thread(target=lambda: saver.save(2, {"x": jnp.ones(3)}, progress={}))
        second.start()
        second.join(0.2)
        assert second.is_alive() and checkpoint.steps(tmp_path) == []
        gate.opened.set()
        second.join(20)
        assert 1 in checkpoint.steps(tmp_path)
        saver.wait()
        assert checkpoint.steps(tmp_path) == [2, 1]


@pytest.mark.parametrize("by", ["save", "wait", "exit"])
def test_what_fails_in_the_background_is_raised_by_the_next_call(tmp_path, gate, by):
    gate.fault = OSError("no space left")
    gate.opened.set()
    state = {"x": jnp.ones(3)}
    saver = checkpoint.Saver(tmp_path)
    saver.save(1, state, progress={})
    with pytest.raises(CheckpointError, match="cannot write checkpoint .*/1: no space left"):
        if by == "exit":
            saver.__exit__(None, None, None)
        else:
            saver.wait() if by == "wait" else saver.save(2, state, progress={})
    assert list(tmp_path.iterdir()) == []
    if by != "exit":
        gate.fault = None
        with saver:
            saver.save(3, state, progress={})
        assert checkpoint.steps(tmp_path) == [3]


def test_what_ended_the_run_is_not_hidden_by_a_failed_save(tmp_path, gate):
    gate.fault = OSError("no space left")
    gate.opened.set()
    with pytest.raises(KeyError) as error, checkpoint.Saver(tmp_path) as saver:
        saver.save(1, {"x": jnp.ones(3)}, progress={})
        raise KeyError("first")
    assert "no space left" in error.value.__notes__[0]


def test_what_cannot_be_kept_is_refused_at_once(tmp_path):
    with checkpoint.Saver(tmp_path) as saver, pytest.raises(CheckpointError, match="/1: no JSON: .*nan"):
        saver.save(1, {"x": jnp.ones(3)}, progress={"best": float("nan")})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="saving.keep must be at least 1, got 0"):
        checkpoint.Saver(tmp_path, keep=0)
