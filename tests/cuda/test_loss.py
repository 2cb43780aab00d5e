"""Cross-entropy and its gradient against the CPU's in float64."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels import numpy_loss

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
BOUND = {"float32": 3e-6, "float64": 1e-12, "float16": 2e-3, "bfloat16": 1.6e-2}
SHAPES = [
    (1, 1), (5, 3), (33, 10), (3, 32), (70, 257), (3, 1024), (3, 1032), (2, 5003), (2, 3, 35),
    (3, 7, 4, 5), (0, 4),
]  # fmt: skip


def forward(cuda, x, t, w, ignored, reduction, smoothing):
    wide = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    loss = filled(t.shape if reduction == "none" else (), x.dtype)
    lse, denominator = filled(t.shape, wide), filled((), wide)
    size = cuda.cross_entropy_workspace(
        *(a if a is None else cuda.device.array(a) for a in (x, t, w))
    )
    work = filled(size, np.uint8)
    cuda.run("cross_entropy", loss, lse, denominator, x, t, w, work, ignored, reduction, smoothing)
    return loss, lse, denominator


def assert_near(got, want, dtype):
    bound = BOUND[np.dtype(dtype).name]
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=bound, atol=bound)


def reference(x, t, w, *rest):
    n, c = x.shape[:2]
    flat = x.astype(np.float64).reshape(n, c, int(np.prod(x.shape[2:])))
    wide = None if w is None else w.astype(np.float64)
    return flat, t.reshape(n, flat.shape[2]), wide, *rest


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "reduction, weighted, smoothing",
    [("mean", False, 0.0), ("sum", True, 0.0), ("none", True, 0.2), ("mean", True, 0.1),
     ("mean", False, 0.1)],
)  # fmt: skip
def test_forward_and_backward(cuda, shape, dtype, reduction, weighted, smoothing):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, shape).astype(dtype)
    t = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    t.reshape(-1)[1::5] = -100
    w = rng.uniform(0.5, 2, shape[1]).astype(dtype) if weighted else None
    loss, lse, denominator = forward(cuda, x, t, w, -100, reduction, smoothing)
    args = reference(x, t, w)
    with np.errstate(all="ignore"):
        want = numpy_loss.cross_entropy(*args, -100, reduction, smoothing)
    assert_near(loss, np.reshape(want[0], loss.shape), dtype)
    assert_near(lse, want[1].reshape(lse.shape), lse.dtype)
    assert_near(denominator, want[2], lse.dtype)
    grad = rng.normal(1, 1, loss.shape).astype(dtype)
    out = filled(shape, dtype)
    cuda.run(
        "cross_entropy_backward", out, grad, x, t, w, lse, denominator, -100, reduction, smoothing
    )
    wide = grad.astype(np.float64)
    wide = wide.reshape(args[1].shape) if reduction == "none" else wide
    with np.errstate(all="ignore"):
        want = numpy_loss.cross_entropy_backward(
            wide, *args, want[1], want[2], -100, reduction, smoothing
        )
    assert_near(out, want.reshape(shape), dtype)


def test_classes_out_of_range_give_nan(cuda):
    x, t = np.zeros((3, 4), np.float32), np.array([1, 4, -1])
    loss, lse, denominator = forward(cuda, x, t, None, -100, "none", 0.0)
    np.testing.assert_array_equal(np.isnan(loss), [False, True, True])
    out, grad = filled((3, 4), np.float32), np.ones(3, np.float32)
    cuda.run("cross_entropy_backward", out, grad, x, t, None, lse, denominator, -100, "none", 0.0)
    np.testing.assert_array_equal(np.isnan(out).all(1), [False, True, True])
    assert not np.isnan(out[0]).any()


def test_bad_arguments(cuda):
    with pytest.raises(ValueError, match="cross_entropy: x is .* they must be"):
        args = [cuda.device.array(a) for a in (np.zeros((3, 4), np.float32), np.zeros(4, np.int64))]
        one = cuda.device.array(np.zeros(1, np.float32))
        cuda.cross_entropy(one, one, one, *args, None, None, -100, "mean", 0.0, 0)
