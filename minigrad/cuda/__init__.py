"""`minigrad.cuda`: PyTorch's names for CUDA devices, in a build that has none.

Questions are answered (`is_available()` is False), seeds are taken, what would need a device
raises the error that PyTorch without CUDA raises.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from importlib import import_module as _import_module
from typing import Any, NoReturn

from ..backend import NoDevice
from ..streams import AcceleratorError as AcceleratorError
from ..streams import OutOfMemoryError as OutOfMemoryError
from ..streams import Stream as _Stream

default_generators: tuple = ()
has_half = True
has_magma = False


def _no_cuda() -> NoReturn:
    raise NoDevice("minigrad is not compiled with CUDA enabled (as Torch not compiled with CUDA)")


def __getattr__(name: str) -> Any:
    if name == "amp":
        return _import_module(f"{__name__}.amp")
    if name in _NEED_A_DEVICE:
        return _needing(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEED_A_DEVICE, "amp"})


# Functions that ask a device, or change one: each raises here.
_NEED_A_DEVICE = frozenset(
    {
        "can_device_access_peer", "change_current_allocator", "clock_rate", "cudart",
        "current_blas_handle", "current_device", "current_solver_handle", "current_stream",
        "default_stream", "device_memory_used", "get_device_capability", "get_device_name",
        "get_device_properties", "get_per_process_memory_fraction", "get_rng_state",
        "get_stream_from_external", "get_sync_debug_mode", "graph_pool_handle", "init",
        "initial_seed", "ipc_collect", "list_gpu_processes", "make_graphed_callables",
        "mem_get_info", "memory_snapshot", "memory_summary", "memory_usage", "power_draw",
        "reset_accumulated_memory_stats", "reset_max_memory_allocated",
        "reset_max_memory_cached", "reset_peak_memory_stats", "set_per_process_memory_fraction",
        "set_stream", "set_sync_debug_mode", "synchronize", "temperature", "utilization",
    }
)  # fmt: skip


def _needing(name: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> NoReturn:
        _no_cuda()

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "Needs a CUDA device: raises NoDevice, an AssertionError and a RuntimeError."
    return function


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    return False


def device_count() -> int:
    """How many CUDA devices can be used."""
    return 0


def is_initialized() -> bool:
    """Whether CUDA's runtime has been started."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the CUDA device computes in bfloat16."""
    return False


def is_tf32_supported() -> bool:
    """Whether the CUDA device computes in TF32."""
    return False


def get_arch_list() -> list[str]:
    """The architectures that this build has kernels for."""
    return []


def get_gencode_flags() -> str:
    """What nvcc was called with."""
    return ""


def is_current_stream_capturing() -> bool:
    """Whether a graph of CUDA's is being captured."""
    return False


def manual_seed(seed: int) -> None:
    """The seed of the current device's random numbers; without one there is nothing to seed."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """The seed of all devices' random numbers; without one there is nothing to seed."""
    int(seed)


def seed() -> None:
    """A random seed for the current device; without one there is nothing to seed."""


def seed_all() -> None:
    """A random seed for all devices; without one there is nothing to seed."""


def get_rng_state_all() -> list:
    """The states of all devices' random numbers: of none."""
    return []


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """PyTorch keeps this until a device is used, which never happens here."""


def set_rng_state_all(new_states: Iterable) -> None:
    """The states of all devices' random numbers. NoDevice if any are given."""
    if list(new_states):
        _no_cuda()


def set_device(device: Any) -> None:
    """Makes a device the current one; a negative number changes nothing. NoDevice otherwise."""
    if not (isinstance(device, int) and device < 0):
        _no_cuda()


def empty_cache() -> None:
    """Gives cached memory of devices back: there is none."""


def memory_allocated(device: Any = None) -> int:
    """Bytes of device memory in use by tensors."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated
memory_cached = max_memory_cached = memory_allocated


def memory_stats(device: Any = None) -> OrderedDict:
    """Statistics of device memory: none."""
    return OrderedDict()


class device:
    """`with device(0):` makes a device the current one. NoDevice on entering, unless negative."""

    def __init__(self, device: Any):
        self.idx = -1 if device is None else getattr(device, "index", device)

    def __enter__(self) -> None:
        set_device(self.idx)

    def __exit__(self, *exc: object) -> None:
        pass


class device_of(device):
    """`with device_of(t):` makes the tensor's device the current one, if it is a CUDA device."""

    def __init__(self, obj: Any):
        super().__init__(-1)


class StreamContext:
    """`with stream(s):` sends work to a stream; None changes nothing."""

    def __init__(self, stream: Any):
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            _no_cuda()

    def __exit__(self, *exc: object) -> None:
        pass


def stream(stream: Any) -> StreamContext:
    """A context in which work goes to `stream`."""
    return StreamContext(stream)


class Stream(_Stream):
    """A stream of a CUDA device: cannot be made here."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any):
        _no_cuda()


class ExternalStream(Stream):
    """A stream that other code has made: cannot be made here."""


class Event:
    """An event of a CUDA device: cannot be made here."""

    def __init__(self, *args: Any, **kwargs: Any):
        _no_cuda()


class CUDAGraph:
    """A recorded graph of CUDA's: cannot be made here."""

    def __init__(self, *args: Any, **kwargs: Any):
        _no_cuda()


class graph:
    """Captures a graph of CUDA's: cannot be done here."""

    def __init__(self, *args: Any, **kwargs: Any):
        _no_cuda()


def _tensor_class(name: str) -> type:
    def new(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"type torch.cuda.{name} not available. minigrad is not compiled with CUDA enabled."
        )

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return False  # no tensor lies on a CUDA device

    doc = "A class of tensors on CUDA devices: cannot be made here."
    return Kind(name, (), {"__new__": new, "__doc__": doc, "__module__": __name__})


FloatTensor = _tensor_class("FloatTensor")
DoubleTensor = _tensor_class("DoubleTensor")
HalfTensor = _tensor_class("HalfTensor")
BFloat16Tensor = _tensor_class("BFloat16Tensor")
ByteTensor = _tensor_class("ByteTensor")
CharTensor = _tensor_class("CharTensor")
ShortTensor = _tensor_class("ShortTensor")
IntTensor = _tensor_class("IntTensor")
LongTensor = _tensor_class("LongTensor")
BoolTensor = _tensor_class("BoolTensor")


class _Markers:
    """`torch.cuda.nvtx`: marks for NVIDIA's profilers, which need CUDA."""

    def _missing(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError("NVTX functions not installed: minigrad is not compiled with CUDA.")

    range_push = range_pop = mark = range_start = range_end = range = _missing


nvtx = _Markers()
