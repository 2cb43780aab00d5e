"""einops on tensors: `einops.rearrange(t, ...)` and the like, once einops is imported.

einops asks every subclass of its `AbstractBackend` whether a tensor is its own; ours is defined as
soon as einops has loaded its backends, and nothing is loaded before.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from . import ops
from .creation import arange, from_numpy
from .tensor import Tensor

_BACKENDS = "einops._backends"


def register(backends: ModuleType) -> None:
    """Defines the backend among those of the module `einops._backends`."""

    class MinigradBackend(backends.AbstractBackend):  # type: ignore[name-defined]
        """What einops needs of a library of tensors."""

        framework_name = "minigrad"

        def is_appropriate_type(self, tensor: Any) -> bool:
            return isinstance(tensor, Tensor)

        def from_numpy(self, x: Any) -> Any:
            t = from_numpy(x)
            return t.requires_grad_() if t.is_floating_point() else t

        def to_numpy(self, x: Any) -> Any:
            return x.detach().numpy()

        def arange(self, start: int, stop: int) -> Any:
            return arange(start, stop)

        def reduce(self, x: Any, operation: str, reduced_axes: Sequence[int]) -> Any:
            axes = tuple(reduced_axes)
            if operation in ("min", "max"):
                return (ops.amin if operation == "min" else ops.amax)(x, axes)
            if operation != "prod":
                return getattr(ops, operation)(x, axes)
            for axis in sorted(axes, reverse=True):
                x = ops.prod(x, axis)
            return x

        def transpose(self, x: Any, axes: Sequence[int]) -> Any:
            return ops.permute(x, tuple(axes))

        def stack_on_zeroth_dimension(self, tensors: list) -> Any:
            return ops.stack(tensors)

        def add_axis(self, x: Any, new_position: int) -> Any:
            return ops.unsqueeze(x, new_position)

        def add_axes(self, x: Any, n_axes: int, pos2len: dict[int, int]) -> Any:
            sizes = [-1] * n_axes
            for position, size in pos2len.items():
                x = ops.unsqueeze(x, position)
                sizes[position] = size
            return ops.expand(x, sizes)

        def tile(self, x: Any, repeats: Sequence[int]) -> Any:
            return ops.repeat(x, tuple(repeats))

        def concat(self, tensors: list, axis: int) -> Any:
            return ops.cat(tensors, axis)

        def is_float_type(self, x: Any) -> bool:
            return x.is_floating_point()

        def layers(self) -> ModuleType:
            return importlib.import_module(f"{__package__}.einops_layers")

        def einsum(self, pattern: str, *x: Any) -> Any:
            return ops.einsum(pattern, *x)

    # einops finds its subclasses, which Python only knows weakly: somebody must keep this one.
    backends.MinigradBackend = MinigradBackend  # type: ignore[attr-defined]


class _Watch:
    """Sees the import of einops's backends, has them loaded as usual, and adds ours.

    A finder by its methods: the module of the abstract classes costs more to import than ours.
    """

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != _BACKENDS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            register(module)

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


def watch() -> None:
    """Registers the backend: now if einops is loaded, else when it will be."""
    loaded = sys.modules.get(_BACKENDS)
    if loaded is not None:
        register(loaded)
    else:
        sys.meta_path.insert(0, _Watch())
