"""Defines the type of the constants of the SQL functions (see constants.py)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    value: float
    unit: str
    reason: str
