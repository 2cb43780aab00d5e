"""`MasterWeights`: float32 copies of 16-bit parameters, which any optimizer updates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..autograd import enable_grad, no_grad
from ..dtypes import float32
from ..optim import Optimizer


class MasterWeights(Optimizer):
    """Trains bfloat16 or float16 parameters whose steps are too small for their few digits.

    `MasterWeights(model.parameters(), AdamW, lr=1e-3)`: the optimizer keeps, beside its state, each
    16-bit parameter in float32, takes its step there with the 16-bit gradient, and rounds the
    result into the model (mixed precision training, Micikevicius et al., 2018). Other parameters
    are updated as ever. `param_groups` are of the model's own parameters: clipping, schedulers and
    `GradScaler` see these (the latter refuses gradients of float16, as PyTorch's does). A parameter
    that was written to elsewhere, as by `load_state_dict`, is taken anew. `state_dict` holds the
    copies, so that a run goes on with all their digits.
    """

    def __init__(self, params: Any, base_optimizer: Callable[..., Any], **kwargs: Any) -> None:
        self._masters: dict[Any, Any] = {}  # 16-bit parameter: its copy
        super().__init__(params, kwargs)
        self.base_optimizer = base_optimizer([self._twin(g) for g in self.param_groups], **kwargs)
        self.defaults = {**self.base_optimizer.defaults, **kwargs}
        self.state = self.base_optimizer.state
        for mine, group in self._groups():
            for name, value in group.items():
                mine.setdefault(name, value)

    def _twin(self, group: dict[str, Any]) -> dict[str, Any]:
        """A group with the copies in place of the parameters."""
        return {**group, "params": [self._master(p) for p in group["params"]]}

    def _master(self, p: Any) -> Any:
        if not (p.dtype.is_floating_point and p.dtype.itemsize == 2):
            return p
        if p not in self._masters:
            self._masters[p] = p.detach().to(float32).requires_grad_()
        return self._masters[p]

    def _groups(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The groups of the model's parameters and those of the base optimizer."""
        return zip(self.param_groups, self.base_optimizer.param_groups)

    def _hand_on(self) -> None:
        """Gives the base optimizer the options of the groups, which schedulers change here."""
        for mine, group in self._groups():
            group.update({k: v for k, v in mine.items() if k != "params"})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group, as `Optimizer.add_param_group`."""
        super().add_param_group(param_group)
        if "base_optimizer" in vars(self):
            self.base_optimizer.add_param_group(self._twin(self.param_groups[-1]))

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of the base optimizer. Returns the loss that `closure` computed."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._hand_on()
        for p, master in self._masters.items():
            if p.grad is None:
                continue
            if not (master.to(p.dtype) == p).all():
                master.copy_(p)
            master.grad = p.grad.to(float32)
        self.base_optimizer.step()
        for p, master in self._masters.items():
            if master.grad is not None:
                p.copy_(master)
                master.grad = None
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The base optimizer's, and under "masters" the copies in the order of the parameters."""
        self._hand_on()
        masters = [m.detach().clone() for m in self._masters.values()]
        return {**self.base_optimizer.state_dict(), "masters": masters}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` gave. ValueError for another number of 16-bit parameters."""
        masters = state_dict.get("masters", [])
        if len(masters) != len(self._masters):
            raise ValueError(
                f"MasterWeights: a state with {len(masters)} copies of 16-bit parameters was "
                f"given; needed: {len(self._masters)}"
            )
        rest = {k: v for k, v in state_dict.items() if k != "masters"}
        self.base_optimizer.load_state_dict(rest)
        self.state = self.base_optimizer.state
        for mine, group in self._groups():
            mine.update({k: v for k, v in group.items() if k != "params"})
        with no_grad():
            for master, saved in zip(self._masters.values(), masters):
                master.copy_(saved)
