"""Linear algebra of complex matrices.

What does not depend on phases is done by real matrices [[X, -Y], [Y, X]], which add and multiply as
X + i Y do (inverses, systems, exponentials, singular values); the rest is in `decompositions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import attributes, dispatch, linalg, ops, return_types
from ..deferred import resolve
from ..linalg import systems
from ..linalg._checks import check_matrix, check_square, failed
from ..tensor import Tensor
from . import decompositions
from .rules import body, magnitude
from .tensor import RULES, absent, as_complex, join, pair


def _blocks(A: Any) -> Any:
    """[[X, -Y], [Y, X]]: a real matrix that multiplies as X + i Y does."""
    x, y = pair(as_complex(A))
    return ops.cat([ops.cat([x, ops.neg(y)], -1), ops.cat([y, x], -1)], -2)


def _of_blocks(whole: Any) -> Any:
    """The complex matrices of such real ones."""
    m, n = (size // 2 for size in whole._array.shape[-2:])
    return join(whole[..., :m, :n], whole[..., m:, :n])


def _named(names: tuple, args: tuple, kwargs: dict) -> list:
    """The arguments in order, None for those that were not given."""
    return [*args, *[kwargs.get(name) for name in names[len(args) :]]]


def _check(function: Callable, A: Any) -> None:
    check_square(f"linalg.{function.__name__.removeprefix('torch_')}", A._array)


def _inv(function: Callable, args: tuple, kwargs: dict) -> Any:
    _check(function, args[0])
    return _of_blocks(function(_blocks(args[0])))


def _inv_ex(function: Callable, args: tuple, kwargs: dict) -> Any:
    _check(function, args[0])
    whole, info = function(_blocks(args[0]), **kwargs)
    return return_types.linalg_inv_ex((_of_blocks(whole), info))


def _solve(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, B = map(as_complex, _named(("A", "B"), args[:2], kwargs)[:2])
    if kwargs.get("left") is False:
        return ops.transpose(linalg.solve(A.mT, B.mT), -2, -1)
    n = A._array.shape[-1]
    vector = B._array.ndim == 1 or B._array.shape == A._array.shape[:-1]
    columns = B.unsqueeze(-1) if vector else B
    result = linalg.solve(_blocks(A), ops.cat(list(pair(columns)), -2))
    result = join(result[..., :n, :], result[..., n:, :])
    return result.squeeze(-1) if vector else result


def _solve_ex(function: Callable, args: tuple, kwargs: dict) -> Any:
    rest = {k: v for k, v in kwargs.items() if k != "check_errors"}
    info = linalg.inv_ex(
        as_complex(args[0]).detach(), check_errors=kwargs.get("check_errors", False)
    )
    return return_types.linalg_solve_ex((linalg.solve(*args, **rest), info[1]))


def _tensorinv(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, ind = _named(("A", "ind"), args, kwargs)
    ind = 2 if ind is None else ind
    shape = A._array.shape
    rows, columns = shape[:ind], shape[ind:]
    inverse = linalg.inv(ops.reshape(A, (math.prod(rows), math.prod(columns))))
    return ops.reshape(inverse, (*columns, *rows))


def _tensorsolve(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, B, dims = _named(("A", "B", "dims"), args, kwargs)
    ndim = A._array.ndim
    if dims is not None:
        A = ops.movedim(A, tuple(dims), tuple(range(ndim - len(dims), ndim)))
    columns = A._array.shape[B._array.ndim :]
    flat = ops.reshape(A, (B._array.size, math.prod(columns)))
    return ops.reshape(linalg.solve(flat, ops.reshape(B, (-1,))), columns)


def _solve_triangular(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, B = map(as_complex, args[:2])
    A = ops.triu(A) if kwargs["upper"] else ops.tril(A)
    if kwargs.get("unitriangular"):
        eye = A.parts.new_tensor(np.eye(A._array.shape[-1]))
        A = ops.add(ops.mul(A, ops.rsub(eye, 1)), eye)
    return linalg.solve(A, B, left=kwargs.get("left", True))


def _matrix_exp(function: Callable, args: tuple, kwargs: dict) -> Any:
    return _of_blocks(function(_blocks(args[0])))


def _matrix_power(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, n = _named(("A", "n"), args, kwargs)
    check_square("linalg.matrix_power", A._array)
    if n == 0:
        return ops.add(ops.mul(A, 0), A.parts.new_tensor(np.eye(A._array.shape[-1])))
    base = linalg.inv(A) if n < 0 else A
    result: Any = None
    for bit in reversed(bin(abs(n))[2:]):
        if bit == "1":
            result = base if result is None else ops.matmul(result, base)
        base = ops.matmul(base, base)
    return result


def _limits(A: Any, kwargs: dict) -> dict:
    """The default relative limit of small singular values is that of the complex matrix."""
    if kwargs.get("rtol") is None and kwargs.get("atol") is None:
        eps = np.finfo(A.parts._array.dtype).eps
        return {**kwargs, "rtol": float(eps) * max(A._array.shape[-2:], default=0)}
    return kwargs


def _pinv(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, *rest = args
    check_matrix("linalg.pinv", A._array)
    if kwargs.get("hermitian"):
        A = ops.add(ops.tril(A), ops.tril(A, -1).mH)
        A = join(pair(A)[0], ops.sub(pair(A)[1], ops.diag_embed(A.diagonal(0, -2, -1).imag)))
    if rest or "rcond" in kwargs:
        return _of_blocks(linalg.pinv(_blocks(A), *rest, **kwargs))
    return _of_blocks(linalg.pinv(_blocks(A), **_limits(A, kwargs)))


def _pinverse(function: Callable, args: tuple, kwargs: dict) -> Any:
    return linalg.pinv(args[0], rtol=args[1] if len(args) > 1 else kwargs.get("rcond", 1e-15))


def _rank(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, *rest = args
    check_matrix("linalg.matrix_rank", A._array)
    kwargs = kwargs if rest or "tol" in kwargs else _limits(A, kwargs)
    return ops.div(function(_blocks(A), *rest, **kwargs), 2, rounding_mode="floor")


def _svdvals(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Each singular value stands twice among the blocks'."""
    check_matrix("linalg.svdvals", args[0]._array)
    return linalg.svdvals(_blocks(args[0]))[..., ::2]


