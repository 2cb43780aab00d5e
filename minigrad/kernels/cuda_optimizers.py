"""Optimizer steps by the compiled CUDA kernels, called as those of `_C`.

The steps' counts stand on the CPU, as PyTorch's do, and are increased here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_array import CudaArray, empty
from .cuda_compiled import define, define_as
from .cuda_launch import is_float, kernel, stream, work
from .cuda_library import library

_F64 = np.dtype(np.float64)


def _takes(*lists: Any) -> bool:
    """Whether all arrays are dense ones of one floating-point type."""
    arrays = [a for arrays in lists if arrays is not None for a in arrays]
    dtype = arrays[0].dtype if arrays else None
    return bool(arrays) and all(
        is_float(a) and a.dtype == dtype and a.flags.c_contiguous for a in arrays
    )


def _number(value: Any) -> Any:
    """A learning rate as the kernels take it: a number, or an array on the device."""
    return value if type(value) is CudaArray else float(value)


def _counted(steps: list) -> list:
    """The counts of this step. Arrays on the device are increased by the kernel."""
    counts: list[Any] = []
    for step in steps:
        if type(step) is CudaArray:
            counts.append(step)
        else:
            step += 1
            counts.append(float(step.reshape(())))
    return counts


def _refuse_capture(name: str, steps: list) -> None:
    """RuntimeError while a graph is captured: it would repeat one count of steps for ever."""
    if all(type(step) is CudaArray for step in steps):
        return
    if library().cupy.cuda.get_current_stream().is_capturing():
        raise RuntimeError(
            f"{name}: Attempting CUDA graph capture of a step whose count stands on the CPU; "
            "needed: SGD, or counts on the device (optimizer.state[p]['step'].cuda())"
        )


def _step(name: str, lists: int, counts: int | None, rate: int) -> None:
    """Enters a step: its first `lists` arguments are lists of arrays; where counts and rate are."""

    def step(*args: Any) -> bool:
        if counts is not None:
            _refuse_capture(name, args[counts])
        run = kernel(name)
        if run is None or not _takes(*args[:lists]):
            return False
        given = list(args)
        if counts is not None:
            given[counts] = _counted(given[counts])
        given[rate] = _number(given[rate])
        run(*given, None, None, None, stream())
        return True

    define_as(name, step)


_step("sgd_step", 3, None, 3)
_step("adam_step", 5, 5, 6)
_step("rmsprop_step", 5, 5, 6)
_step("adagrad_step", 3, 3, 4)


@define
def lerp_tensors(params: list, ends: list, weight: float) -> bool:
    """params move towards ends by a weight; whether a kernel did it."""
    run = kernel("lerp_tensors")
    if run is None or not _takes(params, ends):
        return False
    run(params, ends, float(weight), stream())
    return True


@define
def scale_tensors(params: list, factor: float) -> bool:
    """params times a factor; whether a kernel did it."""
    run = kernel("scale_tensors")
    if run is None or not _takes(params):
        return False
    run(params, float(factor), None, None, stream())
    return True


@define
def tensor_norms(arrays: list, order: int) -> Any:
    """The norm of every array, in float64; None for what the kernel does not take."""
    run = kernel("tensor_norms")
    if run is None or not _takes(arrays):
        return None
    out = empty(len(arrays), _F64)
    run(out, arrays, work(kernel("tensor_norms_workspace")(arrays)), order, stream())
    return out
