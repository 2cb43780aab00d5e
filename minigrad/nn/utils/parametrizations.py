"""Weights of spectral norm 1, split into length and direction, or orthogonal."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...autograd.modes import no_grad
from ...autograd.variable import Variable
from .. import functional as F
from ..module import Module
from .parametrize import register_parametrization

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def scaled_direction(v: Any, g: Any, dim: int) -> Any:
    """v / |v| * g, with the norm over all dimensions but `dim` (-1: over all)."""
    return v * (g / ops.norm_except_dim(v, 2, dim))


class _WeightNorm(Module):
    """(length, direction) to a weight. (Salimans and Kingma 2016.)"""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        return scaled_direction(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        return ops.norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Splits a weight into its length (`original0`) and direction (`original1`).

    The norm is over all dimensions but `dim`; None: over all. A state_dict of the older
    `nn.utils.weight_norm` can be loaded.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state_dict: dict, prefix: str, *_: Any) -> None:
        old = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


class _SpectralNorm(Module):
    """A weight over its largest singular value, by power iteration. (Miyato et al. 2018.)"""

    _u: Any
    _v: Any

    def __init__(
        self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{ndim}, {ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight, self.dim)
            for buffer, size in zip(("_u", "_v"), matrix.shape, strict=True):
                start = matrix.new_empty(size).normal_(0, 1).detach()
                self.register_buffer(buffer, F.normalize(start, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Any, times: int) -> None:
        """Moves u and v, in place, towards the first singular vectors."""
        with no_grad():
            for _ in range(times):
                F.normalize(ops.mv(matrix, self._v), dim=0, eps=self.eps, out=self._u)
                F.normalize(ops.mv(matrix.t(), self._u), dim=0, eps=self.eps, out=self._v)

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        # Copies, so that another forward may move u and v before this one's backward.
        u, v = self._u.clone(), self._v.clone()
        return weight / ops.dot(u, ops.mv(matrix, v))

    def right_inverse(self, value: Any) -> Any:
        # Any value has a right inverse up to its scale: the value itself.
        return value


def as_matrix(weight: Any, dim: int) -> Any:
    """A weight with dimension `dim` as rows and all others as columns."""
    if dim:
        weight = weight.permute(dim, *[d for d in range(weight.ndim) if d != dim])
    return weight.flatten(1)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divides a weight by its largest singular value, as a matrix with `dim` as rows.

    Default: dimension 1 for transposed convolutions, else 0. Each forward in training improves the
    value by `n_power_iterations` steps. ValueError if there is no tensor of that name.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Variable):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = rows_dim(module)
    norm = _SpectralNorm(weight, n_power_iterations, dim, eps)
    register_parametrization(module, name, norm)
    return module


def rows_dim(module: Module) -> int:
    """The dimension of a module's weight that counts its outputs."""
    transposed = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
    return int(any(cls.__name__ in transposed for cls in type(module).__mro__))


_MAPS = ("matrix_exp", "cayley", "householder")


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keeps a matrix (or a batch of them) orthogonal: its columns, or its rows if it is wide.

    `orthogonal_map`: "matrix_exp" (square matrices' default), "cayley" or "householder" (others').
    `use_trivialization`: the map starts from a fixed matrix near which training stays, so that
    values can be assigned. ValueError for other names, and for tensors with less than 2 dimensions.
    """
    # Linear algebra is loaded by those who use it.
    from ._orthogonal import _Orthogonal

    weight = getattr(module, name, None)
    if not isinstance(weight, Variable):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight._array.ndim < 2:
        raise ValueError(
            "Expected a matrix or batch of matrices. Got a tensor of "
            f"{weight._array.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    step = _Orthogonal(weight, orthogonal_map, use_trivialization)
    register_parametrization(module, name, step, unsafe=True)
    return module
