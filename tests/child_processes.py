"""What child processes of tests run: a module that they can import, however they were started."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

import minigrad as mg
from minigrad.utils import data


def add_one(tensor: Any, module: Any, sender: Any, received: Any) -> None:
    """Writes to shared memory, and sends what it saw, or what went wrong."""
    try:
        with mg.no_grad():
            tensor += 1
            module.weight.fill_(7)
        sender.send((tensor.is_shared(), module.weight.is_shared(), tensor))
    except BaseException:
        sender.send(traceback.format_exc())
        raise
    received.wait(60)  # whoever sends shared memory must be there when it is received


class Images(data.Dataset):
    """Sample i is filled with i; what travels with it is of several kinds."""

    def __init__(self, count: int = 24, size: int = 3000) -> None:
        self.count, self.size = count, size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> dict:
        half = mg.full((self.size,), i, dtype=mg.bfloat16)
        return {"x": np.full(self.size, i, np.float32), "half": half, "name": str(i), "y": i}
