"""Refusing to write where an operand is still to be read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._shape import memory_order


def check_overlap(target: Any, operand: Any, same: bool = True) -> None:
    """RuntimeError if part of what is written is read at other places.

    As PyTorch: the same elements may be both (unless `same` is False), and arrays with gaps are not
    looked into.
    """
    if not target.size or not np.may_share_memory(target, operand):
        return
    if _is_dense(target) and _is_dense(operand):
        if (
            same
            and target.shape == operand.shape
            and _steps(target) == _steps(operand)
            and (target.__array_interface__["data"] == operand.__array_interface__["data"])
        ):
            return
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor "
            "refer to a single memory location. Please clone() the tensor before performing the "
            "operation."
        )


def _steps(array: Any) -> list[int]:
    """The strides that count: not those of dimensions of size 1."""
    return [step for step, n in zip(array.strides, array.shape, strict=True) if n > 1]


def _is_dense(array: Any) -> bool:
    """Whether the elements fill their memory without gaps, each place once."""
    return array.flags.c_contiguous or array.transpose(memory_order(array)).flags.c_contiguous
