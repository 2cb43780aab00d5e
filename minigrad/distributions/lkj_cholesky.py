"""Lewandowski, Kurowicka and Joe's distribution of correlation matrices' Cholesky factors."""

from __future__ import annotations

import math
from typing import Any

from .. import ops, random
from ..autograd import no_grad
from ..creation import arange
from ..dtypes import finfo
from . import constraints
from ._linalg import mvlgamma
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Factors L of `dim` x `dim` matrices with density |L L^T|^(concentration - 1) of L L^T.

    The density of L itself has the exponents 2 (concentration - 1) + dim - i of L_ii.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None):
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        # The squared lengths of the rows left of the diagonal.
        steps = (arange(dim, dtype=self.concentration.dtype) - 1).clamp(min=0)
        rest = (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1)
        self._beta = Beta(steps + 0.5, rest - 0.5 * steps)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    expand = Distribution._expand_state

    def sample(self, sample_shape: Any = ()) -> Any:
        """The onion method, all rows at once: random directions of random lengths."""
        with no_grad():
            lengths = self._beta.sample(sample_shape).unsqueeze(-1)
            normals = random.randn(self._extended_shape(sample_shape), dtype=lengths.dtype)
            normals = normals.tril(-1)
            size = normals.pow(2).sum(-1, keepdim=True).sqrt()
            rows = lengths.sqrt() * normals / size.masked_fill(size == 0, 1)
            left = (1 - rows.pow(2).sum(-1)).clamp(min=finfo(rows.dtype).tiny)
            return rows + ops.diag_embed(left.sqrt())

    def log_prob(self, value: Any) -> Any:
        """Normalised as on page 1999 of the paper (2009)."""
        self._check(value)
        n, c = self.dim, self.concentration
        diagonal = ops.diagonal(value, dim1=-1, dim2=-2)[..., 1:]
        order = 2 * (c - 1).unsqueeze(-1) + n - arange(2, n + 1)
        alpha = c + 0.5 * (n - 1)
        constant = 0.5 * (n - 1) * math.log(math.pi)
        normalizer = constant + mvlgamma(alpha - 0.5, n - 1) - ops.lgamma(alpha) * (n - 1)
        return (order * diagonal.log()).sum(-1) - normalizer
