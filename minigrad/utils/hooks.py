"""Handles of hooks."""

from ..autograd import RemovableHandle as RemovableHandle
