"""The compiled kernels for CUDA devices (`_cuda_emu` is the same, emulated; for tests).

Results come first, then inputs, then numbers; `stream` is always the last. An array is CuPy's, or a
pair (array, dtype) where uint16 stands for bfloat16. Operations and kinds are numbered as in
`minigrad/kernels/fast.py` and `reduction.py`.
"""

from __future__ import annotations

from typing import Any

def status() -> tuple[int, str]: ...

# cast
def cast(out: Any, src: Any, stream: int, /) -> None: ...

# elementwise: any strides; operands broadcast to `out`, all of its dtype; x, y, a, b may be numbers
def unary(out: Any, x: Any, op: int, numbers: tuple[float, ...], stream: int, /) -> None: ...
def binary(
    out: Any, x: Any, y: Any, op: int, numbers: tuple[float, ...], stream: int, /
) -> None: ...
def compare(out: Any, x: Any, y: Any, op: int, stream: int, /) -> None: ...  # out: bool
def where(out: Any, mask: Any, x: Any, y: Any, stream: int, /) -> None: ...  # any dtype, no numbers
def ternary(out: Any, x: Any, a: Any, b: Any, op: int, number: float, stream: int, /) -> None: ...
def copy(out: Any, x: Any, stream: int, /) -> None: ...  # any dtype; it converts nothing
def fill(out: Any, value: float, stream: int, /) -> None: ...
