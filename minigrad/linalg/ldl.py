"""LDL factorization of symmetric matrices, which NumPy lacks: LAPACK's through SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import return_types
from ..autograd import variable as _v
from ..backend import need_cpu
from ..ops._lapack import each_matrix
from ..ops._matrices import check_tensors
from ..ops._shape import array_of
from ._checks import batch_shape, check_matrix, check_same, check_square, failed, matrix, written

__all__ = ["ldl_factor", "ldl_factor_ex", "ldl_solve"]


def _lapack(name: str, dtype: Any) -> Any:
    """LAPACK's function of a name such as "sytrf", for a dtype. ImportError without SciPy."""
    try:
        from scipy.linalg import lapack
    except ImportError:
        raise ImportError('LDL factorization needs SciPy: pip install "minigrad[linalg]"') from None
    return getattr(lapack, ("s" if dtype == np.float32 else "d") + name)


def _factor(name: str, A: Any) -> tuple:
    x = matrix(name, A, square=True)
    if isinstance(A, _v.Variable) and A.requires_grad:
        raise NotImplementedError("the derivative for 'linalg_ldl_factor_ex' is not implemented.")
    need_cpu(name.removeprefix("torch."), x)
    run = _lapack("sytrf", x.dtype)
    matrices = each_matrix(x)
    packed, pivots = np.tril(matrices), np.zeros(matrices.shape[:-1], np.int32)
    info = np.zeros(len(matrices), np.int32)
    for i, one in enumerate(matrices):
        if one.size:
            factor, pivots[i], info[i] = run(one, lower=1)
            packed[i] = np.tril(factor)
    lead = x.shape[:-2]
    results = packed.reshape(x.shape), pivots.reshape(x.shape[:-1]), info.reshape(lead)
    return tuple([_v.wrap(r) for r in results])


def ldl_factor(A: Any, *, hermitian: bool = False, out: Any = None) -> Any:
    """(LD, pivots) of symmetric matrices (..., n, n) as LAPACK's sytrf packs them, lower triangle.

    RuntimeError where D is singular. No gradient, as in PyTorch. Needs SciPy.
    """
    name = "torch.linalg.ldl_factor"
    packed, pivots, info = _factor(name, A)
    if array_of(info).any():
        text = (
            "D[{0},{0}] is zero and using it on ldl_solve would result in a division by zero. If "
            "you still want to perform the factorization, consider calling ldl_factor_ex"
        )
        raise failed(name, array_of(info), text)
    return written(name, out, return_types.linalg_ldl_factor((packed, pivots)))


def ldl_factor_ex(
    A: Any, *, hermitian: bool = False, check_errors: bool = False, out: Any = None
) -> Any:
    """(LD, pivots, info): `ldl_factor` with the number of D's zero instead of an error."""
    name = "torch.linalg.ldl_factor_ex"
    if check_errors:
        ldl_factor(A)
    return written(name, out, return_types.linalg_ldl_factor_ex(_factor(name, A)))


def ldl_solve(LD: Any, pivots: Any, B: Any, *, hermitian: bool = False, out: Any = None) -> Any:
    """X with `A @ X = B` (..., n, k) from what `ldl_factor` gives. Needs SciPy."""
    name = "torch.linalg.ldl_solve"
    x, p, b = check_tensors(name, LD=LD, pivots=pivots, B=B)
    check_square(name, matrix(name, LD, "LD"), "LD")
    need_cpu(name.removeprefix("torch."), x, p, b)
    check_matrix(name, b, "B")
    if b.shape[-2] != x.shape[-1]:
        raise RuntimeError(
            f"{name}: Expected B.size(-2) to be {x.shape[-1]}, but got {b.shape[-2]}"
        )
    if p.shape != x.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(p.shape)} instead"
        )
    if p.dtype.kind not in "iu":
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {p.dtype}")
    check_same(name, x, b, "LD", "B")
    if any(isinstance(t, _v.Variable) and t.requires_grad for t in (LD, B)):
        raise NotImplementedError("the derivative for 'linalg_ldl_solve' is not implemented.")
    lead = batch_shape(x, b)
    n, k = b.shape[-2:]
    result = np.zeros((*lead, n, k), x.dtype)
    if result.size:
        run = _lapack("sytrs", x.dtype)
        factors = each_matrix(np.broadcast_to(x, (*lead, n, n)))
        orders = np.broadcast_to(p, (*lead, n)).reshape(-1, n)
        sides, flat = each_matrix(np.broadcast_to(b, (*lead, n, k))), each_matrix(result)
        for i in range(len(flat)):
            flat[i] = run(factors[i], orders[i], sides[i], lower=1)[0]
    return written(name, out, _v.wrap(result))