def _eigvalsh(function: Callable, args: tuple, kwargs: dict) -> Any:
    return _eigh(function, args, kwargs)[0]


def _cond(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, p = _named(("A", "p"), args, kwargs)
    if p in (None, 2, -2):
        return linalg.cond(_blocks(A), p)
    _check(function, A)
    inverse, info = linalg.inv_ex(A)
    result = ops.mul(linalg.matrix_norm(A, p), linalg.matrix_norm(inverse, p))
    return ops.masked_fill(result, ops.ne(info, 0), float("inf"))


def _matrix_norm(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Sums and extremes of magnitudes; for "nuc", 2 and -2 half of the blocks' singular values."""
    A, ord, dim, keepdim = _named(("A", "ord", "dim", "keepdim"), args, kwargs)
    ord, dim = "fro" if ord is None else ord, (-2, -1) if dim is None else dim
    options = {"keepdim": bool(keepdim), "dtype": _real_type(kwargs.get("dtype"))}
    if ord not in ("nuc", 2, -2):
        return linalg.matrix_norm(magnitude(A), ord, dim, **options)
    moved = ops.movedim(A, tuple(dim), (-2, -1))
    result = linalg.matrix_norm(_blocks(moved), ord, dtype=options["dtype"])
    result = ops.div(result, 2) if ord == "nuc" else result
    if keepdim:
        for d in sorted(d % A._array.ndim for d in dim):
            result = result.unsqueeze(d)
    return result


def _real_type(dtype: Any) -> Any:
    if dtype is not None and dtype.is_complex:
        raise absent("a norm with a complex dtype")
    return dtype


def _norm(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`linalg.norm`, `norm` and `vector_norm`: of vectors by magnitudes."""
    A, p, dim, keepdim = _named(
        ("", "ord" if "ord" in kwargs else "p", "dim", "keepdim"), args, kwargs
    )
    dtype = _real_type(kwargs.get("dtype"))
    pairs = dim is not None and not isinstance(dim, int) and len(dim) == 2
    matrices = pairs or (dim is None and A._array.ndim == 2)
    chosen = p == "nuc" or (p not in (None, "fro") and matrices and function is linalg.norm)
    if chosen and function is not linalg.vector_norm:
        return linalg.matrix_norm(
            A, p, (-2, -1) if dim is None else dim, bool(keepdim), dtype=dtype
        )
    return function(magnitude(A), *args[1:], **kwargs)


def _lstsq(function: Callable, args: tuple, kwargs: dict) -> Any:
    """By the real blocks: errors are those of both parts, and ranks are halved."""
    A, B = map(as_complex, _named(("A", "B"), args[:2], kwargs)[:2])
    rest = {k: v for k, v in kwargs.items() if k not in ("A", "B")}
    if rest.get("rcond") is None and len(args) < 3:
        rest["rcond"] = _limits(A, {})["rtol"]
    n, vector = A._array.shape[-1], B._array.shape == A._array.shape[:-1]
    columns = B.unsqueeze(-1) if vector else B
    found = function(_blocks(A), ops.cat(list(pair(columns)), -2), *args[2:], **rest)
    solution = join(found[0][..., :n, :], found[0][..., n:, :])
    results = (
        solution.squeeze(-1) if vector else solution,
        found[1],
        ops.div(found[2], 2, rounding_mode="floor"),
        found[3][..., ::2],
    )
    return return_types.linalg_lstsq(results)


# -- decompositions --------------------------------------------------------------------------------


def _det(function: Callable, args: tuple, kwargs: dict) -> Any:
    check_square("linalg.det", args[0]._array)
    return decompositions.determinant(args[0])


def _slogdet(function: Callable, args: tuple, kwargs: dict) -> Any:
    check_square("linalg.slogdet", args[0]._array)
    kind = return_types.linalg_slogdet if function is linalg.slogdet else return_types.slogdet
    return kind(decompositions.slogdet(args[0]))


def _logdet(function: Callable, args: tuple, kwargs: dict) -> Any:
    sign, size = linalg.slogdet(args[0])
    return join(size, ops.angle(sign))


def _eigh(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, uplo = _named(("A", "UPLO"), args, kwargs)
    check_square("linalg.eigh", A._array)
    uplo = "L" if uplo is None else uplo
    if str(uplo).upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {uplo}")
    return return_types.linalg_eigh(decompositions.eigh(A, uplo.upper()))


def _eig(function: Callable, args: tuple, kwargs: dict) -> Any:
    check_square("linalg.eig", args[0]._array)
    return return_types.linalg_eig(decompositions.eig(args[0]))


def _svd(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, full = _named(("A", "full_matrices"), args, kwargs)
    check_matrix("linalg.svd", A._array)
    return return_types.linalg_svd(decompositions.svd(A, full is not False))


def _torch_svd(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, some, compute_uv = _named(("input", "some", "compute_uv"), args, kwargs)
    check_matrix("linalg.svd", A._array)
    u, s, vh = decompositions.svd(A, some is False)
    if compute_uv is False:
        m, n = A._array.shape[-2:]
        u, vh = (A.new_zeros((*A._array.shape[:-2], d, d)) for d in (m, n))
    return return_types.svd((u, s, vh.mH))


def _cholesky_ex(function: Callable, args: tuple, kwargs: dict) -> Any:
    A = args[0]
    check_square("linalg.cholesky_ex", A._array)
    upper = kwargs.get("upper", False)
    if upper:  # the values of the other triangle, with gradients as of this one
        A = ops.add(A, ops.sub(A.mH, A).detach())
    factor, info = decompositions.cholesky(A)
    return return_types.linalg_cholesky_ex((factor.mH if upper else factor, info))


def _cholesky(function: Callable, args: tuple, kwargs: dict) -> Any:
    upper = {"upper": args[1]} if len(args) > 1 else kwargs
    factor, info = _cholesky_ex(function, args[:1], upper)
    if info._array.any():
        raise failed(
            "linalg.cholesky",
            info._array,
            "The factorization could not be completed because the input is not positive-definite "
            "(the leading minor of order {} is not positive-definite).",
        )
    return factor


def _from_factor(factor: Any, upper: Any) -> Any:
    """L L^H, or U^H U: of one triangle, but with gradients of all elements, as PyTorch."""
    rest = ops.tril(factor, -1) if upper else ops.triu(factor, 1)
    factor = ops.sub(factor, rest.detach())
    if upper:
        return ops.matmul(factor.mH, factor)
    return ops.matmul(factor, factor.mH)


def _cholesky_inverse(function: Callable, args: tuple, kwargs: dict) -> Any:
    factor, upper = _named(("L", "upper"), args, kwargs)
    return linalg.inv(_from_factor(factor, upper))


def _cholesky_solve(function: Callable, args: tuple, kwargs: dict) -> Any:
    B, factor, upper = _named(("B", "L", "upper"), args, kwargs)
    return linalg.solve(_from_factor(factor, upper), B)


def _qr(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, mode = _named(("A", "mode"), args, kwargs)
    mode = "reduced" if mode is None else mode
    check_matrix("linalg.qr", A._array)
    if mode == "r":
        raise absent("qr with mode='r'")
    if mode not in ("reduced", "complete"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    return return_types.linalg_qr(decompositions.qr(A, mode))


def _torch_qr(function: Callable, args: tuple, kwargs: dict) -> Any:
    A, some = _named(("input", "some"), args, kwargs)
    return return_types.qr(linalg.qr(A, "complete" if some is False else "reduced"))


def _householder(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The first columns of H_1 ... H_k, H_i = 1 - tau_i v_i v_i^H."""
    A, tau = args
    m, n = A._array.shape[-2:]
    k = tau._array.shape[-1]
    vectors = ops.add(ops.tril(A, -1), A.parts.new_tensor(np.eye(m, n)))
    result = ops.add(ops.mul(A, 0), A.parts.new_tensor(np.eye(m, n)))
    for i in reversed(range(k)):
        v = vectors[..., i : i + 1]
        scale = tau[..., i].unsqueeze(-1).unsqueeze(-1)
        result = ops.sub(result, ops.mul(scale, ops.matmul(v, ops.matmul(v.mH, result))))
    return result


def _vecdot(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The sum of conj(x) y."""
    x, y = map(as_complex, args[:2])
    return ops.sum(ops.mul(attributes.conj(x), y), kwargs.get("dim", -1))


def _vander(function: Callable, args: tuple, kwargs: dict) -> Any:
    x = ops.atleast_1d(args[0])
    count = kwargs.get("N")
    columns = [ops.add(ops.mul(x, 0), 1)]
    while len(columns) < (x._array.shape[-1] if count is None else count):
        columns.append(ops.mul(columns[-1], x))
    return ops.stack(columns, -1)


_LINALG = {
    "inv": _inv, "inv_ex": _inv_ex, "solve": _solve, "solve_triangular": _solve_triangular,
    "pinv": _pinv, "matrix_rank": _rank, "svdvals": _svdvals, "eigvalsh": _eigvalsh, "cond": _cond,
    "matrix_norm": _matrix_norm, "norm": _norm, "vector_norm": _norm, "lstsq": _lstsq, "det": _det,
    "slogdet": _slogdet, "eigh": _eigh, "eig": _eig, "svd": _svd, "cholesky": _cholesky,
    "cholesky_ex": _cholesky_ex, "qr": _qr, "householder_product": _householder,
    "vecdot": _vecdot, "vander": _vander, "matrix_exp": _matrix_exp, "matrix_power": _matrix_power,
    "eigvals": lambda f, a, k: linalg.eig(*a, **k)[0], "multi_dot": body, "diagonal": body,
    "tensorinv": _tensorinv, "tensorsolve": _tensorsolve, "solve_ex": _solve_ex,
}  # fmt: skip
# Functions of `torch` and `Tensor` that are not `linalg`'s.
_OWN = {
    "det": _det, "slogdet": _slogdet, "logdet": _logdet, "svd": _torch_svd, "qr": _torch_qr,
    "cholesky": _cholesky, "cholesky_inverse": _cholesky_inverse, "matrix_exp": _matrix_exp,
    "cholesky_solve": _cholesky_solve, "pinverse": _pinverse, "orgqr": _householder,
}  # fmt: skip


def _enter() -> None:
    for name, rule in _LINALG.items():
        RULES[getattr(linalg, name)] = rule
    dispatch.register([resolve(name) for name in _OWN])
    for name, rule in _OWN.items():
        RULES[resolve(name)] = rule
        RULES[getattr(Tensor, name)] = body
    RULES[systems.inverse] = RULES[Tensor.inverse] = lambda f, a, k: linalg.inv(*a, **k)
    for space in (ops, Tensor):
        RULES[space.norm] = _norm
        RULES[space.matrix_power] = _matrix_power
    RULES[ops.chain_matmul] = body


_enter()
