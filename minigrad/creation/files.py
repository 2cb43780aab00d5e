"""Tensors over the bytes of a file."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ._common import finish, typed

__all__ = ["from_file"]


def from_file(
    filename: Any,
    shared: bool | None = None,
    size: int = 0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """A vector of `size` elements over a file's first bytes, read when they are touched.

    `shared`: writing to the tensor writes to the file, which is made as large as needed; else it
    changes memory of its own. RuntimeError for a file that is missing or too small.
    """
    if not isinstance(filename, (str, os.PathLike)):
        raise TypeError(
            "from_file(): argument 'filename' (position 1) must be str, not "
            f"{filename.__class__.__name__}"
        )
    wanted, count, path = typed("from_file", dtype, device), int(size or 0), os.fspath(filename)
    needed = count * wanted.itemsize
    found = os.path.getsize(path) if os.path.exists(path) else None
    if shared:
        if found is None or found < needed:
            with open(path, "ab") as file:
                file.truncate(needed)
    elif found is None:
        raise RuntimeError(f"unable to open file <{path}> in read-only mode: No such file")
    elif found < needed:
        raise RuntimeError(
            f"file <{path}> size <{found}> is smaller than the required mapping size <{needed}>"
        )
    if not count:
        return finish(np.empty(0, wanted), requires_grad, device)
    pages = np.memmap(path, np.uint8, "r+" if shared else "c", shape=(needed,))
    return finish(np.asarray(pages).view(wanted), requires_grad, device)
