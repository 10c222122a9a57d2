"""The module that this recipe shares with others: `graph` of ../../../backbone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "backbone"))

import graph  # noqa: E402

__all__ = ["graph"]
