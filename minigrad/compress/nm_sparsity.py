"""N:M sparsity: of every M weights in a row N stay, as hardware for sparse products wants it."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..creation import zeros_like
from ..nn.utils import prune
from ._names import chosen

__all__ = ["NMStructured", "is_nm_sparse", "nm_mask", "nm_structured", "sparsify"]


def _check(n: int, m: int, size: int | None = None, dim: int = 1) -> None:
    if not 0 < n < m:
        raise ValueError(f"n={n}, m={m} were given; 0 < n < m is needed")
    if size is not None and size % m:
        raise ValueError(f"dimension {dim} has {size} elements; a multiple of m={m} is needed")


def _rows(t: Any, m: int, dim: int) -> Any:
    """(..., size) with `dim` last, as (..., size / m, m)."""
    t = t.movedim(dim, -1)
    return t.reshape(*t.shape[:-1], -1, m)


def nm_mask(weight: Any, n: int = 2, m: int = 4, dim: int = 1) -> Any:
    """1 for the `n` largest absolute values of every `m` in a row along `dim`, else 0.

    The dtype and shape are the weight's; of equal values the first stay (Mishra et al. 2021).
    ValueError unless 0 < n < m and m divides the size.
    """
    _check(n, m, weight.shape[dim], dim)
    rows = _rows(weight.detach().abs(), m, dim)
    order = rows.argsort(-1, descending=True, stable=True)
    mask = zeros_like(rows).scatter(-1, order[..., :n], 1.0)
    moved = weight.detach().movedim(dim, -1).shape
    return mask.reshape(moved).movedim(-1, dim).contiguous()


def is_nm_sparse(weight: Any, n: int = 2, m: int = 4, dim: int = 1) -> bool:
    """Whether no `m` weights in a row along `dim` have more than `n` that are not zero."""
    _check(n, m, weight.shape[dim], dim)
    return bool(((_rows(weight.detach(), m, dim) != 0).sum(-1) <= n).all())


class NMStructured(prune.BasePruningMethod):
    """The pruning method of `nn.utils.prune` that keeps n of every m weights along `dim`."""

    PRUNING_TYPE = "global"

    def __init__(self, n: int = 2, m: int = 4, dim: int = 1) -> None:
        _check(n, m)
        self.n, self.m, self.dim = n, m, dim

    def compute_mask(self, t: Any, default_mask: Any) -> Any:
        mask = nm_mask(t * default_mask.to(dtype=t.dtype), self.n, self.m, self.dim)
        return mask * default_mask.to(dtype=mask.dtype)


def nm_structured(module: Any, name: str = "weight", n: int = 2, m: int = 4, dim: int = 1) -> Any:
    """Masks a parameter so that n of every m weights along `dim` stay; returns the module.

    The mask holds while the module is trained, as those of `nn.utils.prune`, whose `remove` makes
    it permanent.
    """
    _check(n, m, getattr(module, name).shape[dim], dim)
    NMStructured.apply(module, name, n=n, m=m, dim=dim)
    return module


def sparsify(model: Any, n: int = 2, m: int = 4, layers: Any = None) -> list[str]:
    """Masks the weights of a model's Linear and Conv layers to n:m along their inputs, in place.

    Returns the names of the layers. `layers`: only these names or patterns; by default all whose
    number of inputs m divides. ValueError for a name that fits no layer, or one that m does not
    divide, and if no layer is left.
    """
    _check(n, m)
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    able = {name: x for name, x in model.named_modules() if isinstance(x, kinds)}
    if layers is None:
        names = [name for name, x in able.items() if x.weight.shape[1] % m == 0]
    else:
        names = chosen("sparsify", able, layers)
    if not names:
        raise ValueError(f"sparsify: no layer has a multiple of {m} inputs")
    for name in names:
        nm_structured(able[name], "weight", n, m)
    return names
