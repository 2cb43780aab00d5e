"""Normalisations and their gradients against NumPy's forms in float64."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels import numpy_norm

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
BOUND = {"float32": 1e-5, "float64": 1e-11, "float16": 4e-3, "bfloat16": 3e-2}
EPS = 1e-5


def computed(dtype):
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def draw(seed, shape, dtype, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1, shape).astype(dtype)


def wide(a):
    return None if a is None else a.astype(np.float64)


def assert_near(got, want, dtype):
    """Close for numbers of the size of the largest one."""
    bound = BOUND[np.dtype(dtype).name]
    want = np.reshape(want, got.shape)
    scale = max(1.0, np.abs(want).max()) if want.size else 1.0
    np.testing.assert_allclose(got.astype(np.float64) / scale, want / scale, rtol=0, atol=bound)


def params(n, dtype, given, own):
    """w and b: in x's type (`own`) or in the computing type."""
    if not given:
        return None, None
    kind = dtype if own else computed(dtype)
    return draw(7, n, kind, 1.0), draw(8, n, kind)


ROWS = [(1, 1), (5, 3), (3, 32), (70, 33), (2, 512), (3, 520), (2, 4096), (2, 4097), (2, 9000),
        (300, 40)]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("given, own", [(True, True), (True, False), (False, True)])
def test_layer_and_rms_norm(cuda, shape, dtype, given, own):
    rows, n = shape
    kind = computed(dtype)
    x, grad = draw(0, shape, dtype, 2.0), draw(1, shape, dtype)
    w, b = params(n, dtype, given, own)
    y, mean, rstd = filled(shape, dtype), filled((rows, 1), kind), filled((rows, 1), kind)
    cuda.run("layer_norm", y, mean, rstd, x, w, b, n, EPS)
    want = numpy_norm.layer_norm(wide(x), wide(w), wide(b), n, EPS)
    if n > 1:
        assert_near(y, want[0], dtype)
    for got, right in zip((mean, rstd), want[1:], strict=True):
        assert_near(got, right, kind)
    dx, dw, db = filled(shape, dtype), filled(n, kind), filled(n, kind)
    work = filled(cuda.norm_workspace(rows, n, 1), np.uint8)
    cuda.run("layer_norm_backward", dx, dw, db, grad, x, mean, rstd, w, work)
    want = numpy_norm.layer_norm_backward(
        wide(grad), wide(x), wide(mean), wide(rstd), wide(w), 1, (True, True, True)
    )
    for got, right in zip((dx, dw, db), want, strict=True):
        assert_near(got, right, got.dtype)

    cuda.run("rms_norm", y, rstd, x, w, n, EPS)
    want = numpy_norm.rms_norm(wide(x), wide(w), n, EPS)
    assert_near(y, want[0], dtype)
    assert_near(rstd, want[1], kind)
    cuda.run("rms_norm_backward", dx, dw, grad, x, rstd, w, work)
    want = numpy_norm.rms_norm_backward(wide(grad), wide(x), wide(rstd), wide(w), 1, (True, True))
    for got, right in zip((dx, dw), want, strict=True):
        assert_near(got, right, got.dtype)


PLANES = [
    (2, 4, 1),
    (3, 6, 5),
    (2, 8, 32),
    (70, 4, 6),
    (2, 6, 2000),
    (5, 70),
    (130, 64),
    (2, 2, 9, 4),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", PLANES)
@pytest.mark.parametrize(
    "groups, given, own", [(1, True, True), (2, True, False), (2, False, True)]
)
def test_group_norm(cuda, shape, dtype, groups, given, own):
    if len(shape) == 2:
        shape = (*shape, 1)
    n, c = shape[:2]
    kind = computed(dtype)
    x, grad = draw(0, shape, dtype, 2.0), draw(1, shape, dtype)
    w, b = params(c, dtype, given, own)
    y, mean, rstd = (
        filled(shape, dtype),
        filled((n * groups, 1), kind),
        filled((n * groups, 1), kind),
    )
    cuda.run("group_norm", y, mean, rstd, x, w, b, groups, EPS)
    want = numpy_norm.group_norm(wide(x), wide(w), wide(b), groups, EPS)
    for got, right in zip((y, mean, rstd), want, strict=True):
        assert_near(got, right, got.dtype)
    dx, dw, db = filled(shape, dtype), filled(c, kind), filled(c, kind)
    work = filled(cuda.norm_workspace(n, c, int(np.prod(shape[2:]))), np.uint8)
    cuda.run("group_norm_backward", dx, dw, db, grad, x, mean, rstd, w, work, groups)
    want = numpy_norm.group_norm_backward(
        wide(grad), wide(x), wide(mean), wide(rstd), wide(w), groups, (True, True, True)
    )
    for got, right in zip((dx, dw, db), want, strict=True):
        assert_near(got, right, got.dtype)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [*PLANES, (3, 5, 4097), (700, 3)])
@pytest.mark.parametrize("given, own", [(True, True), (True, False), (False, True)])
def test_batch_norm(cuda, shape, dtype, training, given, own):
    n, c = shape[:2]
    length = int(np.prod(shape[2:]))
    kind = computed(dtype)
    x, grad = draw(0, shape, dtype, 2.0), draw(1, shape, dtype)
    w, b = params(c, dtype, given, own)
    running = [draw(2, c, kind), np.abs(draw(3, c, kind)) + 1]
    copies = [wide(a) for a in running]
    y, mean, rstd = filled(shape, dtype), filled(c, kind), filled(c, kind)
    work = filled(cuda.norm_workspace(n, c, length), np.uint8)
    cuda.run("batch_norm", y, mean, rstd, *running, x, w, b, work, training, 0.1, EPS)
    want = numpy_norm.batch_norm(wide(x), wide(w), wide(b), *copies, training, 0.1, EPS)
    for got, right in zip((y, mean, rstd, *running), (*want, *copies), strict=True):
        assert_near(got, right, got.dtype)
    dx, dw, db = filled(shape, dtype), filled(c, kind), filled(c, kind)
    cuda.run("batch_norm_backward", dx, dw, db, grad, x, w, mean, rstd, work, training)
    want = numpy_norm.batch_norm_backward(
        wide(grad), wide(x), wide(w), wide(mean), wide(rstd), training, (True, True, True)
    )
    for got, right in zip((dx, dw, db), want, strict=True):
        assert_near(got, right, got.dtype)


def test_variance_far_from_zero(cuda):
    x = draw(0, (4, 6000), np.float32, 1000.0)
    y, mean, rstd = filled(x.shape, np.float32), filled(4, np.float32), filled(4, np.float32)
    cuda.run("layer_norm", y, mean, rstd, x, None, None, 6000, 0.0)
    np.testing.assert_allclose(rstd, 1 / x.astype(np.float64).std(1), rtol=1e-6)


def test_bad_arguments(cuda):
    device = cuda.device
    x, one = device.array(np.zeros((3, 4), np.float32)), device.array(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="layer_norm: x is .* there must be whole rows"):
        cuda.layer_norm(x, one, one, x, None, None, 5, EPS, 0)
    with pytest.raises(ValueError, match="batch_norm: no running statistics"):
        four = device.array(np.zeros(4, np.float32))
        cuda.batch_norm(x, four, four, None, None, x, None, None, None, False, 0.1, EPS, 0)
    with pytest.raises(ValueError, match="layer_norm: w is .* must have 4 elements"):
        cuda.layer_norm(x, one, one, x, one, None, 4, EPS, 0)
