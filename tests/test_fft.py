"""`minigrad.fft`: frequencies and shifts; a transform says that there are no complex numbers."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg


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


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "fft2", "rfftn", "hfft"])
def test_transforms_say_what_is_missing(name: str) -> None:
    with pytest.raises(NotImplementedError, match="tensors are real"):
        getattr(mg.fft, name)(mg.ones(4))


def test_windowed_transforms() -> None:
    for call in (lambda: mg.stft(mg.ones(8), 4), lambda: mg.ones(8).istft(4)):
        with pytest.raises(NotImplementedError, match="tensors are real"):
            call()


def test_every_name_of_pytorch_is_there() -> None:
    torch = pytest.importorskip("torch")
    for name, value in vars(torch.fft).items():
        if callable(value) and not name.startswith("_") and name != "Tensor":
            assert callable(getattr(mg.fft, name)), name
