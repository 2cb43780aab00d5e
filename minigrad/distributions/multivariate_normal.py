"""The multivariate normal distribution."""

from __future__ import annotations

import math
from typing import Any

from ..ops._shape import broadcast_shapes
from . import constraints
from ._linalg import (
    cholesky,
    cholesky_inverse,
    half_log_det,
    mahalanobis,
    mv,
    precision_to_scale_tril,
)
from .distribution import Distribution
from .utils import lazy_property, standard_normal

__all__ = ["MultivariateNormal"]


class MatrixParameter:
    """One of `covariance_matrix`, `precision_matrix` and `scale_tril`; the others follow.

    `_unbroadcasted_scale_tril` is the Cholesky factor of the covariance, not expanded to the batch.
    """

    _unexpanded: tuple[str, ...] = ("_unbroadcasted_scale_tril",)
    _unbroadcasted_scale_tril: Any
    _batch_shape: Any
    _event_shape: Any

    def _matrix_shape(self) -> Any:
        n = self._event_shape[-1]
        return (*self._batch_shape, n, n)

    def _keep_matrix(self, name: str, matrix: Any, batch_shape: Any) -> None:
        setattr(self, name, matrix.expand((*batch_shape, -1, -1)))

    def _factorise(self, name: str, matrix: Any) -> None:
        if name == "covariance_matrix":
            matrix = cholesky(matrix)
        elif name == "precision_matrix":
            matrix = precision_to_scale_tril(matrix)
        self._unbroadcasted_scale_tril = matrix

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril.expand(self._matrix_shape())

    @lazy_property
    def covariance_matrix(self) -> Any:
        """L L^T."""
        lower = self._unbroadcasted_scale_tril
        return (lower @ lower.mT).expand(self._matrix_shape())

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        return cholesky_inverse(self._unbroadcasted_scale_tril).expand(self._matrix_shape())


def the_given(**matrices: Any) -> tuple[str, Any]:
    """The name and value of the only matrix that is not None. ValueError unless there is one."""
    given = [(name, value) for name, value in matrices.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
        )
    return given[0]


class MultivariateNormal(MatrixParameter, Distribution):
    """Vectors with mean `loc` and a covariance, its inverse or its Cholesky factor."""

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    expand = Distribution._expand_state

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = the_given(
            scale_tril=scale_tril,
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
        )
        if matrix.dim() < 2:
            what = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(
                f"{what} must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self._keep_matrix(name, matrix, batch)
        self.loc = loc.expand((*batch, -1))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._factorise(name, matrix)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self.loc.shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """loc + L eps."""
        eps = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + mv(self._unbroadcasted_scale_tril, eps)

    def log_prob(self, value: Any) -> Any:
        self._check(value)
        lower = self._unbroadcasted_scale_tril
        square = mahalanobis(lower, value - self.loc)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + square) - half_log_det(lower)

    def entropy(self) -> Any:
        constant = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi))
        entropy = constant + half_log_det(self._unbroadcasted_scale_tril)
        return entropy.expand(self._batch_shape) if self._batch_shape else entropy
