"""L1 and L2: as penalties that are added to the loss, and decoupled from the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import no_grad
from ..nn import Module


def _weights(name: str, p: Any) -> bool:
    """What penalties are for by default: matrices and kernels, not biases and scales."""
    return p.ndim >= 2


class _Penalty:
    def __init__(self, weight: float, include: Callable[[str, Any], bool] | None = None) -> None:
        if not weight >= 0:
            raise ValueError(f"{type(self).__name__}: weight is {weight}; needed: 0 or more")
        self.weight = weight
        self.include = include or _weights

    def __call__(self, model: Module) -> Any:
        """The penalty of a model's parameters, a scalar tensor."""
        terms = [
            self.term(p)
            for name, p in model.named_parameters()
            if p.requires_grad and self.include(name, p)
        ]
        if not terms:
            raise ValueError(
                f"{type(self).__name__}: no parameter is included; needed: one at least"
            )
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total * self.weight

    def term(self, p: Any) -> Any:
        """One parameter's share."""
        raise NotImplementedError


class L1Penalty(_Penalty):
    """weight * sum |p| over the parameters: `loss + L1Penalty(1e-4)(model)`, `Trainer(penalty=)`.

    `include(name, p)` says which parameters count (by default those of two dimensions or more).
    ValueError for a negative weight, or no parameters.
    """

    def term(self, p: Any) -> Any:
        return p.abs().sum()


class L2Penalty(_Penalty):
    """weight / 2 * sum p**2: its gradient is weight * p, as an optimizer's `weight_decay` has it.

    `include(name, p)` says which parameters count (by default those of two dimensions or more).
    ValueError for a negative weight, or no parameters.
    """

    def term(self, p: Any) -> Any:
        return (p * p).sum() * 0.5


def _chosen(optimizer: Any, group: dict[str, Any], params: Any) -> list:
    """The parameters of a group that are meant, of those that the step has updated."""
    meant = None if params is None else {id(p) for p in params}
    return [
        p
        for p in group["params"]
        if p.grad is not None and (p.ndim >= 2 if meant is None else id(p) in meant)
    ]


def decoupled_l1(optimizer: Any, l1: float, params: Any = None) -> Any:
    """Shrinks parameters by lr * l1 towards 0 after every step, without overshooting it.

    That is the proximal step of l1 * sum |p| (ISTA; Beck, Teboulle, 2009): unlike a penalty's
    gradient it gives weights of exactly 0. `params`: which (by default those of two dimensions or
    more). Only parameters that have a gradient are touched. Returns a handle; `remove()` ends it.
    """
    if not l1 >= 0:
        raise ValueError(f"decoupled_l1: l1 is {l1}; needed: 0 or more")
    params = None if params is None else list(params)

    @no_grad()
    def shrink(optimizer: Any, args: tuple, kwargs: dict) -> None:
        for group in optimizer.param_groups:
            by = float(group["lr"]) * l1
            for p in _chosen(optimizer, group, params):
                p.copy_(p.sign() * (p.abs() - by).clamp_(min=0.0))

    return optimizer.register_step_post_hook(shrink)


def decoupled_weight_decay(optimizer: Any, weight_decay: float, params: Any = None) -> Any:
    """Multiplies parameters by 1 - lr * weight_decay before every step (Loshchilov, Hutter, 2019).

    What AdamW does, for any optimizer: give that a `weight_decay` of 0. `params`: which (by default
    those of two dimensions or more). Returns a handle; `remove()` ends it.
    """
    if not weight_decay >= 0:
        raise ValueError(
            f"decoupled_weight_decay: weight_decay is {weight_decay}; needed: 0 or more"
        )
    params = None if params is None else list(params)

    @no_grad()
    def decay(optimizer: Any, args: tuple, kwargs: dict) -> None:
        for group in optimizer.param_groups:
            for p in _chosen(optimizer, group, params):
                p.mul_(1 - float(group["lr"]) * weight_decay)

    return optimizer.register_step_pre_hook(decay)
