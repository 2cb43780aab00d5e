"""L-BFGS with an optional strong Wolfe line search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..autograd import modes
from ..autograd import variable as _v
from ..autograd.inplace import bump
from ..autograd.variable import Variable
from .optimizer import Optimizer, check_lr

# Numbers that come from products of vectors are NumPy scalars in the parameters' dtype, as
# PyTorch's are tensors of it; losses are Python's floats in both.
Scalar = Any

_DECREASE, _CURVATURE = 1e-4, 0.9  # the constants c1 and c2 of the Wolfe conditions


class _Point(NamedTuple):
    """What is known at x + t * direction."""

    t: Scalar
    loss: float
    grad: np.ndarray
    slope: Scalar  # the derivative along the direction


def _dot(a: np.ndarray, b: np.ndarray) -> Scalar:
    if a.dtype.itemsize == 2:
        return a.dtype.type(np.dot(a.astype(np.float32), b.astype(np.float32)))
    return np.dot(a, b)


def _minimum(a: _Point, b: _Point, bounds: tuple | None = None) -> Scalar:
    """Where the cubic through both points' losses and slopes is least, kept within the bounds."""
    low, high = bounds or ((a.t, b.t) if a.t <= b.t else (b.t, a.t))
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = np.sqrt(square)
    best = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(best, low), high)


def _bracket(
    evaluate: Callable, start: _Point, t: Scalar, limit: int
) -> tuple[list[_Point], int, bool]:
    """Points around a step that meets the Wolfe conditions; or one point, and True, that does."""
    previous, new = start, evaluate(t)
    for tries in range(limit):
        bound = start.loss + _DECREASE * new.t * start.slope
        if new.loss > bound or (tries > 1 and new.loss >= previous.loss):
            return [previous, new], tries, False
        if abs(new.slope) <= -_CURVATURE * start.slope:
            return [new], tries, True
        if new.slope >= 0:
            return [previous, new], tries, False
        bounds = (new.t + 0.01 * (new.t - previous.t), new.t * 10)
        t = _minimum(previous, new, bounds)
        previous, new = new, evaluate(t)
    return [start, new], limit, False


def _off_the_ends(t: Scalar, left: Scalar, right: Scalar, stuck: bool) -> tuple[Scalar, bool]:
    """t, moved away from an end of the bracket it is too near to for the second time."""
    margin = 0.1 * (right - left)
    if not min(right - t, t - left) < margin:
        return t, False
    if not (stuck or t >= right or t <= left):
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def _strong_wolfe(
    evaluate: Callable,
    start: _Point,
    t: Scalar,
    size: Scalar,
    limit: int,
    tolerance: float,
) -> tuple[_Point, int]:
    """A step that meets the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5, 3.6).

    `evaluate(t)` gives the point at t; `size` is the largest element of the direction. Returns the
    best point and how often `evaluate` was called: at most `limit` times and once.
    """
    points, tries, done = _bracket(evaluate, start, t, limit)
    low, high = (0, 1) if points[0].loss <= points[-1].loss else (1, 0)
    stuck = False
    while not done and tries < limit:
        if abs(points[1].t - points[0].t) * size < tolerance:
            break
        ends = points[0].t, points[1].t
        t, stuck = _off_the_ends(_minimum(*points), min(ends), max(ends), stuck)
        new = evaluate(t)
        tries += 1
        if new.loss > start.loss + _DECREASE * t * start.slope or new.loss >= points[low].loss:
            points[high] = new
            low, high = (0, 1) if points[0].loss <= points[1].loss else (1, 0)
            continue
        if abs(new.slope) <= -_CURVATURE * start.slope:
            done = True
        elif new.slope * (points[high].t - points[low].t) >= 0:
            points[high] = points[low]
        points[low] = new
    return points[low], tries + 1


class _Memory:
    """The state of L-BFGS as arrays: what `load` reads and `save` writes in PyTorch's form."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.direction = _array(state.get("d"))
        self.t = _array(state.get("t"))
        self.differences = [_array(y) for y in state.get("old_dirs") or []]  # of gradients
        self.moves = [_array(s) for s in state.get("old_stps") or []]
        self.ro = [_array(r) for r in state.get("ro") or []]
        self.scale = _array(state.get("H_diag"))
        self.grad = _array(state.get("prev_flat_grad"))
        self.loss = state.get("prev_loss")
        self.al = state.get("al")

    def save(self, state: dict[str, Any]) -> None:
        if self.al is not None:
            state["al"] = [_tensor(a) for a in self.al]
        state["d"] = _v.wrap(self.direction)
        state["t"] = _tensor(self.t)
        state["old_dirs"] = [_v.wrap(y) for y in self.differences]
        state["old_stps"] = [_v.wrap(s) for s in self.moves]
        state["ro"] = [_tensor(r) for r in self.ro]
        state["H_diag"] = _tensor(self.scale)
        state["prev_flat_grad"] = _v.wrap(self.grad)
        state["prev_loss"] = self.loss

    def turn(self, grad: np.ndarray, history: int) -> None:
        """Notes the last move and sets `direction` to -H grad (Nocedal, 1980: two loops)."""
        difference = grad - self.grad
        move = self.direction * self.t
        product = _dot(difference, move)
        if product > 1e-10:
            if len(self.moves) == history:
                for kept in (self.differences, self.moves, self.ro):
                    kept.pop(0)
            self.differences.append(difference)
            self.moves.append(move)
            self.ro.append(1.0 / product)
            self.scale = product / _dot(difference, difference)
        if self.al is None:
            self.al = [None] * history
        q = -grad
        for i in reversed(range(len(self.moves))):
            self.al[i] = _dot(self.moves[i], q) * self.ro[i]
            q += self.differences[i] * -self.al[i]
        q = q * self.scale
        for i in range(len(self.moves)):
            be = _dot(self.differences[i], q) * self.ro[i]
            q += self.moves[i] * (self.al[i] - be)
        self.direction = q


def _array(value: Any) -> Any:
    """A tensor's array, or its number if it has no dimensions; other values as they are."""
    return value._array[()] if isinstance(value, Variable) else value


