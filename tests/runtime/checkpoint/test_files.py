"""A checkpoint made by somebody who means harm, with a manifest that fits it."""

from __future__ import annotations

import json
import os
import tracemalloc

import jax
import jax.numpy as jnp
import pytest

from imaginax.runtime import checkpoint
from imaginax.runtime.checkpoint import CheckpointError
from imaginax.runtime.checkpoint import arrays as checkpoint_arrays
from imaginax.runtime.checkpoint import files as checkpoint_files

STATE = {"a": jnp.arange(12.0).reshape(4, 3), "b": jnp.ones(5, jnp.bfloat16), "key": jax.random.key(0)}
LIKE = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), STATE)


@pytest.fixture
def folder(tmp_path):
    """Checkpoint 1, beside a file that is no business of anybody's."""
    (tmp_path / "secret").write_text("x" * 48)
    return checkpoint.save(tmp_path / "checkpoints", 1, STATE, progress={"chunk": 1})


@pytest.fixture
def bounded(monkeypatch):
    """Nothing big is allocated and no array is read."""

    def read(*_):
        raise AssertionError("an array was read")

    monkeypatch.setattr(checkpoint_arrays, "read", read)
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refuse(folder, match):
    """It is refused, and by name, even where its manifest says that all is well."""
    with pytest.raises(CheckpointError, match=match) as error:
        checkpoint.restore(folder.parent, LIKE)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname", "state/../../../secret"])
def test_names_that_lead_out_are_refused(folder, name):
    secret = {"bytes": 48, "sha256": checkpoint_files._digest(folder / "../../secret")["sha256"]}
    manifest = json.loads((folder / "manifest.json").read_text()) | {name: secret}
    (folder / "manifest.json").write_text(checkpoint_files.to_json(manifest))
    refuse(folder, f"{name} leads out of the folder")


@pytest.mark.parametrize(
    "name", ["state/array_00000/0.0", "state/array_00000", "state", "index.json", "manifest.json", ""]
)
def test_links_are_refused_even_to_the_same_bytes(folder, name):
    outside = folder.parent.parent / "outside"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    refuse(folder, f"{name} is a link" if name else "it is no folder")


def test_special_files_are_refused_and_not_opened(folder):
    os.mkfifo(folder / "state" / "array_00000" / "1.0")
    refuse(folder, "state/array_00000/1.0 is a special file")


def test_a_file_in_the_place_of_a_checkpoint_is_refused(folder):
    (folder.parent / "2").write_text("hello")
    assert "2 is invalid: it is no folder" in checkpoint.restore(folder.parent, LIKE).skipped[0]


@pytest.mark.parametrize("shape", [[2**60], [2**62, 2**62], [-1], "many", [4, 3.0], None])
def test_absurd_shapes_in_the_index_are_refused(folder, bounded, shape):
    entries = json.loads((folder / "index.json").read_text())["arrays"]
    entries[0]["shape"] = shape
    change(folder / "index.json", arrays=entries)
    checkpoint_files.write_manifest(folder)
    if shape == [4, 3.0]:  # equal as JSON goes, and never used
        assert checkpoint.verify(folder)["arrays"] == checkpoint._entries(LIKE)
    else:
        refuse(folder, r"is of another state: \['a'\] is float32")


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"shape": [2**60, 3]}, r"says float32\[1152921504606846976, 3\]"),
        ({"shape": [4, 3, 2**40], "chunks": [4, 3, 1]}, "says float32"),
        ({"chunks": [2**40, 2**10]}, r"says chunks of \[1099511627776, 1024\]"),
        ({"chunks": [2**62, 2**62]}, "too large"),
        ({"chunks": [1, 1]}, "its files are not 12 of 1 numbers"),
        ({"chunks": [0, 3]}, "array_00000"),
        ({"dtype": "<f8"}, "says float64"),
        ({"dtype": "|V1000000"}, "says byte"),
        ({"compressor": {"id": "zstd", "level": 1}}, "compressor .*zstd"),
        ({"filters": [{"id": "delta"}]}, "array_00000"),
        ({"zarr_format": 9}, "array_00000"),
    ],
)
def test_absurd_descriptions_of_arrays_are_refused_before_they_are_read(folder, bounded, said, match):
    change(folder / "state" / "array_00000" / ".zarray", **said)
    checkpoint_files.write_manifest(folder)
    refuse(folder, f"state/array_00000.*{match}")


