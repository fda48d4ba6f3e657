"""Programs that tests of checkpoints run in processes of their own.

    python checkpoint_program.py together DIRECTORY PORT PROCESS     one of two processes
    python checkpoint_program.py alone DIRECTORY                     eight devices
    python checkpoint_program.py forever DIRECTORY                   saves until it is killed

Each prints one JSON object a line.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from imaginax.runtime import checkpoint
from imaginax.runtime.checkpoint import arrays as checkpoint_arrays

ROWS, COLUMNS = 2**13, 2**10  # 32 MiB
BIG = ROWS * COLUMNS * 4


def tell(**values):
    print(json.dumps(values), flush=True)


# ------------------------------------------------- sharded over processes


def big(index=(slice(None), slice(None)), step=1):
    """What element [i, j] of the sharded array is, for the rows and columns that are asked for."""
    rows, columns = (
        np.arange(n, dtype=np.uint32)[part] for n, part in zip((ROWS, COLUMNS), index, strict=True)
    )
    return (rows[:, None] * np.uint32(COLUMNS) + columns) * np.uint32(2654435761) + np.uint32(step)


def small():
    return np.array([np.nan, -0.0, 1e-40, 3.3] * 10).astype(jnp.bfloat16)


def key_data():
    return np.asarray(jax.random.key_data(jax.random.split(jax.random.key(3), 8)))


def placements(kind):
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows, columns, all_ = (NamedSharding(mesh, PartitionSpec(*s)) for s in (("data",), (None, "data"), ()))
    return {"rows": (rows, all_, rows), "columns": (columns, rows, all_), "default": (None,) * 3}[kind]


def like(kind):
    placed = placements(kind)
    key = jax.random.key(0).dtype
    what = {"big": ((ROWS, COLUMNS), jnp.uint32), "small": ((40,), jnp.bfloat16), "keys": ((8,), key)}
    shapes = {
        name: jax.ShapeDtypeStruct(*of, sharding=place)
        for (name, of), place in zip(what.items(), placed, strict=True)
    }
    return shapes | {
        "own": jax.ShapeDtypeStruct((), jnp.int32),
        "none": jax.ShapeDtypeStruct((3, 0), jnp.float32),
    }


def make(step):
    rows, everywhere, _ = placements("rows")
    keys = jax.make_array_from_callback((8, 2), rows, lambda index: key_data()[index])
    return {
        "big": jax.make_array_from_callback((ROWS, COLUMNS), rows, lambda index: big(index, step)),
        "small": jax.make_array_from_callback((40,), everywhere, lambda index: small()[index]),
        "keys": jax.random.wrap_key_data(keys),
        "own": jnp.asarray(jax.process_index() + 10, jnp.int32),
        "none": jnp.zeros((3, 0)),
    }


def same(state, kind, step):
    """Whether every bit that this process holds is right, and is where it should be."""
    state = state | {"keys": jax.random.key_data(state["keys"])}
    right = int(state["own"]) == 10 and state["none"].shape == (3, 0)
    wanted = zip(
        ("big", "small", "keys"), (big(step=step), small(), key_data()), placements(kind), strict=True
    )
    for name, values, sharding in wanted:
        right &= sharding is None or state[name].sharding.is_equivalent_to(sharding, values.ndim)
        for shard in state[name].addressable_shards:
            right &= np.asarray(shard.data).tobytes() == np.ascontiguousarray(values[shard.index]).tobytes()
    return bool(right)


class Traffic:
    """Bytes of files (and a few messages) that this process reads and writes in a context."""

    def __enter__(self):
        self.before = self._count()
        return self

    def __exit__(self, *_):
        self.read, self.written = (new - old for old, new in zip(self.before, self._count(), strict=True))

    def _count(self):
        lines = Path("/proc/self/io").read_text().splitlines()
        values = dict(line.split(":") for line in lines)
        return int(values["rchar"]), int(values["wchar"])


def together(directory, port, process):
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_num_cpu_devices", 2)
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(process))
    directory = Path(directory)
    tell(devices=jax.device_count(), nothing=checkpoint.restore(directory, like("rows")))
    total = jax.jit(lambda x: (x * 0, x.sum()), donate_argnums=0)
    with checkpoint.Saver(directory) as saver:
        for step in (1, 2):
            state = make(step)
            with Traffic() as traffic:
                saver.save(step, state, progress={"step": step})
                room, _ = total(state.pop("big"))  # the buffers go, and the devices meet, during the save
                for _ in range(20):
                    room, _ = total(room)
                saver.wait()
            tell(saved=step, written=traffic.written)
        tell(failure=_failure(saver, int(process)))
    with Traffic() as traffic:
        restored = checkpoint.restore(directory, like("rows"))
    held = sum(shard.data.nbytes for shard in restored.state["big"].addressable_shards)
    right = same(restored.state, "rows", restored.step)
    tell(step=restored.step, progress=restored.progress, same=right, read=traffic.read, held=held)
    multihost_utils.sync_global_devices("read")
    if process == "0":
        (directory / "2" / "index.json").write_text("{}")
    multihost_utils.sync_global_devices("damaged")
    restored = checkpoint.restore(directory, like("columns"))
    tell(step=restored.step, same=same(restored.state, "columns", 1), skipped=restored.skipped)


def _failure(saver, process):
    """What this process is told of a save that fails in process 1."""
    good = checkpoint_arrays.write

    def full(*_):
        raise OSError("no space left on this node")

    checkpoint_arrays.write = full if process == 1 else good
    try:
        saver.save(3, make(3), progress={})
        saver.wait()
    except checkpoint.CheckpointError as error:
        return str(error)
    finally:
        checkpoint_arrays.write = good


def alone(directory):
    jax.config.update("jax_num_cpu_devices", 8)
    for kind in ("rows", "columns", "default"):
        restored = checkpoint.restore(Path(directory), like(kind))
        right = same(restored.state, kind, restored.step)
        tell(kind=kind, devices=jax.device_count(), step=restored.step, same=right)


# ------------------------------------------------------------------ killed


def forever_state(step):
    """20 MB and a few small arrays, all of them different at every step."""
    words = np.arange(5_000_000, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(step)
    few = jnp.full((3,), step, jnp.float32)
    return {"big": jnp.asarray(words), "small": few, "key": jax.random.key(step)}


def forever_like():
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), forever_state(0))


def content(state):
    sha256 = hashlib.sha256()
    for leaf in (state["big"], state["small"], jax.random.key_data(state["key"])):
        sha256.update(np.asarray(leaf).tobytes())
    return sha256.hexdigest()


def forever(directory):
    """Says what it will save before, and that it is saved after; saves every third step twice."""
    directory = Path(directory)
    restored = checkpoint.restore(directory, forever_like())
    step = restored.step if restored else 0
    with checkpoint.Saver(directory) as saver:
        while True:
            tell(begun=step, content=content(forever_state(step)))
            for _ in range(2 if step % 3 == 0 else 1):
                saver.save(step, forever_state(step), progress={"step": step})
                saver.wait()
                tell(done=step)
            step += 1


if __name__ == "__main__":
    {"together": together, "alone": alone, "forever": forever}[sys.argv[1]](*sys.argv[2:])
