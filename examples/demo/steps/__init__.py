"""The steps of the demonstration, in order: each proves one thing, and says how it was seen."""

from __future__ import annotations

from demo.steps import beginning, changing, ending, isolated, serving, surviving
from demo.steps.step import Step

STEPS: tuple[Step, ...] = (
    *beginning.STEPS,
    *serving.STEPS,
    *changing.STEPS,
    *isolated.STEPS,
    *surviving.STEPS,
    *ending.STEPS,
)
