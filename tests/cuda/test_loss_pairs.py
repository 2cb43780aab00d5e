"""Losses of pairs and their gradients against NumPy's forms in float64."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels import loss as cpu
from minigrad.kernels.loss import LOSSES

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
BOUND = {"float32": 3e-6, "float64": 1e-12, "float16": 2e-3, "bfloat16": 1.6e-2}
NUMBERS = {"smooth_l1_loss": 0.7, "huber_loss": 1.3}


def pairs(name, n, dtype):
    rng = np.random.default_rng(n)
    x, t = rng.normal(0, 1.5, n), rng.normal(0, 1.5, n)
    if name == "binary_cross_entropy":
        x, t = rng.uniform(0.02, 0.98, n), rng.uniform(0, 1, n)
    elif name == "kl_div":
        t = rng.uniform(0, 1, n) + 0.01
    x[::7] = t[::7]
    return x.astype(dtype), t.astype(dtype)


def assert_near(got, want, dtype):
    bound = BOUND[np.dtype(dtype).name]
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_forward_and_backward(cuda, name, reduction, dtype):
    op, number = LOSSES.index(name), NUMBERS.get(name, 0.0)
    for n in (1, 3, 33, 8192, 8193, 20003):
        x, t = pairs(name, n, dtype)
        out = filled(n if reduction == "none" else (), dtype)
        work = filled(cuda.pair_loss_workspace(n), np.uint8) if reduction != "none" else None
        cuda.run("pair_loss", out, x, t, work, op, reduction, number)
        a, b = x.astype(np.float64), t.astype(np.float64)
        terms = (op, number, reduction, ())
        want = cpu.pair_loss(name, terms, a, b)
        scale = max(1.0, float(np.abs(want).max()))
        if dtype == np.float16 and scale > 60000:  # infinite in this type
            continue
        assert_near(out.astype(np.float64) / scale, want / scale, dtype)
        grad = np.random.default_rng(0).normal(1, 1, out.shape).astype(dtype)
        for target in (False, True):
            d = filled(n, dtype)
            cuda.run("pair_loss_backward", d, grad, x, t, op, reduction, number, target)
            want = cpu.pair_loss_backward(name, terms, grad.astype(np.float64), a, b, target)
            assert_near(d, want, dtype)


def test_outside_the_domain_is_nan(cuda):
    x = np.array([0.5, 1.5, -0.1, np.nan, 0.0, 1.0], np.float32)
    out, t = filled(6, np.float32), np.full(6, 0.25, np.float32)
    cuda.run("pair_loss", out, x, t, None, LOSSES.index("binary_cross_entropy"), "none", 0.0)
    np.testing.assert_array_equal(np.isnan(out), [False, True, True, True, False, False])


def test_empty(cuda):
    x, out = np.zeros(0, np.float32), filled((), np.float32)
    cuda.run("pair_loss", out, x, x, None, 0, "sum", 0.0)
    assert out == 0
    cuda.run("pair_loss", out, x, x, None, 0, "mean", 0.0)
    assert np.isnan(out)
