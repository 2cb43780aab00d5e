"""The named tuples that reductions and sorts return: `values, indices = x.max(dim=0)`."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

__all__ = [
    "aminmax", "cummax", "cummin", "frexp", "geqrf", "histogram", "histogramdd", "kthvalue",
    "linalg_cholesky_ex", "linalg_eig", "linalg_eigh", "linalg_inv_ex", "linalg_ldl_factor",
    "linalg_ldl_factor_ex", "linalg_lstsq", "linalg_lu", "linalg_lu_factor", "linalg_lu_factor_ex",
    "linalg_qr", "linalg_slogdet", "linalg_solve_ex", "linalg_svd", "lu_unpack", "max", "median",
    "min", "mode", "nanmedian", "qr", "slogdet", "sort", "svd", "topk", "triangular_solve",
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
geqrf = _define("geqrf", "a", "tau")
kthvalue = _define("kthvalue", "values", "indices")
linalg_cholesky_ex = _define("linalg_cholesky_ex", "L", "info")
linalg_eig = _define("linalg_eig", "eigenvalues", "eigenvectors")
linalg_eigh = _define("linalg_eigh", "eigenvalues", "eigenvectors")
linalg_inv_ex = _define("linalg_inv_ex", "inverse", "info")
linalg_ldl_factor = _define("linalg_ldl_factor", "LD", "pivots")
linalg_ldl_factor_ex = _define("linalg_ldl_factor_ex", "LD", "pivots", "info")
linalg_lstsq = _define("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
linalg_lu = _define("linalg_lu", "P", "L", "U")
linalg_lu_factor = _define("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _define("linalg_lu_factor_ex", "LU", "pivots", "info")
linalg_qr = _define("linalg_qr", "Q", "R")
linalg_slogdet = _define("linalg_slogdet", "sign", "logabsdet")
linalg_solve_ex = _define("linalg_solve_ex", "result", "info")
linalg_svd = _define("linalg_svd", "U", "S", "Vh")
lu_unpack = _define("lu_unpack", "P", "L", "U")
max = _define("max", "values", "indices")
median = _define("median", "values", "indices")
min = _define("min", "values", "indices")
mode = _define("mode", "values", "indices")
nanmedian = _define("nanmedian", "values", "indices")
qr = _define("qr", "Q", "R")
slogdet = _define("slogdet", "sign", "logabsdet")
sort = _define("sort", "values", "indices")
svd = _define("svd", "U", "S", "V")
topk = _define("topk", "values", "indices")
triangular_solve = _define("triangular_solve", "solution", "cloned_coefficient")
