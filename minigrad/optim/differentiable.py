"""Steps that autograd records: the updates of optimizers with `differentiable=True`.

The same formulas as the optimizers' kernels, written with operations on tensors, so that gradients
flow through a step to parameters, gradients, states and options that are tensors. A state is
another tensor after each step: the graph may have saved the old one. The numbers that only count
steps are Python's, or float32 in Adam, as PyTorch's are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import modes
from ..ops import maximum, where

Options = dict[str, Any]
State = dict[str, Any]


def step_group(optimizer: Any, group: Options) -> None:
    """One step of a group's parameters. NotImplementedError for optimizers without a formula."""
    names = (cls.__name__ for cls in type(optimizer).__mro__)
    update = next((UPDATES[name] for name in names if name in UPDATES), None)
    if update is None:
        raise NotImplementedError(
            f"{type(optimizer).__name__}: differentiable=True is not supported; needed: False, or "
            f"one of {', '.join(UPDATES)}"
        )
    before = modes.set_recording(True)
    try:
        for p in group["params"]:
            if p.grad is None:
                continue
            state = optimizer.state[p]
            if not state and update is not _sgd:  # which starts with the first gradient
                optimizer._start(state, p, group)
            update(group, p, -p.grad if group["maximize"] else p.grad, state)
    finally:
        modes.set_recording(before)


def _decayed(group: Options, p: Any, grad: Any) -> Any:
    """The gradient with the weights' decay in it, unless that shrinks the weights directly."""
    decay = group["weight_decay"]
    if isinstance(decay, (int, float)) and decay == 0:
        return grad
    if group.get("decoupled_weight_decay"):
        p.sub_(group["lr"] * decay * p.clone())
        return grad
    return grad + decay * p


def _moments(group: Options, grad: Any, state: State) -> tuple[Any, Any, Any]:
    """Counts the step and moves the averages of g and g^2; what their starts at 0 have left out."""
    beta1, beta2 = group["betas"]
    state["step"] = state["step"] + 1
    state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * grad
    state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * grad * grad
    step = state["step"].item()
    return step, 1 - beta1**step, 1 - beta2**step


def _sgd(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    momentum = group["momentum"]
    if momentum:
        buffer = state.get("momentum_buffer")
        if buffer is None:
            buffer = grad.detach().clone()
        else:
            buffer = momentum * buffer + (1 - group["dampening"]) * grad
        state["momentum_buffer"] = buffer
        grad = grad + momentum * buffer if group["nesterov"] else buffer
    p.sub_(group["lr"] * grad)


def _adam(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    _moments(group, grad, state)
    correction1, correction2 = (1 - beta ** state["step"] for beta in group["betas"])
    second = state["exp_avg_sq"]
    if group["amsgrad"]:
        second = state["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], second)
    size = (second / correction2).sqrt() + group["eps"]
    p.sub_(group["lr"] / correction1 * state["exp_avg"] / size)


def _nadam(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    step, _, correction2 = _moments(group, grad, state)
    beta1, slowing, lr = group["betas"][0], group["momentum_decay"], group["lr"]
    now, then = (beta1 * (1 - 0.5 * 0.96 ** ((step + i) * slowing)) for i in (0, 1))
    product = state["mu_product"] = state["mu_product"] * now
    size = (state["exp_avg_sq"] / correction2).sqrt() + group["eps"]
    p.sub_(lr * (1 - now) / (1 - product) * grad / size)
    p.sub_(lr * then / (1 - product * then) * state["exp_avg"] / size)


def _radam(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    step, correction1, correction2 = _moments(group, grad, state)
    beta2 = group["betas"][1]
    limit = 2 / (1 - beta2) - 1
    length = limit - 2 * step * beta2**step / correction2
    move = group["lr"] * state["exp_avg"] / correction1
    if length > 5:
        part = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
        move = move * (correction2 * part) ** 0.5 / (state["exp_avg_sq"].sqrt() + group["eps"])
    p.sub_(move)


def _adamax(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    beta1, beta2 = group["betas"]
    state["step"] = state["step"] + 1
    state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * grad
    largest = state["exp_inf"] = maximum(state["exp_inf"] * beta2, grad.abs() + group["eps"])
    p.sub_(group["lr"] / (1 - beta1 ** state["step"].item()) * state["exp_avg"] / largest)


def _adadelta(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    state["step"] = state["step"] + 1
    rho, eps = group["rho"], group["eps"]
    square = state["square_avg"] = rho * state["square_avg"] + (1 - rho) * grad * grad
    delta = (state["acc_delta"] + eps).sqrt() / (square + eps).sqrt() * grad
    state["acc_delta"] = rho * state["acc_delta"] + (1 - rho) * delta * delta
    p.sub_(group["lr"] * delta)


def _adagrad(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    state["step"] = state["step"] + 1
    state["sum"] = state["sum"] + grad * grad
    rate = group["lr"] / (1 + (state["step"].item() - 1) * group["lr_decay"])
    p.sub_(rate * grad / (state["sum"].sqrt() + group["eps"]))


def _asgd(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    state["step"] = state["step"] + 1
    step, rate, lr = state["step"].item(), state["eta"].item(), group["lr"]
    p.mul_(1 - group["lambd"] * rate)
    p.sub_(rate * grad)
    state["ax"] = state["ax"] + (p - state["ax"]) * state["mu"].item()
    state["eta"].fill_(float(lr / (1 + group["lambd"] * lr * step) ** group["alpha"]))
    state["mu"].fill_(1 / max(1, step - group["t0"]))


def _rmsprop(group: Options, p: Any, grad: Any, state: State) -> None:
    grad = _decayed(group, p, grad)
    state["step"] = state["step"] + 1
    alpha = group["alpha"]
    spread = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * grad * grad
    if group["centered"]:
        mean = state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * grad
        spread = spread - mean * mean
    move = grad / (spread.sqrt() + group["eps"])
    if group["momentum"] > 0:
        move = state["momentum_buffer"] = group["momentum"] * state["momentum_buffer"] + move
    p.sub_(group["lr"] * move)


def _rprop(group: Options, p: Any, grad: Any, state: State) -> None:
    state["step"] = state["step"] + 1
    shrink, grow = group["etas"]
    sign = (grad * state["prev"]).sign()
    factor = where(sign > 0, grow, where(sign < 0, shrink, 1.0)).to(sign.dtype)
    state["step_size"] = (state["step_size"] * factor).clamp(*group["step_sizes"])
    state["prev"] = where(sign < 0, 0.0, grad)
    p.sub_(state["prev"].sign() * state["step_size"])


UPDATES: dict[str, Callable[[Options, Any, Any, State], None]] = {
    "SGD": _sgd, "Adam": _adam, "NAdam": _nadam, "RAdam": _radam, "Adamax": _adamax,
    "Adadelta": _adadelta, "Adagrad": _adagrad, "ASGD": _asgd, "RMSprop": _rmsprop,
    "Rprop": _rprop,
}  # fmt: skip
