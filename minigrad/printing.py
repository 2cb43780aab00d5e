"""How tensors are printed: PyTorch's layout, number formats and options."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from . import dtypes
from .backend import CPU, move, on_gpu

__all__ = ["get_printoptions", "printoptions", "set_printoptions"]


@dataclass
class Options:
    """`precision` digits after the point; more than `threshold` elements are summarised by
    `edgeitems` at both ends of each dimension; lines of `linewidth` characters; `sci_mode` forces
    (True) or forbids (False) scientific notation.
    """

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": Options(),
    "short": Options(precision=2, edgeitems=2),
    "full": Options(threshold=math.inf),
}
_options = Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors are printed; `profile` is "default", "short" or "full".

    ValueError for an unknown profile. What is not given stays, except `sci_mode` (chosen anew).
    """
    global _options
    options = _options
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(
                f"set_printoptions: profile {profile!r} given; needed: one of "
                f"{', '.join(_PROFILES)}"
            )
        options = _PROFILES[profile]
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    _options = replace(options, sci_mode=sci_mode, **changes)  # type: ignore[arg-type]


def get_printoptions() -> dict[str, Any]:
    """The present options as a dictionary."""
    return asdict(_options)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Changes the options inside a `with` block."""
    global _options
    before = _options
    set_printoptions(**options)
    try:
        yield
    finally:
        _options = before


class _Format:
    """How the numbers of one tensor are written: all in the same way and width."""

    def __init__(self, array: np.ndarray):
        self.floating = array.dtype.kind == "f"
        self.whole = True
        self.scientific = False
        self.width = 1
        if not self.floating:
            self.width = max([len(str(v)) for v in array.reshape(-1).tolist()], default=1)
            return
        values = array.reshape(-1)
        values = values[np.isfinite(values) & (values != 0)].astype(np.float64)
        if not values.size:
            return
        size = np.abs(values)
        least, most = float(size.min()), float(size.max())
        self.whole = bool((values == np.ceil(values)).all())
        with np.errstate(over="ignore"):
            wide = np.float64(most) / np.float64(least) > 1000.0 or most > 1.0e8
        self.scientific = bool(wide or (not self.whole and least < 1.0e-4))
        if _options.sci_mode is not None:
            self.scientific = _options.sci_mode
        # The widest number is the largest or the smallest one of either sign.
        self.width = max(len(self._measured(v)) for v in _extremes(values, self.scientific))

    def _measured(self, value: float) -> str:
        if self.scientific:
            return f"{value:.{_options.precision}e}"
        return f"{value:.0f}." if self.whole else f"{value:.{_options.precision}f}"

    def __call__(self, value: Any) -> str:
        if not self.floating:
            text = str(value)
        elif self.scientific:
            text = f"{value:{self.width}.{_options.precision}e}"
        elif self.whole:
            text = f"{value:.0f}" + ("." if math.isfinite(value) else "")
        else:
            text = f"{value:.{_options.precision}f}"
        return text.rjust(self.width)


def _extremes(values: np.ndarray, scientific: bool) -> list[float]:
    """Some values among which is the one that takes most characters to write."""
    if scientific:  # exponents of three digits are at both ends of the magnitudes
        values = values[np.argsort(np.abs(values))]
        negative = values[values < 0]
        return [*values[[0, -1]].tolist(), *(negative[[0, -1]].tolist() if negative.size else [])]
    return [float(values.min()), float(values.max())]


def _edges(array: np.ndarray) -> np.ndarray:
    """The elements that a summary shows."""
    edge = _options.edgeitems
    for d, n in enumerate(array.shape):
        if n > 2 * edge:
            shown = [*range(edge), *range(n - edge, n)]
            array = np.take(array, shown, axis=d)
    return array


def _vector(array: np.ndarray, indent: int, summary: bool, number: Any) -> str:
    edge = _options.edgeitems
    per_line = max(1, (_options.linewidth - indent) // (number.width + 2))
    if summary and not edge:
        data = ["..."]
    elif summary and len(array) > 2 * edge:
        data = [
            *[number(v) for v in array[:edge].tolist()],
            " ...",
            *[number(v) for v in array[-edge:].tolist()],
        ]
    else:
        data = [number(v) for v in array.tolist()]
    lines = [", ".join(data[i : i + per_line]) for i in range(0, len(data), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(array: np.ndarray, indent: int, summary: bool, number: Any) -> str:
    if array.ndim == 0:
        return number(array.item())
    if array.ndim == 1:
        return _vector(array, indent, summary, number)
    edge = _options.edgeitems
    if summary and len(array) > 2 * edge:
        head = [_nested(a, indent + 1, summary, number) for a in array[:edge]]
        tail = [_nested(a, indent + 1, summary, number) for a in array[len(array) - edge :]]
        rows = [*head, "...", *tail]
    else:
        rows = [_nested(a, indent + 1, summary, number) for a in array]
    between = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + between.join(rows) + "]"


def contents(array: np.ndarray, indent: int) -> str:
    """The numbers of an array, whose text stands after `indent` characters of its line."""
    summary = array.size > _options.threshold
    if array.dtype.kind == "V" or array.dtype == np.float16:
        array = array.astype(np.float32)
    return _nested(array, indent, summary, _Format(_edges(array) if summary else array))


def with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Adds ", suffix" for each, on a new line where the last one would grow too long."""
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text + ")"


