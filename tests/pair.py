"""What tests that run with both libraries share: each runs with PyTorch and with minigrad."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
both = pytest.mark.parametrize("m", [torch, mg], ids=["torch", "minigrad"])


def values(t: Any) -> list:
    return t.detach().numpy().tolist()


def ones(m: Any, *shape: int, grad: bool = True) -> Any:
    return m.ones(*shape, requires_grad=grad)


def leaf(lib: Any, values: Any, grad: bool = True) -> Any:
    """A leaf of either library over its own copy of the values."""
    array = np.array(values, np.float64)
    t = torch.from_numpy(array) if lib is torch else mg.Tensor._from_array(array)
    return t.requires_grad_(grad)
