"""Automatic differentiation: variables, the graph, the backward loop, gradient modes.

This package knows no operation: operations are `Node` subclasses in `minigrad.ops`.
"""

from .api import backward, grad
from .function import Function, FunctionCtx, once_differentiable
from .modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
from .variable import Node, RemovableHandle, Variable

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
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]