def _tensor(value: Any) -> Any:
    return _v.wrap(np.array(value)) if isinstance(value, np.generic) else value


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal, 1980): `step(closure)` makes up to `max_iter` iterations.

    The closure must clear the gradients, compute the loss, call `backward` and return the loss. An
    iteration moves `lr` along the direction, or as far as the line search "strong_wolfe" says. It
    stops after `max_eval` evaluations (default 1.25 * max_iter), when no element of the gradient
    exceeds `tolerance_grad`, or when loss and parameters change less than `tolerance_change`.
    ValueError for more than one parameter group.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list:
        return self.param_groups[0]["params"]

    def _flat_grad(self) -> np.ndarray:
        flat = []
        for p in self._params:
            grad = p._grad
            zeros = grad is None
            flat.append(np.zeros(p._array.size, p._array.dtype) if zeros else grad._array.ravel())
        return np.concatenate(flat)

    def _move(self, t: Scalar, direction: np.ndarray) -> None:
        """Adds t * direction to the parameters."""
        start = 0
        for p in self._params:
            array = p._array
            change = direction[start : start + array.size].reshape(array.shape) * t
            array += change.astype(array.dtype, copy=False)
            bump(p)
            start += array.size

    def _evaluate(self, closure: Callable) -> tuple[float, np.ndarray]:
        """The loss and the gradient; keeps what the closure returned."""
        before = modes.set_recording(True)
        try:
            self._returned = closure()
        finally:
            modes.set_recording(before)
        loss = self._returned
        value = float(loss.detach() if isinstance(loss, Variable) else loss)
        return value, self._flat_grad()

    def _search(
        self, closure: Callable, memory: _Memory, here: _Point, limit: int, tolerance: float
    ) -> tuple[float, np.ndarray, int]:
        """Sets memory.t by the line search; the loss and gradient there, and evaluations."""
        direction = memory.direction
        kept = [p._array.copy() for p in self._params]

        def evaluate(t: Scalar) -> _Point:
            self._move(t, direction)
            loss, grad = self._evaluate(closure)
            for p, values in zip(self._params, kept, strict=True):
                p._array[...] = values
                bump(p)
            return _Point(t, loss, grad, _dot(grad, direction))

        size = np.abs(direction).max()
        point, evaluations = _strong_wolfe(evaluate, here, memory.t, size, limit, tolerance)
        memory.t = point.t
        return point.loss, point.grad, evaluations

    def step(self, closure: Callable) -> Any:  # type: ignore[override]
        """Makes up to `max_iter` iterations. Returns the loss at the start."""
        with modes.no_grad(), np.errstate(all="ignore"):
            return self._iterate(closure, self.param_groups[0], self.state[self._params[0]])

    def _iterate(self, closure: Callable, group: dict[str, Any], state: dict[str, Any]) -> Any:
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        loss, grad = self._evaluate(closure)
        first, self._returned = self._returned, None
        evaluations = 1
        state["func_evals"] += 1
        if np.abs(grad).max() <= group["tolerance_grad"]:
            return first
        lr, tolerance = group["lr"], group["tolerance_change"]
        if isinstance(lr, Variable):  # the step lengths are tensors then
            lr = lr._array.reshape(())[()]
        memory = _Memory(state)
        for i in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                memory.direction, memory.scale = -grad, 1
                memory.t = min(1.0, 1.0 / np.abs(grad).sum()) * lr
            else:
                memory.turn(grad, group["history_size"])
                memory.t = lr
            memory.grad, memory.loss = grad, loss
            slope = _dot(grad, memory.direction)
            if slope > -tolerance:
                break
            more = 0
            if group["line_search_fn"] is None:
                self._move(memory.t, memory.direction)
                if i != group["max_iter"]:
                    loss, grad = self._evaluate(closure)
                    more = 1
            elif group["line_search_fn"] != "strong_wolfe":
                raise RuntimeError("only 'strong_wolfe' is supported")
            else:
                here = _Point(0, loss, grad, slope)
                limit = group["max_eval"] - evaluations
                loss, grad, more = self._search(closure, memory, here, limit, tolerance)
                self._move(memory.t, memory.direction)
            evaluations += more
            state["func_evals"] += more
            if (
                i == group["max_iter"]
                or evaluations >= group["max_eval"]
                or np.abs(grad).max() <= group["tolerance_grad"]
                or np.abs(memory.direction * memory.t).max() <= tolerance
                or abs(loss - memory.loss) < tolerance
            ):
                break
        memory.save(state)
        self._returned = None
        return first
