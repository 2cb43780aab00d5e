"""`save` and `load`: nests of tensors, numbers and strings in a file that runs no code.

The file is a ZIP archive of uncompressed members, each with its checksum: `minigrad.json`, the
structure, and `data/0`, `data/1`, …, the bytes of the storages (little-endian, aligned to 64).
Tensors that share memory share it again after loading.
"""

from .read import load
from .safetensors import load_safetensors, save_safetensors
from .write import save

__all__ = ["load", "load_safetensors", "save", "save_safetensors"]
