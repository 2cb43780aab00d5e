"""The emulated GPU, for the tests of this folder."""

import pytest

from minigrad.kernels import cuda_library

from . import emulated_cupy


@pytest.fixture(scope="package", autouse=True)
def emulated_device():
    """CuPy's imitation stands in its place while these tests run."""
    emulated_cupy.install()
    cuda_library.forget()
    yield
    emulated_cupy.remove()
    cuda_library.forget()
