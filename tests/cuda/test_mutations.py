"""The tests of kernels would notice a missing barrier or wait: each one (__syncthreads, __syncwarp,
those for asynchronous copies and products), taken away in the emulation, gives wrong results, or a
stop, in some order of threads."""

import contextlib
import faulthandler
import os
import pathlib

import numpy as np
import pytest
from device_arrays import filled, relative_error

ROOT = pathlib.Path(__file__).resolve().parents[2]


def gemm(cuda, dtype, tf32=False):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((70, 152)).astype(dtype)
    b = rng.standard_normal((152, 72)).astype(dtype)
    out = filled((70, 72), np.float32)
    cuda.run("gemm", out, a, b, 1.0, 0.0, None, False, tf32, None)
    return relative_error(out, a.astype(np.float64) @ b.astype(np.float64))


def gemm_wgmma(cuda):
    """Two tiles one after the other, more steps of k than stages."""
    cuda.set_device(90, 1)
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((136, 520)), rng.standard_normal((520, 72))
    a, b = a.astype(np.float16), b.astype(np.float16)
    out = filled((136, 72), np.float32)
    cuda.run("gemm", out, a, b, 1.0, 0.0, None, False, False, None)
    cuda.set_device(90, 132)
    return relative_error(out, a.astype(np.float64) @ b.astype(np.float64))


def conv(cuda, dtype):
    """The forward product on matrix units: more steps than stages, tiles that are not full."""
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((1, 24, 4, 33)), rng.standard_normal((70, 24, 3, 3))
    x, w = x.astype(dtype), w.astype(dtype)
    out = filled((1, 70, 2, 31), dtype)
    cuda.run("conv2d", out, x, w, None, 1, 1, 0, 0, 1, 1, 1, True, None)
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (3, 3), (2, 3))
    return relative_error(out, np.einsum("nchwrs,kcrs->nkhw", windows, w.astype(np.float64)))


def vector(cuda):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((90, 64)), rng.standard_normal((90, 1))
    out = filled((64, 1), a.dtype)
    cuda.run("gemm", out, a.T, b, 1.0, 0.0, None, False, False, None)
    return relative_error(out, a.T @ b)


def attention(cuda, dtype):
    rng = np.random.default_rng(2)
    q, k, v, grad = (rng.standard_normal((1, 80, 16)).astype(dtype) for _ in range(4))
    out, stats = filled(q.shape, q.dtype), filled((2, 1, 80), np.float32)
    cuda.run("attention", out, stats, q, k, v, None, False, 0.25)
    q64, k64, v64, grad64 = (x.astype(np.float64) for x in (q, k, v, grad))
    s = q64 @ k64.swapaxes(-1, -2) * 0.25
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    error = relative_error(out, p @ v64)
    gradients = [filled(q.shape, q.dtype) for _ in range(3)]
    right = np.asarray(p @ v64, dtype)
    top = s.max(-1).astype(np.float32)
    inverse = (1 / np.exp(s - s.max(-1, keepdims=True)).sum(-1)).astype(np.float32)
    space = np.zeros(80, np.float32)
    given = (grad, q, k, v, None, right, np.stack([top, inverse]), False, 0.25, space)
    cuda.run("attention_backward", *gradients, *given)
    dp = grad64 @ v64.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) * 0.25
    wants = ds @ k64, ds.swapaxes(-1, -2) @ q64, p.swapaxes(-1, -2) @ grad64
    errors = [relative_error(x, y) for x, y in zip(gradients, wants)]
    return np.max([error, *errors])  # NaN if any is


KERNELS = {
    "gemm float32": (lambda cuda: gemm(cuda, np.float32), 1e-5),
    "gemm float16": (lambda cuda: gemm(cuda, np.float16), 1e-5),
    "gemm tf32": (lambda cuda: gemm(cuda, np.float32, True), 1e-3),
    "gemm vector": (vector, 1e-12),
    "gemm wgmma": (gemm_wgmma, 1e-5),
    "conv float16": (lambda cuda: conv(cuda, np.float16), 1e-3),
    "conv tf32": (lambda cuda: conv(cuda, np.float32), 2e-3),
    "attention float32": (lambda cuda: attention(cuda, np.float32), 1e-5),
    "attention float16": (lambda cuda: attention(cuda, np.float16), 3e-3),
}


@pytest.fixture
def emulation(cuda):
    if cuda.device.name != "emulation":
        pytest.skip("barriers can be taken away in the emulation alone")
    yield cuda
    cuda.remove_barrier(None, 0)
    cuda.record_barriers(False)
    cuda.set_order(os.environ.get("MG_EMU_ORDER", "fwd"))


def is_for_the_next_matrix(file, line):
    """Barriers between the matrices of a batch with more than 65535 of them."""
    path = ROOT / "csrc" / file[file.rindex("cuda/") :]
    return "next matrix" in path.read_text().splitlines()[line - 1]


def is_caught(cuda, run, bound):
    """Whether a call gives wrong results or stops the process; it runs in one of its own."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            faulthandler.disable()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the emulation says as it stops
            code = 0 if run(cuda) < bound else 1
        os._exit(code)
    return os.waitpid(child, 0)[1] != 0


@pytest.mark.parametrize("name", KERNELS)
def test_every_barrier_is_needed(emulation, name):
    cuda = emulation
    run, bound = KERNELS[name]
    cuda.record_barriers(True)
    assert run(cuda) < bound
    cuda.record_barriers(False)
    sites = [s for s in cuda.recorded_barriers() if not is_for_the_next_matrix(*s)]
    assert sites
    assert not is_caught(cuda, run, bound)
    survivors = []
    for file, line in sites:
        cuda.remove_barrier(file, line)
        for order in ["fwd", "rev", "rand:1"]:
            cuda.set_order(order)
            if is_caught(cuda, run, bound):
                break
        else:
            survivors.append(f"{file}:{line}")
        cuda.remove_barrier(None, 0)
    assert not survivors
