"""`torch.fft`: its transforms are complex, which minigrad's tensors are not, and raise an error.

The frequencies and the shifts, which are real, are here. Loaded when first used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .creation.data import tensor
from .ops._operands import write_out
from .ops._shape import array_arg, normalize_dim
from .ops.rearrange import roll

_TRANSFORMS = (
    "fft", "fft2", "fftn", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ihfft", "ihfft2",
    "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftn",
)  # fmt: skip
__all__ = [*_TRANSFORMS, "fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def _absent(name: str) -> Callable:
    def function(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{name}: Fourier transforms are not in minigrad, whose tensors are real; needed: "
            "numpy.fft on x.numpy(), or the real and the imaginary part as products with cosines "
            "and sines"
        )

    function.__name__ = function.__qualname__ = name.rsplit(".", 1)[-1]
    function.__doc__ = "NotImplementedError: minigrad's tensors are real."
    return function


globals().update({name: _absent(f"fft.{name}") for name in _TRANSFORMS})
stft, istft = _absent("stft"), _absent("istft")


def _frequencies(values: Any, out: Any, options: dict) -> Any:
    for ignored in ("layout", "pin_memory"):
        options.pop(ignored, None)
    options["dtype"] = options.get("dtype")
    wanted = options.pop("requires_grad", False)
    result = tensor(values.tolist(), **options) if values.size else tensor([], **options)
    result = result.requires_grad_(wanted)
    return result if out is None else write_out("fftfreq", out, result)


def fftfreq(n: int, d: float = 1.0, *, out: Any = None, **options: Any) -> Any:
    """The frequencies of a transform of `n` samples at intervals `d`: 0 up, then the negative."""
    numbers = np.concatenate([np.arange((n + 1) // 2), np.arange(-(n // 2), 0)])
    return _frequencies(numbers / (n * d), out, options)


def rfftfreq(n: int, d: float = 1.0, *, out: Any = None, **options: Any) -> Any:
    """The frequencies of a real transform of `n` samples at intervals `d`: 0 to n // 2."""
    return _frequencies(np.arange(n // 2 + 1) / (n * d), out, options)


def _shift(name: str, input: Any, dim: Any, sign: int) -> Any:
    x = array_arg(name, input)
    given = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    dims = [normalize_dim(d, x.ndim) for d in given]
    shifts = [x.shape[d] // 2 if sign > 0 else (x.shape[d] + 1) // 2 for d in dims]
    return roll(input, shifts, dims) if dims else input


def fftshift(input: Any, dim: Any = None) -> Any:
    """The frequencies' order turned so that 0 stands in the middle."""
    return _shift("fft_fftshift", input, dim, 1)


def ifftshift(input: Any, dim: Any = None) -> Any:
    """The inverse of `fftshift`."""
    return _shift("fft_ifftshift", input, dim, -1)
