"""`torch.fft`: Fourier transforms, on NumPy's, and the frequencies and shifts that go with them.

Complex tensors are pairs (`minigrad.complexes`), so two nodes on real arrays (..., 2) are enough: a
transform of complex numbers, whose gradient is the one in the other direction, and one of real
numbers to the first half of their spectrum, which is all there is to know of it, with its
transpose. All are without a factor; the public functions multiply by what `norm` asks for. Loaded
when first used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import attributes, complexes, dtypes, ops
from .autograd.record import apply
from .autograd.variable import Node, Variable, wrap
from .creation.data import tensor
from .ops._operands import write_out
from .ops._shape import array_arg, need_tensor, normalize_dim
from .ops.rearrange import roll

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2",
    "rfftfreq", "rfftn",
]  # fmt: skip

# -- nodes, on pairs -------------------------------------------------------------------------------


def _numbers(pairs: Any) -> Any:
    """An array of pairs (..., 2) as complex numbers."""
    kind = np.complex64 if pairs.itemsize == 4 else np.complex128
    return np.ascontiguousarray(pairs).view(kind)[..., 0]


def _pairs(numbers: Any, real: Any) -> Any:
    """Complex numbers as an array of pairs of a real type."""
    kind = np.complex64 if real.itemsize == 4 else np.complex128
    return numbers.astype(kind, copy=False)[..., None].view(real)


class Spectrum(Node):
    """sum_k x_k exp(-+ 2 pi i j k / n) over dimensions of complex numbers."""

    fresh = True
    torch_name = "FftC2CBackward0"

    def forward(self, x: Any, dims: tuple[int, ...], inverse: bool) -> Any:
        self.dims, self.inverse = dims, inverse
        z = _numbers(x)
        y = np.fft.ifftn(z, axes=dims, norm="forward") if inverse else np.fft.fftn(z, axes=dims)
        return _pairs(np.ascontiguousarray(y), x.dtype)

    def backward(self, grad: Any) -> Any:
        """The sum with the other sign."""
        return apply(Spectrum, (grad,), self.dims, not self.inverse)


class HalfSpectrum(Node):
    """The first n // 2 + 1 values of the spectrum of n real numbers."""

    fresh = True
    torch_name = "FftR2CBackward0"

    def forward(self, x: Any, dim: int) -> Any:
        self.dim, self.n = dim, x.shape[dim]
        return _pairs(np.ascontiguousarray(np.fft.rfft(x, axis=dim)), x.dtype)

    def backward(self, grad: Any) -> Any:
        """sum_k Re(grad_k exp(2 pi i j k / n)): the values between the ends count once only."""
        weights = _weights(grad, self.dim, self.n, (1.0, 0.5))
        return apply(Signal, (ops.mul(grad, weights),), self.dim, self.n)


class Signal(Node):
    """n real numbers of half a spectrum: x_0 + 2 sum_k Re(x_k exp(2 pi i j k / n)) + the last."""

    fresh = True
    torch_name = "FftC2RBackward0"

    def forward(self, x: Any, dim: int, n: int) -> Any:
        self.dim, self.n = dim, n
        y = np.fft.irfft(_numbers(x), n, axis=dim, norm="forward")
        return np.ascontiguousarray(y.astype(x.dtype, copy=False))

    def backward(self, grad: Any) -> Any:
        """The half spectrum of grad, the values between the ends twice."""
        half = apply(HalfSpectrum, (grad,), self.dim)
        return ops.mul(half, _weights(half, self.dim, self.n, (1.0, 2.0)))


def _weights(half: Any, dim: int, n: int, values: tuple[float, float]) -> Any:
    """Along `dim` of half a spectrum of pairs: the first value at its ends, the second between."""
    array = half._array if isinstance(half, Variable) else half
    weights = np.full(array.shape[dim], values[1], array.dtype)
    weights[0] = values[0]
    if n % 2 == 0:
        weights[-1] = values[0]
    shape = [1] * array.ndim
    shape[dim] = len(weights)
    weights = weights.reshape(shape)
    return wrap(weights) if isinstance(half, Variable) else weights


# -- arguments -------------------------------------------------------------------------------------


