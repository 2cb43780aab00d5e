"""Softmax, log-softmax and their gradients against NumPy in float64."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
BOUND = {"float32": 3e-6, "float64": 1e-12, "float16": 2e-3, "bfloat16": 1.6e-2}
# Rows held by a warp, by a block, and too long for either; whole packs and not.
SHAPES = [
    ((5, 1), 1), ((3, 31), 1), ((3, 32), -1), ((70, 33), 1), ((2, 512), 1), ((2, 520), 1),
    ((2, 4096), 1), ((2, 4097), 1), ((2, 9000), 1), ((2, 9001), 1), ((4, 7, 5), 1),
    ((3, 40, 70), 1), ((65, 3), 0), ((2, 3, 4), 2), ((0, 4), 1), ((4, 0), 1), ((), -1),
]  # fmt: skip


def assert_near(got, want, dtype):
    bound = BOUND[np.dtype(dtype).name]
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=bound, atol=bound)


def forward(x, axis, log):
    x = x.astype(np.float64)
    if not x.size:
        return x
    e = x - x.max(axis, keepdims=True)
    lse = np.log(np.exp(e).sum(axis, keepdims=True))
    return e - lse if log else np.exp(e - lse)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("shape, axis", SHAPES)
def test_forward_and_backward(cuda, shape, axis, log, dtype):
    if shape == ():
        x, shape = np.asarray(0.5, dtype), ()
    else:
        x = np.random.default_rng(0).normal(0, 3, shape).astype(dtype)
    out = filled(shape, dtype)
    name = "log_softmax" if log else "softmax"
    cuda.run(name, out, x, axis if shape else 0)
    axis = axis if shape else None
    want = forward(x, axis, log) if shape else np.asarray(0.0 if log else 1.0)
    assert_near(out, want, dtype)
    if not shape:
        return
    grad, y = np.random.default_rng(1).normal(0, 1, shape).astype(dtype), want.astype(dtype)
    out = filled(shape, dtype)
    cuda.run(f"{name}_backward", out, grad, y, axis)
    g, v = grad.astype(np.float64), y.astype(np.float64)
    if log:
        want = g - np.exp(v) * g.sum(axis, keepdims=True)
    else:
        want = v * (g - (g * v).sum(axis, keepdims=True))
    scale = max(1.0, np.abs(g.sum(axis)).max()) if g.size else 1.0
    assert_near(out / dtype.type(scale), want / scale, dtype)


@pytest.mark.parametrize(
    "shape, axis", [((3, 600), 1), ((600, 3), 0), ((3, 30), 1), ((3, 5000), 1)]
)
def test_infinity_and_nan(cuda, shape, axis):
    x = np.random.default_rng(0).normal(0, 1, (3, max(shape))).astype(np.float32)
    x[0, ::2] = -np.inf
    x[1] = -np.inf
    x[2, 7] = np.nan
    x = np.ascontiguousarray(x if axis == 1 else x.T)
    out = filled(shape, np.float32)
    cuda.run("softmax", out, x, axis)
    out = out if axis == 1 else out.T
    assert np.isnan(out[1:]).all() and not np.isnan(out[0]).any()
    assert (out[0, ::2] == 0).all() and abs(out[0].sum() - 1) < 1e-5


def test_in_place_and_misaligned(cuda):
    x = np.random.default_rng(0).normal(0, 1, (3, 64)).astype(np.float32)
    there = cuda.device.array(np.concatenate([np.zeros(1, np.float32), x.ravel()]))[1:]
    rows = (
        type(there)(there.host.reshape(3, 64)) if hasattr(there, "host") else there.reshape(3, 64)
    )
    cuda.softmax(rows, rows, 1, cuda.device.stream)
    assert_near(cuda.device.host(rows), forward(x, 1, False), np.float32)
