"""`save` and `load`: nests of tensors, numbers and strings in a file that runs no code.

The file is a ZIP archive of uncompressed members, each with its checksum: `minigrad.json`, the
structure, and `data/0`, `data/1`, …, the bytes of the storages (little-endian, aligned to 64).
Tensors that share memory share it again after loading. PyTorch's own files are read and
written too, without running the pickles in them.
"""

from .allowed import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .files import save
from .read import load
from .safetensors import load_safetensors, save_safetensors

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "load_safetensors",
    "safe_globals",
    "save",
    "save_safetensors",
]
