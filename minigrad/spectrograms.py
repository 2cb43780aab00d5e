"""`stft` and `istft`: Fourier transforms of overlapping windows of a signal."""

from __future__ import annotations

import math
from typing import Any

from . import attributes, ops
from .autograd.variable import Variable
from .complexes import RULES, ComplexTensor, make, view_as_real
from .complexes.rules import body
from .fft import fft, ifft, irfft, rfft
from .ops._shape import need_tensor
from .ops.patches import col2im


def _window(name: str, given: Any, win_length: int, n_fft: int, like: Any) -> Any:
    """The window, n_fft long: as given, or ones, with zeros at both sides."""
    if given is None:
        given = like.new_ones(win_length)
    elif given._array.shape != (win_length,):
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={win_length}, but "
            f"got window with size {list(given.shape)}"
        )
    left = (n_fft - win_length) // 2
    return ops.constant_pad_nd(given, [left, n_fft - win_length - left], 0.0)


def stft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Any:
    """The spectra of windows of (L) or (B, L): (frequencies, windows), with a batch in front.

    Windows of `n_fft` numbers start every `hop_length` (n_fft // 4), the first centred on the
    first number with `center`. RuntimeError for sizes that do not fit, and unless
    `return_complex` is said.
    """
    x = need_tensor("stft", input)
    is_complex = isinstance(x, ComplexTensor)
    hop = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    if return_complex is None:
        if not is_complex and not isinstance(window, ComplexTensor):
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will "
                "further require that return_complex=True in a future PyTorch release."
            )
        return_complex = True
    batched = x._array.ndim == 2
    if x._array.ndim not in (1, 2):
        raise RuntimeError(f"stft: expected a 1D or 2D tensor, but got {x._array.ndim}D")
    if center:
        pad = [n_fft // 2, n_fft // 2]
        lead = ops.reshape(x, (1, -1, x._array.shape[-1]))
        x = ops.reshape(ops.pad(lead, pad, pad_mode), (*x._array.shape[:-1], -1))
    length = x._array.shape[-1]
    if n_fft <= 0 or n_fft > length:
        raise RuntimeError(f"stft: expected 0 < n_fft < {length}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"stft: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < win_length <= n_fft:
        raise RuntimeError(
            f"stft: expected 0 < win_length <= n_fft, but got win_length={win_length}"
        )
    like = x.real if is_complex else x
    frames = ops.mul(x.unfold(-1, n_fft, hop), _window("stft", window, win_length, n_fft, like))
    one = (not is_complex) if onesided is None else onesided
    if one and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    transform = rfft if one else fft
    spectra = transform(frames, None, -1, "ortho" if normalized else None)
    result = ops.transpose(spectra, -1, -2)
    assert batched == (result._array.ndim == 3)
    return result if return_complex else view_as_real(result)


def istft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Any:
    """The signal of what `stft` returned: windows added, divided by the sum of their squares.

    RuntimeError for real input, and where no window reaches.
    """
    z = need_tensor("istft", input)
    if not isinstance(z, ComplexTensor):
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    hop = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    rows, count = z._array.shape[-2:]
    one = rows != n_fft if onesided is None else onesided
    wanted = n_fft // 2 + 1 if one else n_fft
    if rows != wanted:
        raise RuntimeError(
            f"istft: expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match {'n_fft / 2 + 1' if one else 'n_fft'} when onesided={one}, but got {rows}"
        )
    if not 0 < hop <= win_length <= n_fft:
        raise RuntimeError(
            f"istft: expected 0 < hop_length <= win_length <= n_fft, got {hop}, {win_length}, "
            f"{n_fft}"
        )
    real = z.parts
    weights = _window("istft", window, win_length, n_fft, real)
    frames: Any = ops.transpose(z, -1, -2)
    norm = "ortho" if normalized else None
    if return_complex:
        made = ifft(frames, n_fft, -1, norm)
        signal = make(ops.stack([_added(ops.mul(p, weights), hop) for p in _both(made)], -1))
    else:
        half = frames if one else ops.narrow(frames, -1, 0, n_fft // 2 + 1)
        made = irfft(half, n_fft, -1, norm)
        signal = _added(ops.mul(made, weights), hop)
    squares = ops.expand(ops.mul(weights, weights), (count, n_fft))
    envelope = _added(squares, hop)
    total = envelope._array.shape[-1]
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - (n_fft // 2 if center else 0)
    inside = min(end, total)
    envelope = ops.narrow(envelope, -1, start, inside - start)
    if float(ops.amin(ops.abs(envelope)).item()) <= 1e-11:
        raise RuntimeError("istft: window overlap add min is 0: some numbers are in no window")
    result = ops.div(_cut(signal, start, inside - start), envelope)
    missing = end - inside
    return result if missing <= 0 else ops.constant_pad_nd(result, [0, missing], 0.0)


def _cut(signal: Any, start: int, count: int) -> Any:
    return signal[..., start : start + count]


def _both(z: Any) -> tuple[Any, Any]:
    return attributes.real(z), attributes.imag(z)


def _added(frames: Any, hop: int) -> Any:
    """Frames (..., windows, n_fft) put `hop` apart and added up: (..., total)."""
    *lead, count, n_fft = frames._array.shape
    total = n_fft + hop * (count - 1)
    columns = ops.transpose(ops.reshape(frames, (math.prod(lead), count, n_fft)), 1, 2)
    added: Variable = col2im(columns, (1, total), (1, n_fft), 1, 0, (1, hop))
    return ops.reshape(added, (*lead, total))


for _function in (stft, istft):
    RULES[_function] = body
