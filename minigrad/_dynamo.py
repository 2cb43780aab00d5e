"""PyTorch's compiler of Python, as far as programs set its options: they change nothing here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .compiler import allow_in_graph as allow_in_graph
from .compiler import disable as disable
from .compiler import is_compiling as is_compiling
from .compiler import reset as reset

eval_frame = SimpleNamespace(OptimizedModule=type("OptimizedModule", (), {}))  # of no object


def optimize(*args: Any, **kwargs: Any) -> Any:
    """A decorator that returns the function as it is."""
    return lambda fn: fn


def mark_dynamic(t: Any, index: Any, **kwargs: Any) -> None:
    """Says which sizes change: nobody asks."""


mark_static = mark_unbacked = maybe_mark_dynamic = mark_dynamic


config: Any = SimpleNamespace(
    cache_size_limit=8, recompile_limit=8, suppress_errors=False, verbose=False
)
