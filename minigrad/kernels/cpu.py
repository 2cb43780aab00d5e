"""The compiled kernels for the CPU, under the names that `numpy_kernels` has too.

Importing it applies the environment's settings, once.
"""

from __future__ import annotations

import sys

from minigrad import settings

from . import _C

empty = _C.empty
empty_like = _C.empty_like
cast = _C.cast

__all__ = ["cast", "empty", "empty_like"]


def _apply(chosen: settings.Settings) -> None:
    if chosen.cpu_isa is not None:
        try:
            _C.set_isa(chosen.cpu_isa)
        except ValueError as error:
            raise ValueError(f"MINIGRAD_CPU_ISA: {error}") from None
    if chosen.num_threads is not None:
        _C.set_num_threads(chosen.num_threads)
    if chosen.pool_limit is not None:
        _C.set_pool_limit(chosen.pool_limit)
    if "threadpoolctl" in sys.modules:
        from . import threadpool

        threadpool.register()


_apply(settings.read())
