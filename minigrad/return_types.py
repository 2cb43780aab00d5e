"""The named tuples that reductions and sorts return: `values, indices = x.max(dim=0)`."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

__all__ = [
    "aminmax", "cummax", "cummin", "frexp", "histogram", "histogramdd", "kthvalue", "max", "median",
    "min", "mode", "nanmedian", "sort", "topk",
]  # fmt: skip


class _Result(tuple):
    """A tuple made from one iterable, with a name for each element."""

    __slots__ = ()
    _names: tuple[str, ...] = ()

    def __new__(cls, values: Iterable[Any]) -> _Result:
        self = super().__new__(cls, values)
        if len(self) != len(cls._names):
            raise TypeError(
                f"{cls.__name__}() takes a {len(cls._names)}-sequence ({len(self)}-sequence given)"
            )
        return self

    def __repr__(self) -> str:
        fields = ",\n".join(f"{n}={v!r}" for n, v in zip(self._names, self, strict=True))
        return f"torch.return_types.{self.__class__.__name__}(\n{fields})"


def _define(name: str, *names: str) -> type[_Result]:
    body: dict[str, Any] = {"__slots__": (), "_names": names, "__module__": __name__}
    for i, field in enumerate(names):
        body[field] = property(operator.itemgetter(i))
    return type(name, (_Result,), body)


aminmax = _define("aminmax", "min", "max")
cummax = _define("cummax", "values", "indices")
cummin = _define("cummin", "values", "indices")
frexp = _define("frexp", "mantissa", "exponent")
histogram = _define("histogram", "hist", "bin_edges")
histogramdd = _define("histogramdd", "hist", "bin_edges")
kthvalue = _define("kthvalue", "values", "indices")
max = _define("max", "values", "indices")
median = _define("median", "values", "indices")
min = _define("min", "values", "indices")
mode = _define("mode", "values", "indices")
nanmedian = _define("nanmedian", "values", "indices")
sort = _define("sort", "values", "indices")
topk = _define("topk", "values", "indices")
