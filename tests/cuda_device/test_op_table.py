"""Every row of the op table on the emulated GPU: values and gradients are the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optable import ROWS
from optable.row import A, Row, build, to_numpy
from test_ops import RTOL, flat, name_of, rng_of, weights

import minigrad as mg
from minigrad.autograd.variable import Variable
from minigrad.backend import CPU, on_gpu

from .missing import MISSING

_CASES = [(row, d) for row in ROWS for d in row.dtypes]
cases = pytest.mark.parametrize(("row", "dtype"), _CASES, ids=[f"{r.id}-{d}" for r, d in _CASES])


def call(row: Row, dtype: str, where: str) -> tuple[list, list]:
    """The results on a device, and the leaves."""
    leaves: list = []

    def convert(values: np.ndarray, spec: A) -> Any:
        t = mg.Tensor._from_array(to_numpy(values, spec.dtype or dtype)).to(where)
        if spec.grad and t.is_floating_point():
            t.requires_grad_()
        leaves.append(t)
        return t

    rng = rng_of(row)
    args = build(row.args, rng, dtype, convert)
    kwargs = build(row.kwargs, rng, dtype, convert)
    if "device" not in kwargs and not leaves:
        with mg.device(where):
            return flat(row.function()(*args, **kwargs)), leaves
    return flat(row.function()(*args, **kwargs)), leaves


def gradients(results: list, leaves: list) -> list:
    """The gradients of a fixed combination of the results."""
    found = [r for r in results if isinstance(r, Variable) and r._fn is not None]
    if not found:
        return []
    total = sum(
        (r.float() * mg.tensor(w.astype(np.float32)).to(r.device)).sum()
        for r, w in zip(found, weights(found, 3), strict=True)
    )
    total.backward()
    return [t.grad for t in leaves if t.grad is not None]


def values(t: Any) -> np.ndarray:
    array = t.detach().cpu()._array if isinstance(t, Variable) else t
    return np.asarray(array, np.float64)


def compare(row: Row, dtype: str, here: list, there: list, what: str) -> None:
    assert len(here) == len(there), what
    for h, t in zip(here, there, strict=True):
        if not isinstance(h, Variable):
            assert h == t or np.allclose(values(h), values(t), equal_nan=True), what
            continue
        assert on_gpu(t._array), f"{what}: the result lies on {t.device}"
        assert t.dtype == h.dtype and t.shape == h.shape, what
        tol = row.rtol.get(dtype, max(RTOL.get(dtype, 0), RTOL.get(name_of(h), 0)))
        np.testing.assert_allclose(values(t), values(h), rtol=tol, atol=tol, err_msg=what)


@cases
def test_as_on_the_cpu(row: Row, dtype: str) -> None:
    mg.manual_seed(7)
    here, leaves = call(row, dtype, "cpu")
    mg.manual_seed(7)
    missing = MISSING.get(row.id) or MISSING.get(f"{row.id}-{dtype}", "")
    try:
        there, copies = call(row, dtype, "cuda")
        compare(row, dtype, here, there, "values")
        if row.grad and missing != "gradient":
            compare(row, dtype, gradients(here, leaves), gradients(there, copies), "gradients")
    except NotImplementedError as error:
        assert "no GPU form yet" in str(error), error
        assert missing, f"{row.id} is not listed as missing: {error}"
    else:
        assert missing != "value", f"{row.id} has a GPU form now: take it off the list"
    assert all(t.device == CPU for t in leaves)