@pytest.mark.parametrize("size", [0, 47, 49, 2**34])
def test_an_array_of_another_size_is_refused_before_it_is_read(folder, bounded, monkeypatch, size):
    """The last is a file with a hole of 16 GiB, whose digest nobody waits for here."""
    os.truncate(folder / "state" / "array_00000" / "0.0", size)
    monkeypatch.setattr(checkpoint_files, "check_manifest", lambda _: None)
    refuse(folder, "state/array_00000: its files are not 1 of 12 numbers")


def test_a_file_of_another_size_than_the_manifest_says_is_not_read(folder, bounded):
    os.truncate(folder / "state" / "array_00000" / "0.0", 2**40)
    refuse(folder, "state/array_00000/0.0 is changed")


def test_an_array_without_a_description_or_a_shard_is_refused(folder, bounded):
    place = folder / "state" / "array_00000"
    for name, match in ((".zarray", "missing or absurdly long"), ("0.0", "not 1 of 12 numbers")):
        kept = (place / name).read_bytes()
        (place / name).unlink()
        checkpoint_files.write_manifest(folder)
        refuse(folder, match)
        (place / name).write_bytes(kept)


@pytest.mark.parametrize("name", ["manifest.json", "index.json"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "7",
        "{",
        '{"step": NaN}',
        '{"step": Infinity}',
        "[" * 200_000,
        "\x00",
        '{"a": 1' + "0" * 9000,
    ],
)
def test_what_is_no_sound_json_is_refused(folder, bounded, name, text):
    (folder / name).write_text(text)
    if name == "index.json":
        checkpoint_files.write_manifest(folder)
    refuse(folder, name)


@pytest.mark.parametrize("name", ["manifest.json", "index.json"])
def test_absurdly_long_json_is_not_read_to_its_end(folder, monkeypatch, name):
    monkeypatch.setattr(checkpoint_files, "JSON_BYTES", 5000)
    os.truncate(folder / name, 2**20)
    if name == "index.json":
        checkpoint_files.write_manifest(folder)
    tracemalloc.start()
    refuse(folder, f"{name} is longer than 5000 bytes")
    assert tracemalloc.get_traced_memory()[1] < 2**19
    tracemalloc.stop()


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "1"},
        {"step": True},
        {"arrays": {}},
        {"arrays": [1]},
        {"arrays": [{"path": "a"}]},
        {"arrays": [{"path": "a\n\x1b[2J", "shape": [1], "dtype": "float32"}]},
        {"progress": None},
        {"more": 1},
    ],
)
def test_an_index_of_another_form_is_refused(folder, bounded, fields):
    change(folder / "index.json", **fields)
    checkpoint_files.write_manifest(folder)
    refuse(folder, "1 is invalid: index.json ")


@pytest.mark.parametrize(
    "entry", [None, 5, {}, {"bytes": "48"}, {"bytes": 48}, {"bytes": 48, "sha256": None}]
)
def test_a_manifest_of_another_form_is_refused(folder, entry):
    change(folder / "manifest.json", **{"state/array_00000/0.0": entry})
    refuse(folder, "state/array_00000/0.0 is changed")


def test_a_name_that_is_no_text_is_shown_in_one_line(folder):
    (folder / "state" / "new\nline\x1b[2J").write_text("")
    refuse(folder, r"state/new\\nline\\x1b\[2J' is not in the manifest")
