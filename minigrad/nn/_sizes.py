"""Arguments of layers: one number or one for each dimension, numbers of dimensions, dtypes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def ntuple(value: Any, n: int) -> tuple:
    """`value` repeated n times, or as a tuple if it is an iterable."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n


def need_dims(input: Any, dims: tuple[int, ...]) -> None:
    """ValueError unless the input has one of these numbers of dimensions."""
    ndim = input._array.ndim
    if ndim not in dims:
        wanted = " or ".join(f"{d}D" for d in dims)
        raise ValueError(f"expected {wanted} input (got {ndim}D input)")


def factory_kwargs(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """`device`, `dtype` and `memory_format`, given directly or in a dictionary `factory_kwargs`.

    TypeError for other names, and for one that is given in both ways.
    """
    if kwargs is None:
        return {}
    names = {"device", "dtype", "memory_format"}
    if not kwargs.keys() <= names | {"factory_kwargs"}:
        raise TypeError(f"unexpected kwargs {kwargs.keys() - names - {'factory_kwargs'}}")
    found = dict(kwargs.get("factory_kwargs", {}))
    for name in names & kwargs.keys():
        if name in found:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        found[name] = kwargs[name]
    return found
