"""Building PyTorch's C++ extensions, which minigrad cannot load."""

from __future__ import annotations

from typing import Any, NoReturn

CUDA_HOME = None


def load(*args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: extensions are written against PyTorch's C++ library."""
    raise RuntimeError(
        "cpp_extension: extensions are written against PyTorch's C++ library, which minigrad does "
        "not have; write the operation as an autograd.Function"
    )


load_inline = include_paths = CppExtension = CUDAExtension = BuildExtension = load
