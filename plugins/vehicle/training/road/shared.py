"""The modules that this recipe shares with others: `backbone`, `detector` and `graph` of ../../../backbone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "backbone"))

import backbone  # noqa: E402
import detector  # noqa: E402
import graph  # noqa: E402

__all__ = ["backbone", "detector", "graph"]
