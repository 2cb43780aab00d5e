"""Tensors of bytes that stand for real numbers; see `tensor`. Loaded when first used."""

from . import rules as rules
from .tensor import *  # noqa: F403
