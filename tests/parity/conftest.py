"""The harness's modules import each other by their bare names, as programs beside each other do."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
