"""The GPU for the tests of this folder: an imitation, or with MINIGRAD_CUDA_REAL=1 the real one."""

import pytest

from minigrad import backends, cuda
from minigrad.kernels import cuda_library

from . import emulated_cupy


@pytest.fixture(scope="package", autouse=True)
def device():
    """CuPy's imitation stands in its place while these tests run, unless the real one is to."""
    allowed, backends.cudnn.allow_tf32 = backends.cudnn.allow_tf32, False  # as exact as the CPU
    if emulated_cupy.REAL:
        found = cuda_library.library()
        if found.reason or found.kernels is None:
            raise RuntimeError(f"no GPU to test on: {found.reason or found.note}")
        yield
    else:
        emulated_cupy.install()
        cuda_library.forget()
        yield
        emulated_cupy.remove()
        cuda_library.forget()
    backends.cudnn.allow_tf32 = allowed


@pytest.fixture(autouse=True)
def second_device(device, request):
    """Leaves out the tests marked `two_devices` where there is only one."""
    if request.node.get_closest_marker("two_devices") and cuda.device_count() < 2:
        pytest.skip("there is one device")


@pytest.fixture(autouse=True)
def compiled_kernels(device, request):
    """Leaves out the tests marked `compiled_kernels` where CuPy's functions stand for them."""
    wanted = request.node.get_closest_marker("compiled_kernels")
    if wanted and cuda_library.library().kernels is None:
        pytest.skip("the GPU's kernels are not built (see docs/cuda.md)")
