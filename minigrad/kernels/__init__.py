"""Kernels: the only importer of the compiled modules.

`cpu` runs the compiled kernels, `numpy_kernels` has a plain NumPy form under the same names: the
fallback for what the compiled kernels do not take, and the oracle of the tests.
"""

try:
    from minigrad import _C
except ImportError as error:
    raise ImportError(
        f"minigrad._C, the compiled kernels, cannot be imported ({error}). Run `pip install .` in "
        "the checkout, or build in place: cmake -S . -B build -G Ninja "
        "-Dpybind11_DIR=$(python -m pybind11 --cmakedir) && cmake --build build"
    ) from error

__all__ = ["_C"]
