"""`ZeroRedundancyOptimizer`: its state is shared out among processes; one has it all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..distributed.group import the_group
from .optimizer import Optimizer, ParamsT

__all__ = ["ZeroRedundancyOptimizer"]


class ZeroRedundancyOptimizer(Optimizer):
    """An `optimizer_class` with `defaults` over `params`, as `optim`, its groups and state.

    ValueError before `distributed.init_process_group`, which refuses more processes.
    """

    def __init__(
        self,
        params: ParamsT,
        optimizer_class: type[Optimizer],
        process_group: Any = None,
        parameters_as_bucket_view: bool = False,
        overlap_with_ddp: bool = False,
        **defaults: Any,
    ):
        the_group(process_group)
        self.optim = optimizer_class(params, **defaults)
        self._share()

    def _share(self) -> None:
        self.__dict__.update({k: v for k, v in self.optim.__dict__.items() if k != "optim"})

    def step(self, closure: Callable | None = None, **kwargs: Any) -> Any:
        """One step of the optimizer."""
        return self.optim.step(closure, **kwargs)

    def add_param_group(self, param_group: dict) -> None:
        """Adds a group of parameters."""
        self.optim.add_param_group(param_group)

    def consolidate_state_dict(self, to: int = 0) -> None:
        """Collects the state of all processes at process `to`: it is here."""

    def state_dict(self) -> dict:
        """The optimizer's."""
        return self.optim.state_dict()

    def load_state_dict(self, state_dict: dict) -> None:
        """Takes a state that `state_dict` gave."""
        self.optim.load_state_dict(state_dict)
        self._share()
