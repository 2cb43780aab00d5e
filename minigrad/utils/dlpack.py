"""Tensors for other libraries, and from them, without a copy."""

from __future__ import annotations

from typing import Any

from ..creation import from_dlpack as from_dlpack


def to_dlpack(tensor: Any) -> Any:
    """The tensor as a DLPack capsule, which one other library may take."""
    return tensor.__dlpack__()
