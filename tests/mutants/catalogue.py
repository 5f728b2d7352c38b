"""All mutants."""

from __future__ import annotations

from typing import Final

from mutants.asking import ASKING
from mutants.mutant import Mutant, unique
from mutants.reading import READING
from mutants.rendering import RENDERING
from mutants.serving import SERVING
from mutants.simulated import SIMULATED

CATALOGUE: Final[tuple[Mutant, ...]] = unique((*RENDERING, *READING, *SERVING, *ASKING, *SIMULATED))
