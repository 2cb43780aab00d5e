"""What the comparison with PyTorch's operator samples leaves out or adapts, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves

import minigrad as mg

# Operators that are not compared, and why: there is no value to compare
RANDOM = {
    "bernoulli", "empty", "empty_like", "empty_permuted", "empty_strided", "multinomial",
    "new_empty", "new_empty_strided", "normal", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "resize_", "resize_as_",
}  # fmt: skip
EXCLUDED: dict[str, str] = {
    **{
        name: "complex results; tests/test_complex.py compares them"
        for name in (
            "cdouble",
            "cfloat",
            "chalf",
            "complex",
            "polar",
            "view_as_complex",
            "view_as_real",
        )
    },
    **{
        op.name: "complex numbers; tests/test_fft.py compares them"
        for op in op_db
        if op.name.startswith(("fft.", "stft", "istft"))
    },
    **{
        op.name: "sparse tensors; tests/sparse compares them"
        for op in op_db
        if op.name.startswith("sparse.") or op.name == "to_sparse"
    },
    "linalg.eig": "complex results; tests/linalg/test_linalg.py compares real ones",
    "linalg.eigvals": "complex results; tests/linalg/test_linalg.py compares real ones",
    "as_strided.partial_views": "samples are copied here, without the memory around them",
}
# Single checks that are not made: operator, check ("value", "grad", "error", "out", "inplace" or
# "method"), and why.
EXCLUDED_CHECKS: dict[tuple[str, str], str] = {
    **{
        (f"__{name}__", "error"): "calls the slot of the class on a number"
        for name in ("radd", "rand", "rmul", "ror", "rxor")
    },
    ("as_strided_scatter", "grad"): "PyTorch keeps grad in the replaced part, and not elsewhere",
    ("narrow_copy", "error"): "an assertion in PyTorch, not an IndexError, for a dim out of range",
    ("split_with_sizes_copy", "out"): "`out` is a list, and nothing is returned",
    ("unbind_copy", "out"): "`out` is a list, and nothing is returned",
    ("histogramdd", "out"): "PyTorch's function has no `out`",
    ("__rdiv__", "error"): "calls a method of the class on a number",
    ("native_batch_norm", "out"): "PyTorch's function has no `out`",
    ("nonzero", "out"): "with `as_tuple` PyTorch's function refuses `out`, its catalogue does not",
    ("gather", "error"): "an `out` that is resized gets memory of its own and overlaps nothing",
    ("cat", "error"): "an `out` over NumPy's memory cannot be resized in PyTorch",
    ("addbmm", "inplace"): "PyTorch resizes a self that broadcasts, unlike all others",
    ("kthvalue", "error"): "out= may be the input: the result is computed before it is written",
    ("nn.functional.hardsigmoid", "grad"): "PyTorch rounds 1/6 to float32, for float64 too",
}


def _at_a_pole(sample: Any) -> bool:
    """PyTorch's trigamma is finite at negative integers, where its sin(pi x) is not quite 0."""
    x = sample.input.double()
    return sample.args[0] == 1 and bool(((x < 0) & (x == x.round())).any())


def _few_bools(sample: Any) -> bool:
    """PyTorch's in-place scans do not check the type of bools without dimensions or elements."""
    x = sample.input
    return x.dtype == torch.bool and (x.ndim == 0 or x.numel() == 0)


def _empty_of_another_type(sample: Any) -> bool:
    """PyTorch checks the type of matrices without elements only where a kernel runs."""
    values = tree_leaves((sample.input, *sample.args))
    first = next(t for t in values if isinstance(t, torch.Tensor))
    return first.numel() == 0 and first.dtype not in (torch.float32, torch.float64)


def _empty(sample: Any) -> bool:
    """PyTorch's gradients are None, not empty."""
    return any(t.numel() == 0 for t in (sample.input, *sample.args) if hasattr(t, "numel"))


def _double(sample: Any) -> bool:
    """PyTorch's values are off by up to 5e-7; tests/test_special.py compares with mpmath's."""
    return sample.input.dtype == torch.float64


def _half(sample: Any) -> bool:
    """PyTorch's matrix_exp of 16-bit floats is NaN."""
    return sample.input.dtype in (torch.float16, torch.bfloat16)


def _narrower_weights(sample: Any) -> bool:
    """Weights of another type than the input: the last bits of sums in the narrower one differ."""
    weights = sample.kwargs.get("aweights")
    return weights is not None and weights.dtype != sample.input.dtype


# Samples that are left out.
SKIPPED: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        (
            "cholesky",
            "cholesky_inverse",
            "cholesky_solve",
            "linalg.cholesky",
            "linalg.cholesky_ex",
            "linalg.det",
            "linalg.ldl_factor",
            "linalg.ldl_factor_ex",
            "linalg.lu",
            "linalg.lu_factor_ex",
            "linalg.lu_solve",
            "linalg.svd",
            "linalg.svdvals",
            "lu_solve",
            "svd",
        ),
        _empty_of_another_type,
    ),
    **dict.fromkeys(("linalg.householder_product", "orgqr", "ormqr"), _empty),
    **dict.fromkeys(
        [
            f"special.{name}"
            for name in ("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1")
        ],
        _double,
    ),
    "matrix_exp": _half,
    "cov": _narrower_weights,
    "cumprod": _few_bools,
    "cumsum": _few_bools,
    "polygamma": _at_a_pole,
    "special.polygamma": _at_a_pole,
}
# Operators whose vectors are unique up to their signs: the samples say what of them is compared.
UP_TO_SIGNS = {"linalg.eigh", "linalg.svd", "pca_lowrank", "svd", "svd_lowrank"}
# Operators that draw random numbers: PyTorch's catalogue calls them after this seed.
SEED = 42
# Where equal elements may come in any order, so that indices differ; the position of `dim`.
TIES = {
    "argsort": 1, "kthvalue": 2, "median": 1, "mode": 1, "nanmedian": 1, "sort": 1, "topk": 2,
}  # fmt: skip
# Operators whose samples hold the arguments in another order, or that are attributes.
ADAPTED: dict[str, Callable] = {
    "_segment_reduce": lambda data, reduce, **kw: mg.segment_reduce(data, reduce, **kw),
    "linalg.lstsq.grad_oriented": lambda a, b, driver: mg.linalg.lstsq(a, b, driver=driver)[:2],
    "linalg.pinv.singular": lambda a, b: mg.linalg.pinv(a @ b.mT),
    "pca_lowrank": lambda a, b, **kw: mg.pca_lowrank(a @ b.mT, **kw),
    "svd_lowrank": lambda a, b, **kw: mg.svd_lowrank(a @ b.mT, **kw),
    "einsum": lambda tensors, equation: mg.einsum(equation, tensors),
    "nn.functional.embedding": lambda weight, index, **kw: mg.nn.functional.embedding(
        index, weight, **kw
    ),
    "nn.functional.embedding_bag": lambda weight, index, *args, **kw: (
        mg.nn.functional.embedding_bag(index, weight, *args, **kw)
    ),
    "polygamma": lambda x, n, **kw: mg.polygamma(n, x, **kw),
    "special.polygamma": lambda x, n, **kw: mg.special.polygamma(n, x, **kw),
    "where": lambda x, condition, y, **kw: mg.where(condition, x, y, **kw),
    "zero_": lambda x: x.clone().zero_(),
}
