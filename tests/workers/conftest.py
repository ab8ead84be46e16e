"""Makes ``poison`` importable, here and in the processes that workers are."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # spawned processes are given sys.path
