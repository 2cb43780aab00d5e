"""Functions of `torch` and methods of `Tensor` whose modules are loaded when first used.

`NAMES` says where each lives: few programs need them, and all would pay for their import.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .autograd.row_grads import set_sparse_class
from .backend import set_complex, set_cuda, set_others

_LINALG = {
    "approximate": ("lobpcg", "pca_lowrank", "svd_lowrank"),
    "determinants": ("det=torch_det", "logdet", "slogdet=torch_slogdet"),
    "lu": ("lu=torch_lu", "lu_solve=torch_lu_solve", "lu_unpack"),
    "norms": ("frobenius_norm", "nuclear_norm"),
    "orthogonal": ("geqrf", "orgqr=householder_product", "ormqr", "qr=torch_qr"),
    "products": ("matrix_exp",),
    "removed": ("eig", "lstsq", "matrix_rank", "solve", "symeig"),
    "spectral": ("svd=torch_svd",),
    "systems": ("inverse", "pinverse"),
    "triangular": (
        "cholesky=torch_cholesky", "cholesky_inverse", "cholesky_solve", "triangular_solve",
    ),
}  # fmt: skip
_SPARSE = {"making": ("sparse_coo_tensor", "sparse_csr_tensor"), "products": ("spmm=mm",)}
_SPARSE_METHODS = {
    "making": ("sparse_mask", "to_sparse", "to_sparse_coo=to_sparse", "to_sparse_csr"),
    "tensor": (
        "_indices=raw_indices", "_nnz=nnz", "_values=raw_values", "coalesce", "col_indices",
        "crow_indices", "dense_dim", "indices", "is_coalesced", "sparse_dim", "to_dense", "values",
    ),
}  # fmt: skip
_SPECIAL = {"bessel": ("i0",), "pairs": ("igamma", "igammac", "mvlgamma=multigammaln")}


def _places(package: str, table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, str]]:
    """{name: (module, attribute)} from the tables above, where "a=b" is b under the name a."""
    found = {}
    for module, names in table.items():
        for entry in names:
            name, _, attribute = entry.partition("=")
            found[name] = (f"{package}{module}", attribute or name)
    return found


_PROGRAMS = {
    "complexes": ("complex", "polar", "view_as_complex", "view_as_real"),
    "quantized": (
        "dequantize", "int_repr", "per_channel_affine", "per_channel_symmetric",
        "per_tensor_affine", "per_tensor_symmetric", "q_per_channel_axis", "q_per_channel_scales",
        "q_per_channel_zero_points", "q_scale", "q_zero_point", "qscheme", "quantize_per_channel",
        "quantize_per_tensor", "quantize_per_tensor_dynamic",
    ),
    "amp": (
        "GradScaler", "autocast", "autocast_decrement_nesting", "autocast_increment_nesting",
        "clear_autocast_cache", "get_autocast_cpu_dtype", "get_autocast_dtype",
        "get_autocast_gpu_dtype", "is_autocast_cache_enabled", "is_autocast_cpu_enabled",
        "is_autocast_enabled", "set_autocast_cache_enabled", "set_autocast_cpu_dtype",
        "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_enabled",
        "set_autocast_gpu_dtype",
    ),
    "compiler": ("compile",),
    "determinism": (
        "are_deterministic_algorithms_enabled", "compiled_with_cxx11_abi",
        "get_deterministic_debug_mode", "get_device_module", "get_float32_matmul_precision",
        "get_num_interop_threads", "is_deterministic_algorithms_warn_only_enabled",
        "is_vulkan_available", "is_warn_always_enabled", "set_anomaly_enabled",
        "set_deterministic_debug_mode",
        "set_float32_matmul_precision", "set_num_interop_threads", "set_warn_always",
        "use_deterministic_algorithms",
    ),
    "serialization": ("load", "load_safetensors", "save", "save_safetensors"),
    "storage": ("UntypedStorage",),
    "streams": ("AcceleratorError", "Event", "OutOfMemoryError", "Stream"),
}  # fmt: skip

NAMES: dict[str, tuple[str, str]] = {
    **_places("linalg.", _LINALG),
    **_places("sparse.", _SPARSE),
    **_places("special.", _SPECIAL),
    **_places("", {"spectrograms": ("istft", "stft")}),
    **_places("", _PROGRAMS),
}
# What only `Tensor` has.
METHODS: dict[str, tuple[str, str]] = {
    **_places("sparse.", _SPARSE_METHODS),
    **_places("", {"quantized": ("qscheme_of=scheme_of",)}),
    "share_memory_": ("multiprocessing.sharing", "share_memory_"),
    **_places("", {"complexes": ("cdouble", "cfloat", "chalf")}),
    # What the functions that make tensors need of it.
    **_places("", {"complexes": ("complex_array=from_array", "complex_data=from_data")}),
    **_places("", {"complexes": ("as_complex", "to_complex=to_dtype")}),
    **_places("", {"complexes": ("complex_filled=filled",)}),
}


def resolve(name: str) -> Any:
    """The function of a name in `NAMES` or `METHODS`; loads its module."""
    module, attribute = NAMES.get(name) or METHODS[name]
    return getattr(importlib.import_module(f"{__package__}.{module}"), attribute)


def deferred(name: str) -> Callable:
    """A function that loads the one of a name in the tables when it is first called."""
    loaded: list = []

    def function(*args: Any, **kwargs: Any) -> Any:
        if not loaded:
            loaded.append(resolve(name))
        return loaded[0](*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    place = ".".join(NAMES.get(name) or METHODS[name])
    function.__doc__ = f"`minigrad.{place}`, loaded when first called."
    return function


def _sparse_tensor(*parts: Any) -> Any:
    return importlib.import_module(f"{__package__}.sparse.tensor").make(*parts)


set_sparse_class(_sparse_tensor)
set_others(lambda: importlib.import_module(f"{__package__}.meta"))
set_cuda(lambda: importlib.import_module(f"{__package__}.kernels.cuda_transfer"))
set_complex(lambda: importlib.import_module(f"{__package__}.complexes.rules"))
