"""`minigrad.cuda`: PyTorch's names for CUDA devices, over CuPy.

Without a device questions are answered (`is_available()` is False), seeds are taken, and what needs
a device raises the error that PyTorch without CUDA raises, with what is missing.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any, NoReturn

from .. import dtypes as _dtypes
from ..backend import on_gpu
from ..creation.legacy import construct
from ..dtypes import dtype as _dtype
from ..kernels.cuda_library import library
from ..streams import AcceleratorError as AcceleratorError
from ..streams import OutOfMemoryError as OutOfMemoryError
from ._devices import (
    can_device_access_peer as can_device_access_peer,
)
from ._devices import (
    cupy as _cupy,
)
from ._devices import (
    current_device as current_device,
)
from ._devices import (
    device as device,
)
from ._devices import (
    device_count as device_count,
)
from ._devices import (
    device_of as device_of,
)
from ._devices import (
    get_device_capability as get_device_capability,
)
from ._devices import (
    get_device_name as get_device_name,
)
from ._devices import (
    get_device_properties as get_device_properties,
)
from ._devices import (
    init as init,
)
from ._devices import (
    is_available as is_available,
)
from ._devices import (
    is_bf16_supported as is_bf16_supported,
)
from ._devices import (
    is_initialized as is_initialized,
)
from ._devices import (
    is_tf32_supported as is_tf32_supported,
)
from ._devices import (
    set_device as set_device,
)
from ._devices import (
    synchronize as synchronize,
)
from ._graphed import (
    make_graphed_callables as make_graphed_callables,
)
from ._graphs import (
    CUDAGraph as CUDAGraph,
)
from ._graphs import (
    graph as graph,
)
from ._graphs import (
    graph_pool_handle as graph_pool_handle,
)
from ._graphs import (
    is_current_stream_capturing as is_current_stream_capturing,
)
from ._memory import (
    empty_cache as empty_cache,
)
from ._memory import (
    get_per_process_memory_fraction as get_per_process_memory_fraction,
)
from ._memory import (
    max_memory_allocated as max_memory_allocated,
)
from ._memory import (
    max_memory_cached as max_memory_cached,
)
from ._memory import (
    max_memory_reserved as max_memory_reserved,
)
from ._memory import (
    mem_get_info as mem_get_info,
)
from ._memory import (
    memory_allocated as memory_allocated,
)
from ._memory import (
    memory_cached as memory_cached,
)
from ._memory import (
    memory_reserved as memory_reserved,
)
from ._memory import (
    memory_stats as memory_stats,
)
from ._memory import (
    memory_summary as memory_summary,
)
from ._memory import (
    reset_accumulated_memory_stats as reset_accumulated_memory_stats,
)
from ._memory import (
    reset_max_memory_allocated as reset_max_memory_allocated,
)
from ._memory import (
    reset_max_memory_cached as reset_max_memory_cached,
)
from ._memory import (
    reset_peak_memory_stats as reset_peak_memory_stats,
)
from ._memory import (
    set_per_process_memory_fraction as set_per_process_memory_fraction,
)
from ._random import (
    generators as _generators,
)
from ._random import (
    get_rng_state as get_rng_state,
)
from ._random import (
    get_rng_state_all as get_rng_state_all,
)
from ._random import (
    initial_seed as initial_seed,
)
from ._random import (
    manual_seed as manual_seed,
)
from ._random import (
    manual_seed_all as manual_seed_all,
)
from ._random import (
    seed as seed,
)
from ._random import (
    seed_all as seed_all,
)
from ._random import (
    set_rng_state as set_rng_state,
)
from ._random import (
    set_rng_state_all as set_rng_state_all,
)
from ._streams import (
    Event as Event,
)
from ._streams import (
    ExternalStream as ExternalStream,
)
from ._streams import (
    Stream as Stream,
)
from ._streams import (
    StreamContext as StreamContext,
)
from ._streams import (
    current_stream as current_stream,
)
from ._streams import (
    default_stream as default_stream,
)
from ._streams import (
    get_stream_from_external as get_stream_from_external,
)
from ._streams import (
    set_stream as set_stream,
)
from ._streams import (
    stream as stream,
)

has_half = True
has_magma = False


def __getattr__(name: str) -> Any:
    if name == "amp":
        return _import_module(f"{__name__}.amp")
    if name == "default_generators":
        return _generators()
    if name in _NEED_A_DEVICE:
        return _needing(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEED_A_DEVICE, "amp", "default_generators"})


# Functions of PyTorch's that ask a device what CuPy does not say.
_NEED_A_DEVICE = frozenset(
    {
        "change_current_allocator", "clock_rate", "cudart", "current_blas_handle",
        "current_solver_handle", "device_memory_used", "get_sync_debug_mode", "ipc_collect",
        "list_gpu_processes", "memory_snapshot", "memory_usage", "power_draw",
        "set_sync_debug_mode", "temperature", "utilization",
    }
)  # fmt: skip


def _needing(name: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> NoReturn:
        _cupy()
        raise NotImplementedError(f"cuda.{name}: not offered")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "NoDevice without a CUDA device, else NotImplementedError."
    return function


def get_arch_list() -> list[str]:
    """The architectures that this build has kernels for."""
    found: list[str] = []
    for built in getattr(library().kernels, "architectures", "").split():
        number, _, kind = built.partition("-")  # "90" is machine code and PTX
        found += [f"sm_{number}"] if kind != "virtual" else []
        found += [f"compute_{number}"] if kind != "real" else []
    return found


def get_gencode_flags() -> str:
    """What nvcc was called with."""
    return " ".join(
        f"-gencode compute=compute_{a.partition('_')[2]},code={a}" for a in get_arch_list()
    )


def _tensor_class(name: str, dtype: _dtype) -> type:
    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        if library().reason:
            raise TypeError(
                f"type torch.cuda.{name} not available. minigrad is not compiled with CUDA enabled."
            )
        return construct(args, "cuda", dtype.numpy, strict=True)

    class Kind(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            array = getattr(instance, "_array", None)
            return array is not None and on_gpu(array) and array.dtype == dtype.numpy

    doc = f"Old constructor of {dtype.name} tensors on the current CUDA device."
    return Kind(name, (), {"__new__": new, "__doc__": doc, "__module__": __name__, "dtype": dtype})


FloatTensor = _tensor_class("FloatTensor", _dtypes.float32)
DoubleTensor = _tensor_class("DoubleTensor", _dtypes.float64)
HalfTensor = _tensor_class("HalfTensor", _dtypes.float16)
BFloat16Tensor = _tensor_class("BFloat16Tensor", _dtypes.bfloat16)
ByteTensor = _tensor_class("ByteTensor", _dtypes.uint8)
CharTensor = _tensor_class("CharTensor", _dtypes.int8)
ShortTensor = _tensor_class("ShortTensor", _dtypes.int16)
IntTensor = _tensor_class("IntTensor", _dtypes.int32)
LongTensor = _tensor_class("LongTensor", _dtypes.int64)
BoolTensor = _tensor_class("BoolTensor", _dtypes.bool_)


class _Markers:
    """`torch.cuda.nvtx`: marks for NVIDIA's profilers, by CuPy."""

    def _do(self, name: str, *args: Any) -> Any:
        if library().reason:
            raise RuntimeError("NVTX functions not installed: minigrad is not compiled with CUDA.")
        return getattr(_cupy().cuda.nvtx, name)(*args)

    def range_push(self, message: str) -> None:
        """Begins a range."""
        self._do("RangePush", message)

    def range_pop(self) -> None:
        """Ends the last range."""
        self._do("RangePop")

    def mark(self, message: str) -> None:
        """Marks a point in time."""
        self._do("Mark", message)


nvtx = _Markers()