def _last_name(node: Any) -> str:
    """The name of a node, without the namespace that some have."""
    return node.name().rpartition("::")[2]


def tensor_repr(self: Any, *, tensor_contents: str | None = None) -> str:
    """What `repr` and `print` show of a tensor."""
    array = move(self._array, CPU)
    dtype = dtypes.from_numpy(array.dtype)
    default = dtypes.get_default_dtype()
    name = self.__class__.__name__
    prefix = "tensor(" if name in ("Tensor", "Parameter") else f"{name}("
    suffixes = [f"device='{self.device}'"] if on_gpu(self._array) else []
    if array.size == 0:
        text = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={array.shape}")
        if dtype is not default:
            suffixes.append(f"dtype={dtype!r}")
    else:
        text = contents(array, len(prefix)) if tensor_contents is None else tensor_contents
        if not _options.edgeitems:
            suffixes.append(f"size={array.shape}")
        if dtype not in (default, dtypes.int64, dtypes.bool_):
            suffixes.append(f"dtype={dtype!r}")
    if self.grad_fn is not None:
        suffixes.append(f"grad_fn=<{_last_name(self.grad_fn)}>")
    elif self._fn is not None:
        suffixes.append("requires_grad=True")
    return with_suffixes(prefix + text, suffixes, len(prefix))


class _ComplexFormat:
    """How complex numbers are written: each part as the real numbers of its kind."""

    def __init__(self, array: np.ndarray):
        self.real, self.imag = _Format(array.real), _Format(array.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: Any) -> str:
        imag = (self.imag(value.imag) + "j").lstrip()
        return self.real(value.real) + (imag if imag[0] in "+-" else "+" + imag)


def complex_repr(self: Any, array: np.ndarray) -> str:
    """What `repr` shows of a complex tensor with these values."""
    suffixes = []
    if array.size == 0:
        text = "[]"
        suffixes += [f"size={array.shape}"] if array.ndim != 1 else []
        suffixes.append(f"dtype={self.dtype!r}")
    else:
        summary = array.size > _options.threshold
        text = _nested(array, 7, summary, _ComplexFormat(_edges(array) if summary else array))
        if array.dtype != np.result_type(dtypes.default_numpy(), np.complex64):
            suffixes.append(f"dtype={self.dtype!r}")
    if self.grad_fn is not None:
        suffixes.append(f"grad_fn=<{_last_name(self.grad_fn)}>")
    elif self.requires_grad:
        suffixes.append("requires_grad=True")
    return with_suffixes("tensor(" + text, suffixes, 7)
