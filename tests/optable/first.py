"""Rows of the families that have few operations yet."""

from .row import A, Row

ROWS = [
    Row("exp", (A(),)),
    Row("sum", (A((2, 3, 4)), 1)),
    Row("reshape", (A((3, 4)), (2, 6))),
]
