"""Matrix products against NumPy in float64: every form, layout, dtype and awkward size."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled, relative_error

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
BOUNDS = {np.dtype("f4"): 2e-6, np.dtype("f8"): 1e-14, np.dtype("f2"): 1e-3, BFLOAT16: 8e-3}
SIZES = [
    (1, 1, 1),
    (3, 2, 5),
    (64, 64, 16),
    (65, 67, 33),
    (130, 129, 100),
    (17, 200, 7),
    (40, 72, 200),
]


@pytest.fixture(params=["large", "small"])
def tiles(cuda, request):
    """On the emulation both sizes of tiles are taken, by way of the size of the chip."""
    if cuda.device.name == "emulation":
        cuda.set_device(80, 1 if request.param == "large" else 100)
        yield
        cuda.set_device(90, 132)
    else:
        yield


def random(rng, shape, dtype, turned=False):
    """A matrix, or one that lies transposed in memory."""
    if turned:
        return random(rng, (*shape[:-2], shape[-1], shape[-2]), dtype).swapaxes(-1, -2)
    return rng.standard_normal(shape).astype(dtype)


def gemm(cuda, a, b, out=None, alpha=1.0, beta=0.0, bias=None, relu=False, tf32=False, bytes=0):
    if out is None:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        out = filled((*batch, a.shape[-2], b.shape[-1]), a.dtype)
    workspace = np.zeros(bytes, np.uint8) if bytes else None
    cuda.run("gemm", out, a, b, alpha, beta, bias, relu, tf32, workspace)
    return out


def product(a, b):
    return a.astype(np.float64) @ b.astype(np.float64)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("m, n, k", SIZES, ids=str)
def test_sizes_and_layouts(cuda, tiles, dtype, m, n, k):
    rng = np.random.default_rng(m * n + k)
    for turn_a, turn_b in itertools.product([False, True], repeat=2):
        a, b = random(rng, (m, k), dtype, turn_a), random(rng, (k, n), dtype, turn_b)
        got = gemm(cuda, a, b)
        assert relative_error(got, product(a, b)) < BOUNDS[dtype], (turn_a, turn_b)


@pytest.mark.parametrize("m, n, k", [*SIZES[1:], (144, 136, 96)], ids=str)
def test_tf32(cuda, m, n, k):
    rng = np.random.default_rng(m + n + k)

    def rounded(x):  # to 10 bits of mantissa
        return ((x.copy().view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)

    for turn_a, turn_b in itertools.product([False, True], repeat=2):
        a, b = random(rng, (m, k), np.float32, turn_a), random(rng, (k, n), np.float32, turn_b)
        got = gemm(cuda, a, b, tf32=True)
        if cuda.device.name == "emulation":
            assert relative_error(got, product(rounded(a), rounded(b))) < 2e-6
        assert relative_error(got, product(a, b)) < 1e-3


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
def test_whole_vectors(cuda, tiles, dtype):
    rng = np.random.default_rng(1)
    for turn_a, turn_b in itertools.product([False, True], repeat=2):
        a, b = random(rng, (144, 96), dtype, turn_a), random(rng, (96, 136), dtype, turn_b)
        assert relative_error(gemm(cuda, a, b), product(a, b)) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize(
    "m, n, k", [(1, 70, 300), (70, 1, 300), (1, 1, 1000), (5, 1, 3), (1, 9, 1)]
)
def test_vectors(cuda, dtype, m, n, k):
    rng = np.random.default_rng(k)
    for turn_a, turn_b in itertools.product([False, True], repeat=2):
        a, b = random(rng, (m, k), dtype, turn_a), random(rng, (k, n), dtype, turn_b)
        assert relative_error(gemm(cuda, a, b), product(a, b)) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("shape", [(20, 30), (1, 30), (20, 1)])
def test_alpha_beta_bias_relu(cuda, dtype, shape):
    rng = np.random.default_rng(2)
    a, b = random(rng, (shape[0], 40), dtype), random(rng, (40, shape[1]), dtype)
    c, bias = random(rng, shape, dtype), random(rng, shape[1:], dtype)
    want = 0.5 * product(a, b) - 2 * c.astype(np.float64) + bias.astype(np.float64)
    got = gemm(cuda, a, b, c.copy(), 0.5, -2.0, bias)
    assert relative_error(got, want) < BOUNDS[dtype]
    got = gemm(cuda, a, b, c.copy(), 0.5, -2.0, bias, True)
    assert relative_error(got, np.maximum(want, 0)) < BOUNDS[dtype]


def test_no_depth_gives_beta_c_and_bias(cuda):
    bias, c = np.arange(3, dtype=np.float32), np.ones((2, 3), np.float32)
    got = gemm(cuda, np.zeros((2, 0), np.float32), np.zeros((0, 3), np.float32), c, 1, 2, bias)
    np.testing.assert_array_equal(got, 2 + np.tile(bias, (2, 1)))
    assert gemm(cuda, np.zeros((0, 4), np.float32), np.zeros((4, 3), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
def test_batches(cuda, dtype):
    rng = np.random.default_rng(3)
    shapes = [((3, 5, 7), (3, 7, 9)), ((4, 1, 5, 7), (3, 7, 9)), ((2, 3, 5, 8), (8, 9)),
              ((5, 8), (2, 3, 8, 1)), ((2, 1, 1, 3, 5, 8), (1, 3, 1, 1, 8, 4))]  # fmt: skip
    for left, right in shapes:
        a, b = random(rng, left, dtype), random(rng, right, dtype)
        assert relative_error(gemm(cuda, a, b), product(a, b)) < BOUNDS[dtype]


def test_views(cuda):
    rng = np.random.default_rng(4)
    x = random(rng, (6, 20, 24), np.float32)
    a, b = x[::2, 1::3, ::2], x[3:, 2:14, 5:]
    assert relative_error(gemm(cuda, a, b), product(a, b)) < 2e-6
    heads = random(rng, (2, 9, 3, 8), np.float32).transpose(0, 2, 1, 3)  # (B, H, T, D)
    scores = gemm(cuda, heads, heads.swapaxes(-1, -2))
    assert relative_error(scores, product(heads, heads.swapaxes(-1, -2))) < 2e-6
    row = np.broadcast_to(random(rng, (1, 7), np.float32), (5, 7))
    assert (
        relative_error(
            gemm(cuda, row, random(rng, (7, 4), np.float32) * 0 + 1), product(row, np.ones((7, 4)))
        )
        < 2e-6
    )


@pytest.mark.parametrize("dtype", [np.dtype("f2"), BFLOAT16], ids=str)
def test_16_bit_operands_with_float32_results(cuda, dtype):
    rng = np.random.default_rng(5)
    a, b = random(rng, (33, 70), dtype), random(rng, (70, 20), dtype)
    got = gemm(cuda, a, b, filled((33, 20), np.float32))
    assert relative_error(got, product(a, b)) < 2e-6


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
def test_parts_of_k(cuda, dtype):
    rng = np.random.default_rng(6)
    a, b = random(rng, (2, 30, 1030), dtype), random(rng, (2, 1030, 20), dtype)
    out, bias = random(rng, (2, 30, 20), dtype), random(rng, (20,), dtype)
    arrays = [cuda.device.array(x) for x in (out, a, b)]
    bytes = cuda.gemm_workspace(*arrays)
    assert bytes >= 2 * 30 * 20 * 4 * 2
    want = product(a, b) + 0.5 * out.astype(np.float64) + bias.astype(np.float64)
    got = gemm(cuda, a, b, out.copy(), 1.0, 0.5, bias, bytes=bytes)
    assert relative_error(got, want) < BOUNDS[dtype]
    again = gemm(cuda, a, b, out.copy(), 1.0, 0.5, bias, bytes=bytes)
    np.testing.assert_array_equal(got, again)


def test_capability_below_the_matrix_units(cuda):
    if cuda.device.name != "emulation":
        pytest.skip("the device is what it is")
    rng = np.random.default_rng(7)
    cuda.set_device(75, 10)
    try:
        for dtype in BOUNDS:
            a, b = random(rng, (50, 60), dtype), random(rng, (60, 40), dtype)
            got = gemm(cuda, a, b, tf32=True)
            assert relative_error(got, product(a, b)) < BOUNDS[dtype]
    finally:
        cuda.set_device(90, 132)


def test_bad_arguments(cuda):
    x = np.zeros((3, 4), np.float32)
    with pytest.raises(
        ValueError, match=r"gemm: out is float32 \(3, 3\), a is .* \(\.\.\., m, n\)"
    ):
        gemm(cuda, x, x, np.zeros((3, 3), np.float32))
    with pytest.raises(TypeError, match="gemm: .* must be of one floating-point dtype"):
        gemm(cuda, x, x.T.astype(np.float64), np.zeros((3, 3), np.float32))
    with pytest.raises(ValueError, match="gemm: out is .* rows must be contiguous"):
        gemm(cuda, x, x.T, np.zeros((3, 6), np.float32)[:, ::2])
    with pytest.raises(ValueError, match="gemm: bias is"):
        gemm(cuda, x, np.zeros((4, 5), np.float32), bias=np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="batches of a and b must broadcast"):
        gemm(cuda, np.zeros((2, 3, 4), np.float32), x.T, np.zeros((5, 3, 3), np.float32))
