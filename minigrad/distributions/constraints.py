"""Constraints: what values a parameter or a sample may have.

`check(value)` gives a bool tensor of the value's batch shape: the last `event_dim` dimensions,
which are constrained together, are reduced.
"""

from __future__ import annotations

from typing import Any

from .. import linalg, ops
from ..creation import full
from ..dtypes import bool_, finfo
from ._constraint import (
    Constraint,
    MixtureSameFamilyConstraint,
    _all_of_last,
    _Bounded,
    _Cat,
    _Dependent,
    _DependentProperty,
    _IndependentConstraint,
    _Stack,
    is_dependent,
)

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent",
    "dependent_property", "greater_than", "greater_than_eq", "half_open_interval", "independent",
    "integer_interval", "interval", "is_dependent", "less_than", "lower_cholesky",
    "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive",
    "positive_definite", "positive_integer", "positive_semidefinite", "real", "real_vector",
    "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip


def _is_bit(value: Any) -> Any:
    return (value == 0) | (value == 1)


class _Boolean(Constraint):
    """0 or 1."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return _is_bit(value)


class _OneHot(Constraint):
    """Vectors of one 1 and zeros."""

    is_discrete = True
    event_dim = 1

    def check(self, value: Any) -> Any:
        return _is_bit(value).all(-1) & value.sum(-1).eq(1)


def _whole(value: Any, inside: Any) -> Any:
    """Where values that lie inside are whole."""
    return (value % 1 == 0) & inside if value.is_floating_point() else inside


class _IntegerInterval(_Bounded):
    """Whole numbers from `lower_bound` to `upper_bound`."""

    is_discrete = True
    _bounds = ("lower_bound", "upper_bound")

    def check(self, value: Any) -> Any:
        inside = (self.lower_bound <= value) & (value <= self.upper_bound)  # type: ignore[attr-defined]
        return _whole(value, inside)


class _IntegerLessThan(_Bounded):
    """Whole numbers up to `upper_bound`."""

    is_discrete = True
    _bounds = ("upper_bound",)

    def check(self, value: Any) -> Any:
        return _whole(value, value <= self.upper_bound)  # type: ignore[attr-defined]


class _IntegerGreaterThan(_Bounded):
    """Whole numbers from `lower_bound` on."""

    is_discrete = True
    _bounds = ("lower_bound",)

    def check(self, value: Any) -> Any:
        return _whole(value, value >= self.lower_bound)  # type: ignore[attr-defined]


class _Real(Constraint):
    """Numbers that are not NaN."""

    def check(self, value: Any) -> Any:
        return value == value


class _GreaterThan(_Bounded):
    """lower_bound < value."""

    _bounds = ("lower_bound",)

    def check(self, value: Any) -> Any:
        return self.lower_bound < value  # type: ignore[attr-defined]


class _GreaterThanEq(_Bounded):
    """lower_bound <= value."""

    _bounds = ("lower_bound",)

    def check(self, value: Any) -> Any:
        return self.lower_bound <= value  # type: ignore[attr-defined]


class _LessThan(_Bounded):
    """value < upper_bound."""

    _bounds = ("upper_bound",)

    def check(self, value: Any) -> Any:
        return value < self.upper_bound  # type: ignore[attr-defined]


class _Interval(_Bounded):
    """lower_bound <= value <= upper_bound."""

    _bounds = ("lower_bound", "upper_bound")

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value <= self.upper_bound)  # type: ignore[attr-defined]


class _HalfOpenInterval(_Bounded):
    """lower_bound <= value < upper_bound."""

    _bounds = ("lower_bound", "upper_bound")

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value < self.upper_bound)  # type: ignore[attr-defined]


class _Simplex(Constraint):
    """Vectors of nonnegative numbers whose sum is 1."""

    event_dim = 1

    def check(self, value: Any) -> Any:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _Multinomial(Constraint):
    """Vectors of nonnegative numbers whose sum is at most `upper_bound`."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any):
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Any:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


class _Matrix(Constraint):
    """A constraint on matrices."""

    event_dim = 2


class _LowerTriangular(_Matrix):
    """Matrices that are 0 above the diagonal."""

    def check(self, value: Any) -> Any:
        return _all_of_last(value.tril() == value, value.dim() - 2)


class _LowerCholesky(_LowerTriangular):
    """Lower triangular matrices with a positive diagonal."""

    def check(self, value: Any) -> Any:
        return super().check(value) & (ops.diagonal(value, dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_LowerCholesky):
    """Cholesky factors of correlation matrices: their rows have length 1."""

    def check(self, value: Any) -> Any:
        tolerance = finfo(value.dtype).eps * value.shape[-1] * 10
        rows = value.detach()
        lengths = (rows * rows).sum(-1).sqrt()
        return super().check(value) & ((lengths - 1).abs() <= tolerance).all(-1)


class _Square(_Matrix):
    """Square matrices."""

    def check(self, value: Any) -> Any:
        rows, columns = value.shape[-2:]
        return full(value.shape[:-2], rows == columns, dtype=bool_)


class _Symmetric(_Square):
    """Symmetric matrices, to 1e-6."""

    def check(self, value: Any) -> Any:
        square_ones = super().check(value)
        if not square_ones.all():
            return square_ones
        return ops.isclose(value, value.mT, atol=1e-6).all(-2).all(-1)


class _PositiveSemidefinite(_Symmetric):
    """Symmetric matrices without negative eigenvalues."""

    def check(self, value: Any) -> Any:
        symmetric_ones = super().check(value)
        if not symmetric_ones.all():
            return symmetric_ones
        return (linalg.eigvalsh(value) >= 0).all(-1)


class _PositiveDefinite(_Symmetric):
    """Symmetric matrices that have a Cholesky factor."""

    def check(self, value: Any) -> Any:
        symmetric_ones = super().check(value)
        if not symmetric_ones.all():
            return symmetric_ones
        return linalg.cholesky_ex(value).info == 0


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack

# Pickles and users' reprs know all of them by this module.
for _class in (
    Constraint, MixtureSameFamilyConstraint, _Bounded, _Cat, _Dependent, _DependentProperty,
    _IndependentConstraint, _Stack,
):  # fmt: skip
    _class.__module__ = __name__
