"""`python -m imaginax` is `imaginax`."""

from __future__ import annotations

import sys

from imaginax.cli import main

if __name__ == "__main__":
    sys.exit(main())
