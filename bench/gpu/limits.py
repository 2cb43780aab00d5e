"""What the chip can do, measured in the run whose figures are compared with it."""

from __future__ import annotations

import statistics
from typing import Any

# precision of a case: (PyTorch's type of the operands, TF32 allowed)
RATES = {
    "f32": ("float32", False),
    "tf32": ("float32", True),
    "bf16": ("bfloat16", False),
    "f16": ("float16", False),
}


def copy_bandwidth(clock: Any, cupy: Any, size: int) -> float:
    """Bytes per second, read and written, of a copy on the device."""
    source, target = (cupy.empty(size // 4, "float32") for _ in range(2))
    source.fill(1)

    def run() -> None:
        target.data.copy_from_device_async(source.data, size)

    run()
    return 2 * size / statistics.median(clock.kernels(run, 0.3, 0.0))


def matrix_rate(clock: Any, torch: Any, n: int, precision: str) -> float:
    """FLOP/s of PyTorch's product of two n x n matrices of random numbers."""
    name, tf32 = RATES[precision]
    torch.allow_tf32(tf32)
    a, b = (torch.randn(n, n, device=torch.place).to(getattr(torch, name)) for _ in range(2))
    for _ in range(3):
        a @ b
    rate = 2.0 * n**3 / statistics.median(clock.kernels(lambda: a @ b, 0.3, 0.0))
    torch.allow_tf32(False)
    return rate


def measure(clock: Any, libraries: dict[str, Any], tiny: bool) -> dict[str, float]:
    """{"copy": bytes/s, "f32": FLOP/s, ...}: rates only where PyTorch is there."""
    found = {"copy": copy_bandwidth(clock, libraries["cupy"], 1 << (16 if tiny else 31))}
    if "torch" in libraries:
        for precision in RATES:
            n = 64 if tiny else 4096 if precision == "f32" else 8192
            found[precision] = matrix_rate(clock, libraries["torch"], n, precision)
    return found
