"""Arrays on the device at hand, for tests of kernels: CuPy's, or NumPy's for the emulation."""

from types import SimpleNamespace

import numpy as np


class EmulatedArray:
    """What the compiled module reads of a CuPy array, over a NumPy array."""

    def __init__(self, host):
        self.host = host
        self.data = SimpleNamespace(ptr=host.ctypes.data)
        self.shape, self.strides = host.shape, host.strides
        self.dtype, self.size = host.dtype, host.size

    def __getitem__(self, key):
        return EmulatedArray(self.host[key])

    def transpose(self, *axes):
        return EmulatedArray(self.host.transpose(*axes))


class EmulatedDevice:
    """Memory begins at multiples of 256 bytes, as CUDA's does, and ends where the array ends, so
    that AddressSanitizer sees an overrun."""

    name = "emulation"
    stream = 0

    def array(self, values):
        values = np.asarray(values)
        memory = np.empty(values.nbytes + 256, np.uint8)
        begin = -memory.ctypes.data % 256
        memory = memory[begin : begin + values.nbytes]
        copy = memory.view(values.dtype).reshape(values.shape) if values.size else values.copy()
        copy[...] = values
        return EmulatedArray(copy)

    def host(self, array):
        return array.host


class CudaDevice:
    name = "GPU"
    stream = 0

    def __init__(self):
        import cupy

        self.cupy = cupy

    def array(self, values):
        values = np.ascontiguousarray(values)
        if values.dtype.name == "bfloat16":
            return self.cupy.asarray(values.view(np.uint16)).view(values.dtype)
        return self.cupy.asarray(values)

    def host(self, array):
        if array.dtype.name == "bfloat16":
            return array.view(np.uint16).get().view(array.dtype)
        return array.get()


class Module:
    """The compiled module with its device: kernels are called with NumPy arrays, and give them.

    `module.run("cast", out, src)` fills `out` in place; every array is an argument by its
    position, `stream` is added.
    """

    def __init__(self, compiled, device):
        self.compiled, self.device = compiled, device

    def __getattr__(self, name):
        return getattr(self.compiled, name)

    def run(self, kernel, *arguments):
        """Calls the kernel; NumPy arrays among the arguments travel both ways."""
        moved = [
            self.device.array(a) if isinstance(a, np.ndarray) and a.flags.c_contiguous else a
            for a in arguments
        ]
        given = [self.strided(a) if isinstance(a, np.ndarray) else a for a in moved]
        result = getattr(self.compiled, kernel)(*given, self.device.stream)
        for before, after in zip(arguments, given):
            if isinstance(before, np.ndarray) and before.flags.writeable:
                before[...] = self.device.host(after)
        return result

    def strided(self, view):
        """A view with the same strides on the device: its whole base travels."""
        base = view
        while isinstance(base.base, np.ndarray):
            base = base.base
        there = self.device.array(base)
        offset = view.ctypes.data - base.ctypes.data
        like = np.lib.stride_tricks.as_strided
        if isinstance(there, EmulatedArray):
            flat = there.host.reshape(-1).view(np.uint8)[offset:].view(view.dtype)
            return EmulatedArray(like(flat, view.shape, view.strides))
        flat = there.reshape(-1).view(np.uint8)[offset:].view(view.dtype)
        return self.device.cupy.lib.stride_tricks.as_strided(flat, view.shape, view.strides)


def filled(shape, dtype):
    """Room for a result, of NaN (or -1): what a kernel leaves out shows."""
    out = np.empty(shape, dtype)
    out.reshape(-1).view(np.uint8)[...] = 0xFF
    return out


def relative_error(got, want):
    """|got - want| / |want| over all elements in float64; NaN where any is."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    scale = np.linalg.norm(want)
    return np.linalg.norm(got - want) / (scale if scale > 0 else 1.0)
