"""`assert_close` against PyTorch's: which values pass, and every word of the message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing import assert_close

torch = pytest.importorskip("torch")

CASES = [
    "[t([1., 2, 3]), t([1., 2, 4])]",
    "[t([[1., 2], [3, 4]]), t([[1., 2], [5, 4]])], dict(rtol=0, atol=.1)",
    "[t([1, 2]), t([1, 3])]",
    "[1.0, 2.0]",
    "[1, 2]",
    "[t(1.), t(2.)]",
    "[t([1.]), t([1., 2])]",
    "[t([1.]), t([1.], dtype=T.float64)]",
    "[t([1.]), t([1.], dtype=T.float64)], dict(check_dtype=False)",
    "[[t(1.)], [t(1.), t(2.)]]",
    "[[1., 2.], [1., 3.]]",
    "[{'a': 1}, {'b': 1}]",
    "[{'a': t([1.])}, {'a': t([2.])}]",
    "[t([float('nan')]), t([float('nan')])]",
    "[t([float('nan')]), t([float('nan')])], dict(equal_nan=True)",
    "[t([1.]), t([2.])], dict(rtol=.1)",
    "[t([1.]), t([2.])], dict(msg='hey')",
    "[t([1.]), t([2.])], dict(msg=lambda m: 'X ' + m)",
    "[None, None]",
    "[None, 1]",
    "[t([True, False]), t([True, True])]",
    "[1., 1]",
    "[1, 1.], dict(check_dtype=False)",
    "[True, False]",
    "[np.array([1.]), np.array([2.])]",
    "[t([0., 0]), t([0., .1])], dict(rtol=0, atol=0)",
    "[t([]), t([])]",
    "[t([float('inf'), 1.]), t([float('inf'), 2.])]",
    "[(1., 2.), [1., 2.]]",
    "[[[t([1.])]], [[t([3.])]]]",
    "[t([1.0]), t([1.00001])]",
    "[t([1.0]), t([1.000001])]",
    "[t([1.0], dtype=T.bfloat16), t([1.01], dtype=T.bfloat16)]",
    "[t([1.0], dtype=T.float16), t([1.01], dtype=T.float16)]",
    "[t([1.0], dtype=T.float64), t([1.0000001], dtype=T.float64)]",
]


def outcome(compare: Any, module: Any, case: str) -> tuple[str, str]:
    args, *options = eval(f"({case},)", {"t": module.tensor, "T": module, "np": np})
    try:
        compare(*args, **(options[0] if options else {}))
    except Exception as error:
        return type(error).__name__, str(error)
    return "passed", ""


@pytest.mark.parametrize("case", CASES)
def test_as_pytorch(case: str) -> None:
    expected = outcome(torch.testing.assert_close, torch, case)
    assert outcome(assert_close, mg, case) == expected


def test_things_that_cannot_be_compared() -> None:
    for a, b in (("a", "b"), (mg.ones(1), [1.0]), (np.ones(1), mg.ones(1))):
        with pytest.raises(TypeError, match="No comparison pair"):
            assert_close(a, b)


def test_stride() -> None:
    a = mg.from_numpy(np.zeros((2, 2)).T)
    assert_close(a, mg.zeros(2, 2, dtype=mg.float64))
    with pytest.raises(AssertionError, match=r"'stride\(\)' do not match: \(1, 2\) != \(2, 1\)"):
        assert_close(a, mg.zeros(2, 2, dtype=mg.float64), check_stride=True)


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"]
)
def test_made_tensors_are_pytorchs(dtype):
    torch = pytest.importorskip("torch")
    before = mg.random.match_torch(True)
    inf, nan = float("inf"), float("nan")
    options = [
        {}, {"low": 0, "high": 1}, {"low": -2.5, "high": 3.7, "exclude_zero": True},
        {"noncontiguous": True}, {"requires_grad": True}, {"low": 3, "high": 2}, {"low": nan},
        {"low": -inf, "high": inf}, {"low": 300, "high": 400},
    ]  # fmt: skip
    try:
        for kwargs in options:
            for shape in ((3, 4), (), (0, 2), ([5],)):
                found = []
                for lib in (mg, torch):
                    lib.manual_seed(0)
                    try:
                        t = lib.testing.make_tensor(
                            *shape, dtype=getattr(lib, dtype), device="cpu", **kwargs
                        )
                    except Exception as error:
                        found.append(type(error).__name__)
                    else:
                        values = t.detach().tolist()
                        found.append((list(t.shape), t.stride(), t.requires_grad, str(values)))
                assert found[0] == found[1], (kwargs, shape)
    finally:
        mg.random.match_torch(before)
