"""Several tensors seen in shapes that fit: broadcast_tensors, meshgrid, atleast_*."""

from __future__ import annotations

from typing import Any

from ..autograd import modes
from ._shape import array_arg, broadcast_shapes, shape_of
from ._shape import expand as expand_to
from .movement import reshape, unsqueeze

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "broadcast_tensors", "meshgrid"]

_INDEXING_WARNING = (
    "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument."
)


def several(tensors: tuple) -> tuple:
    """The tensors meant by `f(a, b)` or `f([a, b])`."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        return tuple(tensors[0])
    return tensors


def broadcast_tensors(*tensors: Any) -> tuple:
    """The tensors expanded to the shape that they broadcast to."""
    given = several(tensors)
    shape = broadcast_shapes(*[array_arg("broadcast_tensors", x).shape for x in given])
    return tuple([expand_to(x, shape) for x in given])


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple:
    """Coordinate grids of the given vectors: result i varies along dimension i only.

    With `indexing="xy"` the first two dimensions are exchanged. Default: "ij", with a warning.
    """
    if indexing is None:
        modes.warn_once(_INDEXING_WARNING)
        indexing = "ij"
    given = several(tensors)
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    arrays = [array_arg("meshgrid", x) for x in given]
    for x in arrays:
        if x.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{list(x.shape)}"
            )
    if any(x.dtype != arrays[0].dtype for x in arrays):
        raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(given) > 1
    if swap:
        given = (given[1], given[0], *given[2:])
    shape = tuple([shape_of(x)[0] if shape_of(x) else 1 for x in given])
    grids = [
        expand_to(reshape(x, (1,) * i + (shape[i],) + (1,) * (len(shape) - i - 1)), shape)
        for i, x in enumerate(given)
    ]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with at least 1 dimension."""
    return _atleast(tensors, lambda x, n: x if n else reshape(x, (1,)))


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least 2 dimensions; new ones come first."""
    return _atleast(
        tensors, lambda x, n: x if n > 1 else unsqueeze(x, 0) if n else reshape(x, (1, 1))
    )


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least 3 dimensions: (n) becomes (1, n, 1), (m, n) becomes (m, n, 1)."""

    def widen(x: Any, n: int) -> Any:
        if n > 2:
            return x
        if n == 2:
            return unsqueeze(x, -1)
        return unsqueeze(unsqueeze(x, 0), -1) if n else reshape(x, (1, 1, 1))

    return _atleast(tensors, widen)


def _atleast(tensors: tuple, widen: Any) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
        return widen(tensors[0], array_arg("atleast", tensors[0]).ndim)
    return tuple([widen(x, array_arg("atleast", x).ndim) for x in several(tensors)])
