"""Wrappers of modules for several devices or processes: with one of each they call the module."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..distributed.group import the_group
from .module import Module


class DataParallel(Module):
    """Splits a batch over CUDA devices; without any, it calls `module` as it is.

    The keys of its state dict begin with "module.", as in PyTorch.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ):
        super().__init__()
        self.module = module
        self.dim = dim
        self.device_ids: list = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's output."""
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Keeps the gradients of several processes equal; in a world of one they are.

    ValueError before `distributed.init_process_group`, which refuses more processes; RuntimeError
    for a module without parameters that require grad. The keys of its state dict begin with
    "module.".
    """

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        process_group: Any = None,
        **options: Any,
    ):
        super().__init__()
        the_group(process_group)
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        self.module = module
        self.device_ids = None
        self.dim = dim
        self.broadcast_buffers = broadcast_buffers
        self.process_group = process_group
        self.require_backward_grad_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's output."""
        return self.module(*inputs, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Leaves gradients unsynchronised inside the block."""
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextlib.contextmanager
    def join(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        """Lets processes have different numbers of batches: there is one."""
        yield

    def register_comm_hook(self, state: Any, hook: Any) -> None:
        """A hook on gradients that travel: none do."""


def data_parallel(
    module: Module, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
    module_kwargs: dict | None = None,
) -> Any:  # fmt: skip
    """`module(*inputs)`, as there is one device."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))
