"""Automatic differentiation: variables, the graph, the backward loop, gradient modes.

This package knows no operation: operations are `Node` subclasses in `minigrad.ops`.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from .api import backward, grad
from .function import Function, FunctionCtx, once_differentiable
from .handles import RemovableHandle
from .modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
from .variable import Node, Variable

__all__ = [
    "Function",
    "FunctionCtx",
    "Node",
    "RemovableHandle",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]

# What few programs use is imported when it is first asked for.
_LAZY = {"GradcheckError": "checks", "gradcheck": "checks", "gradgradcheck": "checks"}


def __getattr__(name: str) -> _Any:
    if name in ("checks", "functional", "graph"):
        return _import_module(f"{__name__}.{name}")
    if name == "profiler":  # PyTorch's older place for it
        return _import_module("minigrad.profiler")
    if name == "forward_ad":  # made of operations, so it stands above them
        return _import_module(f"{__name__.partition('.')[0]}.func.forward_ad")
    if name in _LAZY:
        value = getattr(_import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
