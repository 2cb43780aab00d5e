"""Which CUDA devices there are, what they can, and which one is the current one."""

from __future__ import annotations

from typing import Any

from ..backend import NoDevice, on_gpu
from ..backend import device as _device
from ..kernels.cuda_array import look
from ..kernels.cuda_library import library
from ..streams import AcceleratorError


def cupy() -> Any:
    """CuPy, where there is a device. NoDevice, with the reason, where there is none."""
    found = library()
    if found.reason:
        raise NoDevice(
            "minigrad is not compiled with CUDA enabled (as Torch not compiled with CUDA): "
            + found.reason
        )
    return found.cupy


def index_of(device: Any = None) -> int:
    """The number meant by a `device` argument (a number, a name, a device; None: the current)."""
    runtime = cupy().cuda.runtime
    if device is None:
        return runtime.getDevice()
    if isinstance(device, int):
        index: int | None = device
    else:
        where = _device(device)
        if where.type != "cuda":
            raise ValueError(f"Expected a cuda device, but got: {device}")
        index = where.index
    if index is None or index == -1:
        return runtime.getDevice()
    if not 0 <= index < library().devices:
        raise AcceleratorError(
            f"CUDA error: invalid device ordinal: {index}; needed: a number below "
            f"{library().devices}"
        )
    return index


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    return not library().reason


def device_count() -> int:
    """How many CUDA devices can be used."""
    return library().devices


def current_device() -> int:
    """The number of the current device."""
    return index_of()


def set_device(device: Any) -> None:
    """Makes a device the current one; a negative number changes nothing. NoDevice without one."""
    if isinstance(device, int) and device < 0:
        return
    cupy().cuda.runtime.setDevice(index_of(device))


def init() -> None:
    """Starts CUDA's runtime. NoDevice if that cannot be."""
    cupy()


def is_initialized() -> bool:
    """Whether CUDA's runtime has been started."""
    return library().devices > 0


class device:
    """`with device(0):` makes a device the current one. NoDevice on entering, unless negative."""

    def __init__(self, device: Any):
        self.idx = -1 if device is None else device
        self.prev_idx = -1

    def __enter__(self) -> None:
        if isinstance(self.idx, int) and self.idx < 0:
            return
        self.prev_idx = index_of()
        set_device(self.idx)

    def __exit__(self, *exc: object) -> None:
        set_device(self.prev_idx)


class device_of(device):
    """`with device_of(t):` makes the tensor's device the current one, if it is a CUDA device."""

    def __init__(self, obj: Any):
        super().__init__(obj.device.index if on_gpu(obj._array) else -1)


class DeviceProperties:
    """What a device is; made by `get_device_properties`."""

    def __init__(self, read: dict):
        self.name = read["name"].decode()
        self.major, self.minor = read["major"], read["minor"]
        self.total_memory = read["totalGlobalMem"]
        self.multi_processor_count = read["multiProcessorCount"]
        self.warp_size = read["warpSize"]
        self.max_threads_per_multi_processor = read["maxThreadsPerMultiProcessor"]
        self.regs_per_multiprocessor = read["regsPerMultiprocessor"]
        self.shared_memory_per_block = read["sharedMemPerBlock"]
        self.shared_memory_per_block_optin = read["sharedMemPerBlockOptin"]
        self.shared_memory_per_multiprocessor = read["sharedMemPerMultiprocessor"]
        self.L2_cache_size = read["l2CacheSize"]
        self.is_integrated = bool(read["integrated"])
        self.is_multi_gpu_board = bool(read["isMultiGpuBoard"])

    def __repr__(self) -> str:
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory // 2**20}MB, "
            f"multi_processor_count={self.multi_processor_count}, "
            f"L2_cache_size={self.L2_cache_size // 2**20}MB)"
        )


def get_device_properties(device: Any = None) -> DeviceProperties:
    """Name, compute capability, memory and the like of a device."""
    return DeviceProperties(cupy().cuda.runtime.getDeviceProperties(index_of(device)))


def get_device_name(device: Any = None) -> str:
    """The name of a device."""
    return get_device_properties(device).name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a device, as (major, minor)."""
    properties = get_device_properties(device)
    return properties.major, properties.minor


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether a device can read the memory of another."""
    one, other = index_of(device), index_of(peer_device)
    return bool(cupy().cuda.runtime.deviceCanAccessPeer(one, other))


def synchronize(device: Any = None) -> None:
    """Waits for all work on a device. RuntimeError if it has met an index out of range."""
    module = cupy().cuda
    with module.Device(index_of(device)):
        module.runtime.deviceSynchronize()
    look()


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current device computes in bfloat16: from compute capability 8.0 on."""
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def is_tf32_supported() -> bool:
    """Whether the current device computes in TF32: from compute capability 8.0 on."""
    return is_available() and get_device_capability() >= (8, 0)
