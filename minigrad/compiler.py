"""`compile` and `compiler`: PyTorch's names for compiling programs, which minigrad does not do.

A function or module that is compiled is returned as it is: it gives the same results.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .nn.module import Module

_noted: set[str] = set()


def note(what: str) -> None:
    """Says once in a process what minigrad does instead of compiling."""
    if what not in _noted:
        _noted.add(what)
        warnings.warn(
            f"{what}: minigrad does not compile programs; they run as they are, with the same "
            "results",
            stacklevel=3,
        )


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict | None = None,
    disable: bool = False,
) -> Any:
    """The function or module as it is (its first use says so); without one, a decorator.

    A module gets the attribute `_orig_mod`, itself, which programs ask compiled modules for.
    RuntimeError for both `mode` and `options`; TypeError for what cannot be called.
    """
    if mode is not None and options is not None:
        raise RuntimeError(
            "Either mode or options can be specified, but both can't be specified at the same time."
        )
    if model is None:
        return lambda f: compile(
            f, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode, options=options,
            disable=disable,
        )  # fmt: skip
    if not callable(model):
        raise TypeError(f"compile: expected a function or a module, got {type(model).__name__}")
    if not disable:
        note("compile")
    if isinstance(model, Module):
        model.__dict__["_orig_mod"] = model
    return model


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function as it is; without one, a decorator."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """The function as it is."""
    return fn


assume_constant_result = nested_compile_region = wrap_numpy = allow_in_graph


def substitute_in_graph(original_fn: Any, **kwargs: Any) -> Callable:
    """A decorator that returns the function as it is."""
    return lambda f: f


def is_compiling() -> bool:
    """Whether the program is being compiled: never."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Forgets what was compiled: nothing."""


def cudagraph_mark_step_begin() -> None:
    """Marks a step for graphs of CUDA's: nothing."""


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """The compilers there are: none."""
    return []


class set_stance:
    """How compiled functions are run: kept for nobody, as nothing is compiled."""

    def __init__(self, stance: str = "default", **kwargs: Any):
        self.stance = stance

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, fn: Any) -> Any:
        return fn
