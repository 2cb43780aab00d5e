"""Layers with int8 weights: linear and convolution, dynamic and static, and a network of them.

PyTorch's run on the engine that is fastest here of "onednn" and "fbgemm" (set QENGINE below); the
same layer in float32 is in the groups `matmul` and `conv`.
"""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType
from typing import Any

from cases import Case, tensor

QENGINE = "onednn"


def tools(t: ModuleType) -> Any:
    """The library's `ao.quantization`, on the engine to compare with."""
    warnings.filterwarnings("ignore", module="torch")
    t.backends.quantized.engine = QENGINE
    return importlib.import_module(f"{t.__name__}.ao.quantization")


def dynamic(rows: int, inputs: int, outputs: int, size: str) -> Case:
    def of(t):
        q = tools(t)
        t.manual_seed(0)
        x = tensor(t, rows, inputs)
        spec = {t.nn.Linear: q.per_channel_dynamic_qconfig}
        layer = q.quantize_dynamic(t.nn.Sequential(t.nn.Linear(inputs, outputs)), spec)[0]
        return lambda: layer(x)

    work = 2.0 * rows * inputs * outputs
    return Case(
        f"dynamic linear {rows}x{inputs}->{outputs}", of, size=size, flops=work, tolerance=2e-2
    )


def static(name: str, make: Any, shape: tuple[int, ...], work: float, size: str) -> Case:
    """A layer or network between a quantizing and a dequantizing end."""

    def of(t):
        q = tools(t)
        t.manual_seed(0)
        x = tensor(t, *shape)
        model, fused = make(t)
        model = t.nn.Sequential(q.QuantStub(), *model, q.DeQuantStub()).eval()
        if fused:
            model = q.fuse_modules(model, fused)
        # Extremes, which are the same in each library where histograms may cut elsewhere
        model.qconfig = q.QConfig(q.MinMaxObserver, q.default_per_channel_weight_observer)
        model = q.prepare(model)
        with t.no_grad():
            model(x)
        model = q.convert(model)
        return lambda: model(x)

    return Case(f"static {name}", of, size=size, flops=work, tolerance=5e-2)


def linear(rows: int, inputs: int, outputs: int, size: str) -> Case:
    def make(t):
        return [t.nn.Linear(inputs, outputs)], []

    work = 2.0 * rows * inputs * outputs
    return static(f"linear {rows}x{inputs}->{outputs}", make, (rows, inputs), work, size)


def conv(n: int, c: int, side: int, k: int, kernel: int, groups: int, size: str) -> Case:
    def make(t):
        return [t.nn.Conv2d(c, k, kernel, padding=kernel // 2, groups=groups)], []

    work = 2.0 * n * side * side * k * c // groups * kernel * kernel
    name = f"conv {n}x{c}x{side}x{side} {k}x{kernel}x{kernel}" + f" g{groups}" * (groups > 1)
    return static(name, make, (n, c, side, side), work, size)


def digits(n: int, size: str) -> Case:
    def make(t):
        layers = [
            t.nn.Conv2d(1, 32, 3, padding=1), t.nn.ReLU(), t.nn.MaxPool2d(2),
            t.nn.Conv2d(32, 64, 3, padding=1), t.nn.ReLU(), t.nn.MaxPool2d(2),
            t.nn.Flatten(), t.nn.Linear(64 * 49, 128), t.nn.ReLU(), t.nn.Linear(128, 10),
        ]  # fmt: skip
        return layers, [["1", "2"], ["4", "5"], ["8", "9"]]

    work = 2.0 * n * (784 * 32 * 9 + 196 * 64 * 288 + 3136 * 128 + 1280)
    return static(f"network of digits {n}", make, (n, 1, 28, 28), work, size)


CASES = [
    dynamic(1, 64, 64, "small"),
    dynamic(1, 512, 512, "small"),
    dynamic(32, 784, 256, "medium"),
    dynamic(64, 1024, 1024, "medium"),
    dynamic(1, 4096, 4096, "medium"),
    dynamic(1024, 1024, 1024, "large"),
    linear(1, 512, 512, "small"),
    linear(64, 1024, 1024, "medium"),
    linear(1024, 1024, 1024, "large"),
    conv(1, 16, 14, 32, 3, 1, "small"),
    conv(8, 32, 28, 64, 3, 1, "medium"),
    conv(8, 256, 14, 64, 1, 1, "medium"),
    conv(8, 64, 28, 64, 3, 64, "medium"),
    conv(16, 128, 28, 128, 3, 1, "large"),
    digits(1, "small"),
    digits(64, "large"),
]
