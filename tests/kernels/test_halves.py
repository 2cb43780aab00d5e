"""16-bit floats that are computed without blocks of float32: signs by bits, plain arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg

ALL = np.arange(1 << 16, dtype=np.uint16).view(np.int16)


def bits(x: Any) -> Any:
    return x.view(mg.int16).numpy().view(np.uint16)


@pytest.mark.parametrize("dtype", [mg.float16, mg.bfloat16])
def test_signs_of_every_number(isa: str, dtype: Any) -> None:
    x = mg.from_numpy(ALL.copy()).view(dtype)
    nan = np.isnan(x.float().numpy())
    given = bits(x)
    np.testing.assert_array_equal(bits(-x), given ^ 0x8000)
    np.testing.assert_array_equal(bits(x.abs()), given & 0x7FFF)
    below = (given > 0x8000) & ~nan
    np.testing.assert_array_equal(bits(mg.relu(x)), np.where(below, 0, given))
    for n in (1, 31, 33, 65):
        np.testing.assert_array_equal(bits(x[5:].abs()[:n]), bits(x[5 : 5 + n].abs()))
        np.testing.assert_array_equal(bits(mg.relu(x[3 : 3 + n])), bits(mg.relu(x)[3 : 3 + n]))
    np.testing.assert_array_equal(bits(-x.view(256, 256).t()), (given ^ 0x8000).reshape(256, 256).T)


@pytest.mark.parametrize("dtype", [mg.float16, mg.bfloat16])
@pytest.mark.parametrize(
    ("first", "second"),
    [((1,), (1,)), ((1000,), (1000,)), ((40, 33), (33,)), ((40, 33), (40, 1)), ((17, 1), (1, 50)),
     ((4, 5, 6), ()), ((3, 1, 70), (2, 1)), ((0, 3), (3,))],
)  # fmt: skip
def test_arithmetic(isa: str, first: tuple, second: tuple, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (
        mg.from_numpy(rng.uniform(-2, 2, s).astype("f").reshape(s)).to(dtype)
        for s in (first, second)
    )
    for f in (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a * 0.1 + b,
        lambda a, b: 3.3 - a + b,
    ):
        got = f(a, b)
        assert got.dtype == dtype
    for f in (mg.add, mg.sub, mg.mul, mg.div):
        wide = f(a.float(), b.float()).to(dtype)
        np.testing.assert_array_equal(bits(f(a, b)), bits(wide))
        np.testing.assert_array_equal(bits(f(a, 0.3)), bits(f(a.float(), 0.3).to(dtype)))
        if a.ndim == 2:
            turned = bits(f(a.t(), b.t() if b.ndim == 2 else 0.3))
            whole = f(a.float().t(), b.float().t() if b.ndim == 2 else 0.3).to(dtype)
            np.testing.assert_array_equal(turned, bits(whole.contiguous()))
