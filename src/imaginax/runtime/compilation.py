"""Compilation told apart from running, and kept between processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from imaginax.runtime.jaxpr import Jaxpr, primitives

# What XLA makes part of CUDA graphs: its own choice, and loops.
_GRAPHS = "xla_gpu_enable_command_buffer"
_WITH_LOOPS = "FUSION,CUBLAS,CUBLASLT,CUDNN,CUSTOM_CALL,DYNAMIC_SLICE_FUSION,CONDITIONAL,WHILE"


# Whether operations that do not wait for each other run at the same time on a CPU.
_SIDE_BY_SIDE = "xla_cpu_enable_concurrency_optimized_scheduler"


class Compiled(NamedTuple):
    """An executable and the seconds that tracing and compiling it took."""

    call: Callable[..., Any]
    seconds: float


def enable_cache() -> Path | None:
    """Keeps compiled programs on disk, so that the second run of a command starts at once.

    The folder is what JAX was already told (`JAX_COMPILATION_CACHE_DIR`), else `IMAGINAX_CACHE`, else
    `~/.cache/imaginax/xla`. Returns it, or None if it cannot be written or nobody's home is known: the
    cache is a convenience, and its absence is no reason not to run.
    """
    chosen = jax.config.values["jax_compilation_cache_dir"] or os.environ.get("IMAGINAX_CACHE")
    remote = "://" in str(chosen)
    try:
        folder = Path(chosen) if chosen else Path.home() / ".cache" / "imaginax" / "xla"
        if not remote:
            folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    if not remote and not os.access(folder, os.W_OK):
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
    traced = jax.jit(fn, donate_argnums=donate, out_shardings=out).trace(*args)
    call = traced.lower().compile(_options(traced.jaxpr.jaxpr))
    return Compiled(call, time.perf_counter() - start)


def _options(jaxpr: Jaxpr) -> dict[str, str | bool] | None:
    """Of the compiler, unless the user's own `XLA_FLAGS` name the same.

    Before each step of a loop that ends when the data says so, as those of a search, a CUDA device asks the
    host whether to go on, unless the loop is part of a graph.

    Where a CPU is divided into devices, two sums over them that one device waits for at once can take all
    threads, so that the others never come to theirs: a deadlock (seen with jax 0.12 and two cores).
    """
    flags = os.environ.get("XLA_FLAGS", "")
    device = jax.devices()[0]
    on_cuda = "cuda" in device.client.platform_version.lower()
    if on_cuda and _GRAPHS not in flags and "while" in primitives(jaxpr):
        return {_GRAPHS: _WITH_LOOPS}
    if device.platform == "cpu" and jax.local_device_count() > 1 and _SIDE_BY_SIDE not in flags:
        return {_SIDE_BY_SIDE: False}
    return None
