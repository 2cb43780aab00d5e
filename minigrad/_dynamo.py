"""PyTorch's compiler of Python, as far as programs set its options: they change nothing here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .compiler import allow_in_graph as allow_in_graph
from .compiler import disable as disable
from .compiler import is_compiling as is_compiling
from .compiler import reset as reset

config: Any = SimpleNamespace(
    cache_size_limit=8, recompile_limit=8, suppress_errors=False, verbose=False
)
