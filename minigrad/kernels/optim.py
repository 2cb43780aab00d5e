"""The optimizer steps: compiled, or in NumPy where those refuse a layout or dtype."""

from __future__ import annotations

from typing import Any

from . import _C, numpy_optim

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]


def sgd_step(*args: Any) -> None:
    """See `numpy_optim.sgd_step`."""
    if not _C.sgd_step(*args):
        numpy_optim.sgd_step(*args)


def adam_step(*args: Any) -> None:
    """See `numpy_optim.adam_step`."""
    if not _C.adam_step(*args):
        numpy_optim.adam_step(*args)


def rmsprop_step(*args: Any) -> None:
    """See `numpy_optim.rmsprop_step`."""
    if not _C.rmsprop_step(*args):
        numpy_optim.rmsprop_step(*args)


def adagrad_step(*args: Any) -> None:
    """See `numpy_optim.adagrad_step`."""
    if not _C.adagrad_step(*args):
        numpy_optim.adagrad_step(*args)
