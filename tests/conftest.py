"""Settings of the whole test run.

They are environment variables, so that the programs that tests start get them too, and they are set
before anything imports jax. This file must not import imaginax: the annotation checker has to come first.
"""

import os
from pathlib import Path

import hypothesis

# Compiled programs are kept between runs, which makes the second run several times faster.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imaginax" / "tests"

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# An example may compile, so it has no deadline; the same examples every time, so that a failure repeats.
hypothesis.settings.register_profile(
    "imaginax", deadline=None, derandomize=True, database=None, max_examples=25
)
hypothesis.settings.load_profile("imaginax")
