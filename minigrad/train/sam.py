"""`SAM`: sharpness-aware minimisation, around any optimizer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ..autograd import enable_grad, no_grad
from ..nn import Module
from ..optim import Optimizer


class SAM(Optimizer):
    """Steps by the gradient at the worst point near by (Foret et al., 2021; adaptive: Kwon, 2021).

    `SAM(params, SGD, rho=0.05, lr=0.1, momentum=0.9)`, then `sam.step(closure)`, where the closure
    clears the gradients, computes the loss, calls `backward` and returns the loss; it is called
    twice. Or `first_step(zero_grad=True)` and `second_step(zero_grad=True)`, each after a backward.
    The point is w + rho g / |g|, or with `adaptive=True` w + rho w**2 g / |w g|. `param_groups` are
    those of `base_optimizer`, which schedulers may be given. Batch norms see each batch twice:
    `frozen_running_stats(model)` around the second evaluation (a Trainer does that) keeps their
    statistics. ValueError for a negative rho.
    """

    needs_closure = True

    def __init__(
        self,
        params: Any,
        base_optimizer: Callable[..., Any],
        rho: float = 0.05,
        adaptive: bool = False,
        **kwargs: Any,
    ) -> None:
        if not rho >= 0:
            raise ValueError(f"SAM: rho is {rho}; needed: 0 or more")
        super().__init__(params, {"rho": rho, "adaptive": adaptive, **kwargs})
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups
        self.defaults.update(self.base_optimizer.defaults)
        self._moved: list[tuple[Any, Any]] = []  # (parameter, its value) between the two steps

    def _each(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    yield p, group

    @no_grad()
    def first_step(self, zero_grad: bool = False) -> None:
        """Goes to the worst point near by. RuntimeError if it is there already."""
        if self._moved:
            raise RuntimeError("SAM.first_step: called twice; needed: second_step in between")
        total = 0.0
        for p, group in self._each():
            grad = p.grad * p.abs() if group["adaptive"] else p.grad
            total += float(grad.double().pow(2).sum())
        norm = total**0.5 + 1e-12
        for p, group in self._each():
            self._moved.append((p, p.detach().clone()))
            step = p.grad * (p * p) if group["adaptive"] else p.grad
            p.add_(step, alpha=group["rho"] / norm)
        if zero_grad:
            self.zero_grad()

    @no_grad()
    def second_step(self, zero_grad: bool = False) -> None:
        """Goes back and takes the base optimizer's step with the gradient found meanwhile."""
        if not self._moved:
            raise RuntimeError("SAM.second_step: called before first_step; needed: that first")
        self._go_back()
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    def _go_back(self) -> None:
        for p, value in self._moved:
            p.copy_(value)
        self._moved.clear()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Both steps. Returns the loss at the present parameters. RuntimeError without closure."""
        if closure is None:
            raise RuntimeError("SAM.step: given no closure; needed: one, or first and second_step")
        with enable_grad():
            loss = closure()
        self.first_step()
        try:
            with enable_grad():
                closure()
        except BaseException:
            with no_grad():
                self._go_back()
            raise
        self.second_step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The base optimizer's, whose groups hold rho as well."""
        return self.base_optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        self.base_optimizer.load_state_dict(state_dict)
        self.param_groups = self.base_optimizer.param_groups


@contextlib.contextmanager
def frozen_running_stats(model: Module) -> Iterator[None]:
    """In this block, norms with running statistics normalise by batches and leave these alone."""
    saved = []
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            count = getattr(module, "num_batches_tracked", None)
            saved.append((module, module.momentum, None if count is None else count.clone()))
            module.momentum = 0.0
    try:
        yield
    finally:
        for module, momentum, count in saved:
            module.momentum = momentum
            if count is not None:
                module.num_batches_tracked.copy_(count)
