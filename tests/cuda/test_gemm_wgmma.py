"""Matrix products by TMA and wgmma (capability 9.0) against NumPy in float64, in every order."""

import itertools
import os

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled, relative_error

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
BOUNDS = {np.dtype("f2"): 1e-3, BFLOAT16: 8e-3, np.dtype("f4"): 2e-6}
ORDERS = ["fwd", "rev", "rand:1"]
WIDE, NARROW = 1, 2  # multiprocessors with which these sizes get tiles of 256 or of 128 columns


@pytest.fixture
def hopper(cuda):
    """A device of capability 9.0 that says whether a call took this kernel."""
    if cuda.device.name != "emulation":
        pytest.skip("which kernel runs is seen in the emulation alone")
    yield cuda
    cuda.set_device(90, 132)
    cuda.set_order(os.environ.get("MG_EMU_ORDER", "fwd"))


def random(rng, shape, dtype, turned=False):
    if turned:
        return random(rng, (*shape[:-2], shape[-1], shape[-2]), dtype).swapaxes(-1, -2)
    return rng.standard_normal(shape).astype(dtype)


def run(cuda, out, a, b, alpha=1.0, beta=0.0, bias=None, relu=False, bytes=0):
    """Whether TMA and wgmma computed it; `out` is changed."""
    workspace = np.zeros(bytes, np.uint8) if bytes else None
    cuda.record_barriers(True)
    cuda.run("gemm", out, a, b, alpha, beta, bias, relu, True, workspace)
    cuda.record_barriers(False)
    return any(file.endswith("gemm_wgmma_core.cuh") for file, _ in cuda.recorded_barriers())


def rounded(x):
    """To 10 bits of mantissa, where the operand is float32."""
    if x.dtype != np.float32:
        return x.astype(np.float64)
    return ((x.copy().view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32).astype(np.float64)


def check(cuda, a, b, dtype):
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = filled((*batch, a.shape[-2], b.shape[-1]), dtype)
    assert run(cuda, out, a, b)
    assert relative_error(out, rounded(a) @ rounded(b)) < BOUNDS[np.dtype(dtype)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chip", [WIDE, NARROW])
@pytest.mark.parametrize("dtype", [np.dtype("f2"), BFLOAT16], ids=str)
def test_layouts(hopper, dtype, chip, order):
    """More steps of k than stages, tiles and k that are not full, several tiles a block."""
    hopper.set_device(90, chip)
    hopper.set_order(order)
    rng = np.random.default_rng(0)
    for turn_a, turn_b in itertools.product([False, True], repeat=2):
        a = random(rng, (136, 456), dtype, turn_a)
        check(hopper, a, random(rng, (456, 264), dtype, turn_b), dtype)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chip", [WIDE, NARROW])
def test_tf32(hopper, chip, order):
    """Along k alone; other layouts are left to mma.sync."""
    hopper.set_device(90, chip)
    hopper.set_order(order)
    rng = np.random.default_rng(1)
    a, b = random(rng, (136, 228), "f4"), random(rng, (228, 264), "f4", True)
    check(hopper, a, b, "f4")
    for x, y in [(a.T.copy().T, b), (a, b.copy())]:
        out = filled((136, 264), "f4")
        assert not run(hopper, out, x, y)
        assert relative_error(out, rounded(x) @ rounded(y)) < 2e-6


@pytest.mark.parametrize("out_dtype", ["f2", "f4"])
@pytest.mark.parametrize("columns", [136, 131])
def test_alpha_beta_bias_relu(hopper, out_dtype, columns):
    hopper.set_device(90, 1)
    rng = np.random.default_rng(2)
    a, b = random(rng, (70, 80), "f2"), random(rng, (80, columns), "f2", True)
    c, bias = random(rng, (70, columns), out_dtype), random(rng, (columns,), out_dtype)
    want = 0.5 * (rounded(a) @ rounded(b)) - 2 * c.astype(np.float64) + bias.astype(np.float64)
    for relu in [False, True]:
        out = c.copy()
        assert run(hopper, out, a, b, 0.5, -2.0, bias, relu)
        error = relative_error(out, np.maximum(want, 0) if relu else want)
        assert error < (1e-3 if out_dtype == "f2" else 1e-5)


def test_batches(hopper):
    hopper.set_device(90, 1)
    rng = np.random.default_rng(3)
    a, b = random(rng, (2, 3, 64, 72), "f2"), random(rng, (2, 3, 72, 80), "f2")
    check(hopper, a, b, "f2")
    check(hopper, a, b[0, 0], "f2")  # one B for all
    check(hopper, a[:, :1], b, "f2")  # broadcast
    heads = random(rng, (2, 64, 3, 72), "f2").transpose(0, 2, 1, 3)  # (B, H, T, D)
    check(hopper, heads, heads.swapaxes(-1, -2), "f2")
    check(hopper, a[:, ::2], b[:, ::2], "f2")


@pytest.mark.parametrize("dtype", [np.dtype("f2"), BFLOAT16], ids=str)
def test_parts_of_k(hopper, dtype):
    hopper.set_device(90, 4)
    rng = np.random.default_rng(4)
    a, b = random(rng, (72, 1032), dtype), random(rng, (1032, 72), dtype)
    out, bias = random(rng, (72, 72), dtype), random(rng, (72,), dtype)
    want = rounded(a) @ rounded(b) + 0.5 * out.astype(np.float64) + bias.astype(np.float64)
    bytes = hopper.gemm_workspace(*[hopper.device.array(x) for x in (out, a, b)])
    assert bytes >= 2 * 72 * 72 * 4
    assert run(hopper, out, a, b, 1.0, 0.5, bias, bytes=bytes)
    assert relative_error(out, want) < BOUNDS[dtype]


def test_what_it_leaves_to_others(hopper):
    """Rows at odd addresses, other chips, products of a few rows: computed, but not here."""
    rng = np.random.default_rng(5)
    a, b = random(rng, (128, 128), "f2"), random(rng, (128, 136), "f2")
    odd = random(rng, (128, 136), "f2")[:, 1:129]
    repeated = np.broadcast_to(a[:1], (128, 128))
    for x, chip in [(odd, 90), (a, 80), (a, 120), (a[:32], 90), (repeated, 90)]:
        hopper.set_device(chip, 1)
        out = filled((len(x), 136), "f2")
        assert not run(hopper, out, x, b), (x.shape, chip)
        assert relative_error(out, rounded(x) @ rounded(b)) < 1e-3
    hopper.set_device(90, 132)  # a chip that two tiles do not fill
    assert not run(hopper, filled((128, 136), "f2"), a, b)
