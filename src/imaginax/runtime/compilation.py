"""Compilation told apart from running, and kept between processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

# What CUDA graphs take in: XLA's own choice, and loops of as many steps as the data says, as in a search,
# before each step of which the device would have to ask the host.
_GRAPHS = "xla_gpu_enable_command_buffer"
_IN_GRAPHS = "FUSION,CUBLAS,CUBLASLT,CUDNN,CUSTOM_CALL,DYNAMIC_SLICE_FUSION,CONDITIONAL,WHILE"


class Compiled(NamedTuple):
    """An executable and the seconds that tracing and compiling it took."""

    call: Callable[..., Any]
    seconds: float


def enable_cache() -> Path | None:
    """Keeps compiled programs on disk, so that the second run of a command starts at once.

    The folder is what JAX was already told (`JAX_COMPILATION_CACHE_DIR`), else `IMAGINAX_CACHE`, else
    `~/.cache/imaginax/xla`. Returns it, or None if it cannot be written: the cache is a convenience,
    and its absence is no reason not to run.
    """
    chosen = jax.config.values["jax_compilation_cache_dir"] or os.environ.get("IMAGINAX_CACHE")
    folder = Path(chosen) if chosen else Path.home() / ".cache" / "imaginax" / "xla"
    if "://" not in str(chosen):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        if not os.access(folder, os.W_OK):
            return None
    jax.config.update("jax_compilation_cache_dir", str(chosen or folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def compiled(
    fn: Callable[..., Any], *args: Any, donate: tuple[int, ...] = (), out: PyTree | None = None
) -> Compiled:
    """`fn` compiled ahead of time for arguments like `args` (arrays or shapes).

    Args:
        fn: a pure function.
        args: its positional arguments; only their shapes, types and places are used.
        donate: positions of arguments whose memory the call may reuse; they are gone after it.
        out: shardings of the result, or of its first levels; left to the compiler by default.
    """
    start = time.perf_counter()
    lowered = jax.jit(fn, donate_argnums=donate, out_shardings=out).lower(*args)
    return Compiled(lowered.compile(_options()), time.perf_counter() - start)


def _options() -> dict[str, str | bool] | None:
    """Of the compiler, where programs run and the user's own `XLA_FLAGS` say nothing else."""
    on_cuda = "cuda" in jax.devices()[0].client.platform_version.lower()
    return {_GRAPHS: _IN_GRAPHS} if on_cuda and _GRAPHS not in os.environ.get("XLA_FLAGS", "") else None
