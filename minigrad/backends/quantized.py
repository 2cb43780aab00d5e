"""Engines of quantized operations: PyTorch's names, all of which stand for minigrad's kernels.

Their values are those of PyTorch's "fbgemm", without its overflows of 16-bit sums.
"""

from __future__ import annotations

engine = "x86"
supported_engines: list[str] = ["qnnpack", "onednn", "x86", "fbgemm"]
