"""Wishart's distribution of covariance matrices."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import ops, random
from ..creation import arange, tensor, tril_indices
from ..dtypes import finfo
from ..ops._shape import broadcast_shapes
from . import constraints
from ._linalg import cholesky, half_log_det, mvlgamma, solve_triangular
from .chi2 import Chi2
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .multivariate_normal import MatrixParameter
from .utils import is_number

__all__ = ["Wishart"]

_LOG_2 = math.log(2)
_TRIES = 10


def _log_det(matrix: Any) -> Any:
    """log |matrix| of positive definite matrices."""
    return 2 * half_log_det(cholesky(matrix))


class Wishart(MatrixParameter, ExponentialFamily):
    """The sum of `df` outer products of normal vectors of a covariance."""

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    expand = Distribution._expand_state

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ):
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = [(name, m) for name, m in matrices.items() if m is not None]
        if len(given) != 1:
            raise AssertionError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        ((name, matrix),) = given
        if matrix.dim() < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        batch: Any
        if is_number(df):
            batch = matrix.shape[:-2]
            self.df = tensor(df, dtype=matrix.dtype).expand(batch)
        else:
            batch = broadcast_shapes(matrix.shape[:-2], df.shape)
            self.df = df.expand(batch)
        n = matrix.shape[-1]
        if (self.df <= n - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        self._keep_matrix(name, matrix, batch)
        if (self.df < n).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for "
                "ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._factorise(name, matrix)
        self._dist_chi2 = Chi2(self.df.unsqueeze(-1) - arange(n, dtype=matrix.dtype))

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def _per_matrix(self, x: Any) -> Any:
        return x.reshape((*self._batch_shape, 1, 1))

    @property
    def mean(self) -> Any:
        return self._per_matrix(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Any:
        """NaN unless df > n + 1."""
        factor = self.df - self._event_shape[-1] - 1
        return self._per_matrix(factor.masked_fill(factor <= 0, math.nan)) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        v = self.covariance_matrix
        diagonal = ops.diagonal(v, dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._per_matrix(self.df) * (v.pow(2) + outer)

    def _bartlett_sampling(self, sample_shape: Any) -> Any:
        """L A A^T L^T, A lower triangular with chi on the diagonal and normals below."""
        n = self._event_shape[-1]
        chi = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = ops.diag_embed(chi.clamp(min=finfo(chi.dtype).eps))
        rows, columns = tril_indices(n, n, -1)
        shape = (*sample_shape, *self._batch_shape, n * (n - 1) // 2)
        noise[..., rows, columns] = random.randn(shape, dtype=noise.dtype)
        lower = self._unbroadcasted_scale_tril @ noise
        return lower @ lower.mT

    def _definite(self, sample: Any) -> Any:
        """Which samples are positive definite in floating point, in any batch."""
        found = self.support.check(sample)
        n = len(self._batch_shape)
        return found.reshape((*found.shape[: found.dim() - n], -1)).any(-1) if n else found

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Any:
        """Samples; what is not positive definite in floating point is drawn again.

        PyTorch's check is inverted at first: it draws the good samples once more. For its numbers
        of a seed this does the same, and then replaces those that are singular indeed.
        """
        tries = _TRIES if max_try_correction is None else max_try_correction
        sample = self._bartlett_sampling(sample_shape)
        wanted = self._definite(sample)
        for _ in range(tries):
            count = int(wanted.sum())
            if not count:
                break
            sample = self._replaced(sample, wanted, count)
            wanted = ~self._definite(sample)
        return sample

    def _replaced(self, sample: Any, where: Any, count: int) -> Any:
        """`sample` with new matrices at the places of a mask of the sample's shape."""
        drawn = self._bartlett_sampling((count,))
        inner = sample.shape[where.dim() :]
        flat = sample.reshape((-1, *inner))
        places = where.reshape(-1).nonzero().squeeze(-1)
        return flat.index_copy(0, places, drawn).reshape(sample.shape)

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        nu, n = self.df, self._event_shape[-1]
        lower = self._unbroadcasted_scale_tril
        # tr(V^-1 X) = tr(L^-1 X L^-T)
        inner = solve_triangular(lower, solve_triangular(lower, value).mT)
        trace = ops.diagonal(inner, dim1=-2, dim2=-1).sum(-1)
        constant = nu * (n * _LOG_2 / 2 + half_log_det(lower)) + mvlgamma(nu / 2, n)
        return (nu - n - 1) / 2 * _log_det(value) - trace / 2 - constant

    def entropy(self) -> Any:
        nu, n = self.df, self._event_shape[-1]
        size = n * _LOG_2 / 2 + half_log_det(self._unbroadcasted_scale_tril)
        steps = arange(n, dtype=nu.dtype) / 2
        digammas = ops.digamma((nu / 2).unsqueeze(-1) - steps).sum(-1)
        rest = mvlgamma(nu / 2, n) - (nu - n - 1) / 2 * digammas + nu * n / 2
        return (n + 1) * size + rest

    @property
    def _natural_params(self) -> tuple:
        n = self._event_shape[-1]
        return -self.precision_matrix / 2, (self.df - n - 1) / 2

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        n = self._event_shape[-1]
        half = y + (n + 1) / 2
        return half * (_LOG_2 * n - _log_det(-2 * x)) + mvlgamma(half, n)
