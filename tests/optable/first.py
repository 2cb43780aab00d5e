"""Rows of the families that have few operations yet."""

from .row import A, Row

ROWS = [
    Row("exp", (A(),)),
]
