"""Batching rules of the namespaces around the operations: linalg, special, older names."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from .. import deferred, linalg, native, ops, special
from ..autograd.variable import Variable
from ..exchange import code_of
from ..nn import functional
from ..ops import _operators
from ..tensor import Tensor
from ._batched import RULES, batched, deepest, loop, value_at, wrap_all
from ._binding import bind, broadcasting, fold, leading, rule, unfold
from ._layers import images
from ._reductions import along


def _matrices(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Functions of matrices that take a batch of them; with several operands, of equal rank."""
    tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, Variable)]
    if any(t._array.ndim != max(2, tensors[0]._array.ndim) for t in tensors):
        return loop(function, args, kwargs)
    return leading(function, args, kwargs)


_OF_MATRICES = (
    "cholesky cholesky_ex cond det eig eigh eigvals eigvalsh inv inv_ex lu lu_factor lu_factor_ex "
    "matrix_exp matrix_power pinv qr slogdet svd svdvals solve solve_triangular"
)
rule(_matrices, _OF_MATRICES, linalg)
rule(_matrices, "matrix_power cdist")


def _vector_norm(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    tensors = [v for v in p.values() if isinstance(v, Variable)]
    dim = p.get("dim")
    one = dim is None and (function is linalg.vector_norm or p.get("ord") is None)
    if len(tensors) > 1 or not (one or isinstance(dim, int)) or isinstance(dim, bool):
        return loop(function, args, kwargs)
    return along(function, args, kwargs)


def _matrix_norm(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    dims = p.get("dim", (-2, -1))
    if not isinstance(dims, (tuple, list)) or len(dims) != 2 or max(dims) >= 0:
        return loop(function, args, kwargs)
    return _matrices(function, args, kwargs)


rule(_vector_norm, "vector_norm norm", linalg)
rule(_matrix_norm, "matrix_norm", linalg)
rule(None, "vecdot multi_dot diagonal", linalg)

_POINTWISE = (
    "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 entr erfcx gammainc gammaincc i0 i0e i1 i1e "
    "log_ndtr modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 "
    "multigammaln ndtr ndtri scaled_modified_bessel_k0 scaled_modified_bessel_k1 "
    "spherical_bessel_j0 xlog1py zeta chebyshev_polynomial_t chebyshev_polynomial_u "
    "chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h hermite_polynomial_he "
    "laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t "
    "shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w"
)
rule(broadcasting, _POINTWISE, special)


def _grid_sample(function: Callable, args: tuple, kwargs: dict) -> Any:
    p = bind(function, args, kwargs)
    level = deepest(p.values())
    x, grid = p["input"], p["grid"]
    if x._array.ndim < 4 or grid._array.ndim != x._array.ndim or not level.size:
        return loop(function, args, kwargs)
    p.update(input=fold(value_at(x, level)), grid=fold(value_at(grid, level)))
    return batched(unfold(function(**p), level.size), level)


def _scattered(function: Callable, args: tuple, kwargs: dict) -> Any:
    """`select_scatter`, `slice_scatter`: a part of each sample is another tensor."""
    p = bind(function, args, kwargs)
    level = deepest(p.values())
    x, src = p["input"], p["src"]
    if not x._array.ndim:
        return loop(function, args, kwargs)
    dim = p.get("dim", 0)
    p["dim"] = dim + 1 if dim >= 0 else dim
    p.update(input=value_at(x, level), src=value_at(src, level))
    return wrap_all(function(**p), level)


rule(_grid_sample, "grid_sample")
rule(_scattered, "select_scatter slice_scatter")
rule(images(2), "unfold", functional)
rule(images(1), "fold", functional)
# Functions that are made of others.
rule(None, "dropout1d dropout2d dropout3d lp_pool1d lp_pool2d lp_pool3d max_pool1d_with_indices "
     "max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool1d_with_indices "
     "adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices", functional)  # fmt: skip
rule(None, "cov corrcoef trapezoid trapz cumulative_trapezoid diagflat")


def _multiplied(function: Callable, args: tuple, kwargs: dict) -> Any:
    """A number or a tensor on the left; the own body calls compiled code, which sees no samples."""
    self, other = args
    if isinstance(other, (list, tuple, str, bytes, bytearray)):
        return NotImplemented
    return ops.mul(other, self)


RULES[_operators.repeated_or_multiplied] = _multiplied


def _made_of_others(space: dict, module: ModuleType) -> None:
    """Functions defined in a module that only arranges arguments for others."""
    for function in space.values():
        if not isinstance(function, FunctionType) or function in RULES:
            continue
        if code_of(function).co_filename == module.__file__:
            RULES[function] = None


_made_of_others(vars(native), native)
for _cls in Tensor.__mro__[:-1]:
    _made_of_others(dict(vars(_cls)), deferred)
