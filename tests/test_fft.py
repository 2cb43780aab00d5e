"""`minigrad.fft`, `stft` and `istft` beside PyTorch's, or NumPy's; frequencies and shifts."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import minigrad as mg

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
NAMES = [f"{kind}{many}" for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
         for many in ("", "2", "n")]  # fmt: skip
TAKES_REAL = ("rfft", "ihfft")
SHAPES = [(3, 4, 5), (2, 6, 1), (4, 4, 4)]


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_frequencies_and_shifts(n: int) -> None:
    for name in ("fftfreq", "rfftfreq"):
        want = getattr(np.fft, name)(n, 0.5)
        got = getattr(mg.fft, name)(n, 0.5, dtype=mg.float64)
        np.testing.assert_array_equal(got.numpy(), want)
        assert getattr(mg.fft, name)(n).dtype == mg.float32
    x = mg.arange(3 * n).reshape(3, n)
    for name in ("fftshift", "ifftshift"):
        for dim in (None, 0, -1, (0, 1)):
            want = getattr(np.fft, name)(x.numpy(), dim)
            np.testing.assert_array_equal(getattr(mg.fft, name)(x, dim).numpy(), want)
        z = mg.complex(x.double(), -x.double())
        want = getattr(np.fft, name)(z.numpy(), 1)
        np.testing.assert_array_equal(getattr(mg.fft, name)(z, 1).numpy(), want)


def options(name: str) -> list[dict]:
    """Sizes, dimensions and norms for a transform of three dimensions."""
    if not name.endswith(("2", "n")):
        return [{}, {"n": 3}, {"n": 7, "dim": 0}, {"dim": 1, "norm": "ortho"}, {"norm": "forward"},
                {"n": 4, "norm": "backward"}]  # fmt: skip
    return [{}, {"s": (3, 7)}, {"s": (4, -1), "dim": (0, 1)}, {"dim": (1, 0), "norm": "ortho"},
            {"norm": "forward"}, {"dim": (2,)}]  # fmt: skip


def both_ways(name: str, shape: tuple, real: bool, dtype: str, given: dict) -> list:
    """Result, and first and second gradients of a sum of squares, in each library."""
    rng = np.random.default_rng(7)
    array = rng.standard_normal(shape).astype(dtype)
    if not real:
        array = array + 1j * rng.standard_normal(shape).astype(dtype)
    found = []
    for m in (mg, torch):
        leaf = m.from_numpy(np.stack([array.real, array.imag], -1)).requires_grad_()
        x = leaf[..., 0] if real else m.view_as_complex(leaf)
        y = getattr(m.fft, name)(x, **given).resolve_conj()
        whole = m.view_as_real(y) if y.is_complex() else y
        (grad,) = m.autograd.grad((whole.sin() * 2).sum(), leaf, create_graph=True)
        (second,) = m.autograd.grad((grad**2).sum(), leaf)
        found.append([y.detach(), grad.detach(), second])
    return found


@needs_torch
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_pytorchs(name: str, shape: tuple) -> None:
    for real in (True, False):
        if not real and name.startswith(TAKES_REAL):
            with pytest.raises(RuntimeError, match="expects a real input"):
                getattr(mg.fft, name)(mg.complex(mg.ones(2, 2), mg.ones(2, 2)))
            continue
        for given in options(name):
            last = given.get("dim", (-1,)) if isinstance(given.get("dim"), tuple) else (-1,)
            if name.startswith(("irfft", "hfft")) and shape[last[-1]] == 1 and not given.get("s"):
                continue  # of one value nothing is left
            ours, theirs = both_ways(name, shape, real, "float64", given)
            for a, b in zip(ours, theirs, strict=True):
                assert str(a.dtype) == str(b.dtype) and a.shape == b.shape
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-9)
        ours, theirs = both_ways(name, (3, 4, 6), real, "float32", {})
        assert str(ours[0].dtype) == str(theirs[0].dtype)
        np.testing.assert_allclose(ours[0].numpy(), theirs[0].numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["fft", "ifft", "fftn", "rfft", "rfftn", "hfft", "ihfft"])
def test_values_are_numpys(name: str) -> None:
    x = np.random.default_rng(3).standard_normal((3, 8))
    got = getattr(mg.fft, name)(mg.from_numpy(x))
    np.testing.assert_allclose(got.numpy(), getattr(np.fft, name)(x), atol=1e-12)
    spectrum = mg.fft.fft(mg.from_numpy(x))
    assert not spectrum.imag[:, 0].any() and not spectrum.imag[:, 4].any()  # exactly


@needs_torch
@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.fft.fft(m.ones(4), norm="x"), lambda m: m.fft.fft(m.ones(4), n=0),
        lambda m: m.fft.fft(m.ones(4), dim=2), lambda m: m.fft.rfft(m.ones(0)),
        lambda m: m.fft.fftn(m.ones(4, 4), s=(2, 2), dim=(0,)),
        lambda m: m.fft.fftn(m.ones(4, 4), dim=(0, 0)), lambda m: m.fft.fft2(m.ones(4)),
        lambda m: m.fft.irfft(m.ones(1)), lambda m: m.fft.fft(m.ones(4, dtype=m.bfloat16)),
        lambda m: m.fft.fftn(m.ones(4), s=(2, 2)), lambda m: m.fft.fft([1.0]),
        lambda m: m.stft(m.ones(8), 4), lambda m: m.stft(m.ones(8), 20, return_complex=True),
        lambda m: m.stft(m.ones(8), 4, 0, return_complex=True),
        lambda m: m.stft(m.ones(8), 4, win_length=5, return_complex=True),
        lambda m: m.stft(m.ones(8), 4, window=m.ones(3), return_complex=True),
        lambda m: m.istft(m.ones(3, 4), 4),
        lambda m: m.istft(m.complex(m.ones(4, 4), m.ones(4, 4)), 4, onesided=True),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_errors_are_of_pytorchs_class(call) -> None:
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(theirs.type):
        call(mg)


WINDOWED = [
    {}, {"hop_length": 3}, {"win_length": 5}, {"window": 8, "normalized": True}, {"center": False},
    {"window": 6, "win_length": 6, "hop_length": 2, "pad_mode": "constant"}, {"onesided": False},
]  # fmt: skip


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("given", WINDOWED)
@pytest.mark.parametrize("shape", [(40,), (2, 33)])
def test_windowed_transforms_are_pytorchs(given: dict, shape: tuple) -> None:
    array = np.random.default_rng(5).standard_normal(shape)
    found = []
    for m in (mg, torch):
        x = m.from_numpy(array).requires_grad_()
        named = dict(given)
        if "window" in named:
            named["window"] = m.hamming_window(named["window"], dtype=m.float64)
        z = m.stft(x, 8, return_complex=True, **named)
        named.pop("pad_mode", None)
        back = m.istft(z, 8, **named)
        longer = m.istft(z, 8, length=31, **named)
        parts = m.stft(x, 8, return_complex=False, **{**given, "window": named.get("window")})
        (back.sin().sum() + z.abs().sum()).backward()
        found.append([z.detach(), back.detach(), longer.detach(), parts.detach(), x.grad])
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape and str(a.dtype) == str(b.dtype)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-9)


def test_every_name_of_pytorch_is_there() -> None:
    torch = pytest.importorskip("torch")
    for name, value in vars(torch.fft).items():
        if callable(value) and not name.startswith("_") and name != "Tensor":
            assert callable(getattr(mg.fft, name)), name
    assert list(inspect.signature(mg.fft.fft).parameters) == ["input", "n", "dim", "norm", "out"]