def _shape_and_dims(name: str, ndim: int, shape: tuple, s: Any, dim: Any) -> tuple[list, list]:
    """Sizes and dimensions of a transform over several. RuntimeError for what does not fit."""
    s = None if s is None else [s] if isinstance(s, int) else list(s)
    dim = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if s is not None and dim is not None and len(s) != len(dim):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    if dim is None:
        if s is not None and len(s) > ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions."
            )
        dims = list(range(ndim) if s is None else range(ndim - len(s), ndim))
    else:
        dims = [normalize_dim(d, ndim) for d in dim]
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
    sizes = [shape[d] for d in dims] if s is None else s
    sizes = [shape[d] if n == -1 else n for n, d in zip(sizes, dims, strict=True)]
    for n in sizes:
        if n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return sizes, dims


def _factor(norm: Any, inverse: bool, count: int) -> float:
    """What a sum over `count` places is multiplied by. RuntimeError for an unknown norm."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return 1 / math.sqrt(count)
    return 1 / count if (norm == "forward") != inverse else 1.0


def _float(name: str, input: Any) -> Any:
    """The input as floating point numbers. RuntimeError for halves."""
    kind = need_tensor(name, input)._array.dtype
    if kind.kind in "iub":
        return input.to(dtypes.get_default_dtype())
    if kind.itemsize == 2:
        raise RuntimeError(f"Unsupported dtype {input.dtype}")
    return input


def _sized(x: Any, sizes: list, dims: list) -> Any:
    """A real tensor cut, or filled with zeros, to sizes along dimensions."""
    for n, d in zip(sizes, dims, strict=True):
        now = x._array.shape[d]
        if n < now:
            x = ops.narrow(x, d, 0, n)
        elif n > now:
            zeros = [0, 0] * (x._array.ndim - d - 1) + [0, n - now]
            x = ops.constant_pad_nd(x, zeros, 0.0)
    return x


def _done(name: str, result: Any, factor: float, out: Any) -> Any:
    if factor != 1.0:
        result = ops.mul(result, factor)
    if out is None:
        return result
    if isinstance(result, complexes.ComplexTensor):
        out.parts.copy_(result.parts)
        return out
    return write_out(name, out, result)


# -- several dimensions ----------------------------------------------------------------------------


def _complex_to_complex(
    name: str, input: Any, s: Any, dim: Any, norm: Any, out: Any, inverse: bool
) -> Any:
    z = complexes.as_complex(_float(name, input))
    sizes, dims = _shape_and_dims(name, z._array.ndim, z._array.shape, s, dim)
    factor = _factor(norm, inverse, math.prod(sizes))
    if not dims:
        return _done(name, z, factor, out)
    if len(dims) == 1 and not isinstance(input, complexes.ComplexTensor):
        x = _sized(attributes.real(z), sizes, dims)
        return _done(name, _mirrored(x, dims[0], inverse), factor, out)
    parts = apply(Spectrum, (_sized(z.parts, sizes, dims),), tuple(dims), inverse)
    return _done(name, complexes.make(parts), factor, out)


def _mirrored(x: Any, dim: int, inverse: bool) -> Any:
    """The spectrum of real numbers: half of it, and the conjugate numbers in reverse order."""
    n = x._array.shape[dim]
    half = complexes.make(apply(HalfSpectrum, (x,), dim))
    other = ops.flip(ops.narrow(half, dim, 1, n - n // 2 - 1), (dim,))
    whole = ops.cat([half, attributes.conj(other)], dim)
    return attributes.conj(whole) if inverse else whole


def _real_to_complex(
    name: str, input: Any, s: Any, dim: Any, norm: Any, out: Any, inverse: bool
) -> Any:
    if isinstance(input, complexes.ComplexTensor):
        raise RuntimeError(f"{name} expects a real input tensor, but got {input.dtype}")
    x = _float(name, input)
    sizes, dims = _shape_and_dims(name, x._array.ndim, x._array.shape, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    factor = _factor(norm, inverse, math.prod(sizes))
    parts = apply(HalfSpectrum, (_sized(x, sizes, dims),), dims[-1])
    if inverse:
        parts = complexes.view_as_real(attributes.conj(complexes.make(parts)))
    if len(dims) > 1:
        parts = apply(Spectrum, (parts,), tuple(dims[:-1]), inverse)
    return _done(name, complexes.make(parts), factor, out)


def _complex_to_real(
    name: str, input: Any, s: Any, dim: Any, norm: Any, out: Any, inverse: bool
) -> Any:
    z = complexes.as_complex(_float(name, input))
    shape = z._array.shape
    sizes, dims = _shape_and_dims(name, len(shape), shape, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    given = None if s is None else ([s] if isinstance(s, int) else list(s))[-1]
    n = sizes[-1] = 2 * (shape[dims[-1]] - 1) if given in (None, -1) else given
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    factor = _factor(norm, inverse, math.prod(sizes))
    parts = _sized(z.parts, [*sizes[:-1], n // 2 + 1], dims)
    if not inverse:  # the sign of the exponent is the other one
        parts = complexes.view_as_real(attributes.conj(complexes.make(parts)))
    if len(dims) > 1:
        parts = apply(Spectrum, (parts,), tuple(dims[:-1]), True)
    return _done(name, apply(Signal, (parts,), dims[-1], n), factor, out)


def _of_one(name: str, transform: Callable, inverse: bool, text: str) -> Callable:
    """The public function of one dimension."""

    def function(
        input: Any, n: int | None = None, dim: int = -1, norm: Any = None, *, out: Any = None
    ) -> Any:
        return transform(name, input, n, (dim,), norm, out, inverse)

    return _named(function, name, f"{text}, along `dim`, cut or filled with zeros to `n`.")


def _of_two(name: str, transform: Callable, inverse: bool, text: str) -> Callable:
    """The public function of two dimensions."""

    def function(
        input: Any, s: Any = None, dim: Any = (-2, -1), norm: Any = None, *, out: Any = None
    ) -> Any:
        return transform(name, input, s, dim, norm, out, inverse)

    return _named(function, name, f"{text}, along two dimensions, with sizes `s`.")


def _of_several(name: str, transform: Callable, inverse: bool, text: str) -> Callable:
    """The public function of all dimensions, or some."""

    def function(
        input: Any, s: Any = None, dim: Any = None, norm: Any = None, *, out: Any = None
    ) -> Any:
        return transform(name, input, s, dim, norm, out, inverse)

    return _named(function, name, f"{text}, along the dimensions `dim`, with sizes `s`.")


def _named(function: Callable, name: str, text: str) -> Callable:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f'{text}\n\n    `norm`: "backward" (None) divides the inverse by the number of places, '
        '"forward"\n    the other, "ortho" both by its root. RuntimeError for sizes and dimensions '
        "that do not fit.\n    "
    )
    return function


def _family(name: str, transform: Callable, inverse: bool, text: str) -> tuple:
    makers = ((_of_one, name), (_of_two, f"{name}2"), (_of_several, f"{name}n"))
    return tuple(make_one(full, transform, inverse, text) for make_one, full in makers)


fft, fft2, fftn = _family("fft", _complex_to_complex, False, "The spectrum of complex numbers")
ifft, ifft2, ifftn = _family("ifft", _complex_to_complex, True, "The inverse of `fft`")
rfft, rfft2, rfftn = _family(
    "rfft", _real_to_complex, False, "The first half of the spectrum of real numbers"
)
irfft, irfft2, irfftn = _family("irfft", _complex_to_real, True, "The inverse of `rfft`")
hfft, hfft2, hfftn = _family(
    "hfft", _complex_to_real, False, "The spectrum, real, of a signal of which half is given"
)
ihfft, ihfft2, ihfftn = _family("ihfft", _real_to_complex, True, "The inverse of `hfft`")

# -- frequencies -----------------------------------------------------------------------------------


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


for _transform in (
    fft, fft2, fftn, ifft, ifft2, ifftn, rfft, rfft2, rfftn, irfft, irfft2, irfftn, hfft, hfft2,
    hfftn, ihfft, ihfft2, ihfftn, fftshift, ifftshift,
):  # fmt: skip
    complexes.RULES[_transform] = complexes.rules.body
