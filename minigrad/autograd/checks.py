"""`gradcheck` and `gradgradcheck`: gradients against finite differences."""

from __future__ import annotations

import importlib
import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..backend import namespace
from . import api
from .variable import Variable, is_float, set_requires_grad, wrap


class GradcheckError(RuntimeError):
    """What `gradcheck` raises when gradients disagree."""


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether `func`'s gradients equal central differences, for inputs that require grad.

    Compares the whole Jacobian of each output and input, or with `fast_mode` one random direction
    of each. `check_forward_ad`: also, or only, the tangents of forward mode; `check_batched_grad`:
    also gradients that are mapped over. Inputs should be float64. GradcheckError (False without
    `raise_exception`) where |analytical - numerical| > atol + rtol * |numerical|, or where two
    backward passes differ by more than `nondet_tol`.
    """
    if not check_backward_ad and not check_forward_ad:
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if check_batched_grad and not check_backward_ad:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_backward_ad to be True"
        )
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError(
            "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
        )
    if check_batched_forward_grad:
        raise NotImplementedError(
            "gradcheck: tangents are not mapped over; needed: check_batched_forward_grad=False"
        )
    inputs = _as_tuple(inputs)
    _check_inputs(inputs)
    check = _Check(func, inputs, eps, atol, rtol, nondet_tol, check_grad_dtypes)
    try:
        if check_forward_ad:
            check.forward()
        if check_backward_ad:
            check.run(fast_mode)
            if check_undefined_grad:
                check.undefined_gradients()
            if check_batched_grad:
                check.batched()
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _loaded(name: str) -> Any:
    """A module above this one, which only these checks need."""
    return importlib.import_module(f"{__package__.rpartition('.')[0]}.{name}")


def _as_tuple(value: Any) -> tuple:
    if isinstance(value, Variable) or not isinstance(value, Sequence):
        return (value,)
    return tuple(value)


def _check_inputs(inputs: tuple) -> None:
    wanted = False
    for i, t in enumerate(inputs):
        if not isinstance(t, Variable) or t._fn is None:
            continue
        wanted = True
        array = t._array
        if array.dtype.itemsize != 8:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                UserWarning,
                stacklevel=3,
            )
        strided = zip(array.strides, array.shape, strict=True)
        if array.size and any(s == 0 and n > 1 for s, n in strided):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients correctly. "
                "You should call .contiguous on the input before passing it to gradcheck."
            )
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them "
            "have requires_grad=True."
        )


class _Check:
    """One function at one point, and how close its gradients must be."""

    def __init__(
        self,
        func: Callable,
        inputs: tuple,
        eps: float,
        atol: float,
        rtol: float,
        nondet_tol: float,
        check_dtypes: bool,
    ):
        self.func, self.inputs = func, inputs
        self.eps, self.atol, self.rtol, self.nondet_tol = eps, atol, rtol, nondet_tol
        self.check_dtypes = check_dtypes
        self.free = [
            i for i, t in enumerate(inputs) if isinstance(t, Variable) and t._fn is not None
        ]
        self.xp = namespace(inputs[self.free[0]]._array)

    def outputs(self) -> list:
        """The tensors among the results that could have gradients."""
        results = _as_tuple(self.func(*self.inputs))
        return [t for t in results if isinstance(t, Variable) and is_float(t._array)]

    def values(self) -> list:
        """The outputs' arrays at the present values of the inputs, copied."""
        return [t._array.astype("float64") for t in self.outputs()]

    def run(self, fast: bool) -> None:
        outputs = self.outputs()
        if not any(t._fn is not None for t in outputs):
            self._expect_zero(len(outputs))
            return
        if fast:
            self._directions(outputs)
            return
        numeric = self._numeric()
        for j, output in enumerate(outputs):
            if output._fn is None:  # a constant, as far as the graph goes: not checked
                continue
            analytic = self._analytic(output)
            again = self._analytic(output)
            for position, i in enumerate(self.free):
                a, n = analytic[position], numeric[position][j]
                if not self._close(a, n):
                    raise GradcheckError(
                        f"Jacobian mismatch for output {j} with respect to input {i},\n"
                        f"numerical:{n}\nanalytical:{a}\n"
                    )
                self._same_twice(a, again[position])

    def _close(self, a: Any, n: Any) -> bool:
        with_nan = (a != a) & (n != n)
        return bool(((abs(a - n) <= self.atol + self.rtol * abs(n)) | (a == n) | with_nan).all())

    def _same_twice(self, first: Any, second: Any) -> None:
        if first.size and float(abs(first - second).max()) > self.nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output "
                "multiple times gives different values, although analytical gradient matches "
                f"numerical gradient. The tolerance for nondeterminism was {self.nondet_tol}."
            )

    def _expect_zero(self, count: int) -> None:
        for per_output in self._numeric():
            for n in per_output:
                if abs(n).max(initial=0) > self.eps:
                    raise GradcheckError("Numerical gradient for function expected to be zero")

    def _numeric(self) -> list:
        """[free input][output]: Jacobians of shape (input elements, output elements)."""
        result = []
        for i in self.free:
            array = self.inputs[i]._array
            columns: list = []
            for index in self.xp.ndindex(*array.shape):
                kept = array[index].item() if array.ndim else array.item()
                sides = []
                for step in (self.eps, -self.eps):
                    array[index] = kept + step
                    sides.append(self.values())
                array[index] = kept
                columns.append(
                    [
                        ((up - down) / (2 * self.eps)).ravel()
                        for up, down in zip(*sides, strict=True)
                    ]
                )
            if not columns:
                sizes = [v.size for v in self.values()]
                result.append([self.xp.zeros((0, n)) for n in sizes])
                continue
            result.append([self.xp.stack(rows) for rows in zip(*columns, strict=True)])
        return result

    def _grads(self, output: Variable, weight: Any) -> list:
        """Gradients of the free inputs for one output's gradient, zeros where there are none."""
        free = [self.inputs[i] for i in self.free]
        grads = api.grad(output, free, wrap(weight), retain_graph=True, allow_unused=True)
        arrays = []
        for i, t, g in zip(self.free, free, grads, strict=True):
            if g is None:
                arrays.append(self.xp.zeros(t._array.shape))
                continue
            if g._array.shape != t._array.shape:
                raise GradcheckError("grad is incorrect size")
            if self.check_dtypes and g._array.dtype != t._array.dtype:
                raise GradcheckError(
                    f"Gradient of input {i} has dtype {g._array.dtype}; needed: {t._array.dtype}"
                )
            arrays.append(g._array.astype("float64"))
        return arrays

    def _analytic(self, output: Variable) -> list:
        """For each free input the Jacobian of shape (input elements, output elements)."""
        columns: list = [[] for _ in self.free]
        for index in self.xp.ndindex(*output._array.shape):
            weight = self.xp.zeros(output._array.shape, output._array.dtype)
            weight[index] = 1
            for column, g in zip(columns, self._grads(output, weight), strict=True):
                column.append(g.ravel())
        sizes = [self.inputs[i]._array.size for i in self.free]
        return [
            self.xp.stack(column, axis=1) if column else self.xp.zeros((n, 0))
            for column, n in zip(columns, sizes, strict=True)
        ]

    def _directions(self, outputs: list) -> None:
        """v J u for a random direction v of each input and u of each output."""
        rng = random.Random(0)

        def direction(array: Any) -> Any:
            values = [rng.gauss(0, 1) for _ in range(array.size)]
            return self.xp.asarray(values, "float64").reshape(array.shape)

        weights = [direction(t._array) for t in outputs]
        for i in self.free:
            array = self.inputs[i]._array
            kept, v = array.copy(), direction(array)
            sides = []
            for sign in (1, -1):
                array[...] = kept + sign * self.eps * v
                sides.append(self.values())
            array[...] = kept
            for j, (output, u) in enumerate(zip(outputs, weights, strict=True)):
                if output._fn is None:
                    continue
                numeric = (((sides[0][j] - sides[1][j]) / (2 * self.eps)) * u).sum()
                weight, position = u.astype(output._array.dtype), self.free.index(i)
                g = self._grads(output, weight)[position]
                self._same_twice(g, self._grads(output, weight)[position])
                analytic = (g * v).sum()
                if not self._close(analytic, numeric):
                    raise GradcheckError(
                        f"Jacobian mismatch for output {j} with respect to input {i} along a "
                        f"random direction,\nnumerical:{numeric}\nanalytical:{analytic}\n"
                    )

    def forward(self) -> None:
        """Tangents of forward mode, of each element of each input."""
        forward_ad = _loaded("func.forward_ad")
        numeric = self._numeric()
        checked = [t._fn is not None for t in self.outputs()]  # others are constants
        for position, i in enumerate(self.free):
            array = self.inputs[i]._array
            for row, index in enumerate(self.xp.ndindex(*array.shape)):
                tangent = self.xp.zeros(array.shape, array.dtype)
                tangent[index] = 1
                with forward_ad.dual_level():
                    dual = forward_ad.make_dual(self.inputs[i], wrap(tangent))
                    results = _as_tuple(self.func(*self.inputs[:i], dual, *self.inputs[i + 1 :]))
                    outputs = [t for t in results if isinstance(t, Variable) and is_float(t._array)]
                    tangents = [forward_ad.unpack_dual(t).tangent for t in outputs]
                for j, (output, t) in enumerate(zip(outputs, tangents, strict=True)):
                    if not checked[j]:
                        continue
                    found = self.xp.zeros(output._array.shape) if t is None else t._array
                    a, n = found.astype("float64").ravel(), numeric[position][j][row]
                    if not self._close(a, n):
                        raise GradcheckError(
                            f"Jacobian computed with forward mode mismatch for output {j} with "
                            f"respect to input {i},\nnumerical:{n}\nanalytical:{a}\n"
                        )

    def batched(self) -> None:
        """A map over gradients of the outputs must give what each gives by itself."""
        free = [self.inputs[i] for i in self.free]
        for output in self.outputs():
            if output._fn is None:
                continue
            weights = self.xp.stack([w._array for w in _random_like((output, output), False)])
            weights[1] *= -2
            options = {"retain_graph": True, "allow_unused": True}
            together = api.grad(output, free, wrap(weights), is_grads_batched=True, **options)
            for k in range(2):
                each = api.grad(output, free, wrap(weights[k]), **options)
                for i, one, both in zip(self.free, each, together, strict=True):
                    if one is not None and not self._close(both._array[k], one._array):
                        raise GradcheckError(
                            f"While computing batched gradients, got: {both} for input {i}, which "
                            f"disagrees with the gradient by itself, {one}"
                        )

    def undefined_gradients(self) -> None:
        """A backward must accept that gradients of some of its outputs do not arrive."""
        outputs = [t for t in self.outputs() if t._fn is not None]
        if len(outputs) < 2:
            return
        for output in outputs:
            try:
                self._grads(output, self.xp.zeros(output._array.shape, output._array.dtype))
            except GradcheckError:
                raise
            except Exception as error:
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads. Please look at "
                    f'"Notes about undefined output gradients": {error}'
                ) from error


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether gradients of gradients equal central differences: `gradcheck` of `func`'s backward.

    `grad_outputs`: the gradients of the outputs at which to check, random ones by default.
    """
    if check_fwd_over_rev:
        raise NotImplementedError(
            "gradgradcheck: forward-mode gradients do not exist here; needed: "
            "check_fwd_over_rev=False"
        )
    inputs = _as_tuple(inputs)
    _check_inputs(inputs)
    outputs = _differentiable(func(*inputs))
    weights = (
        _random_like(outputs, gen_non_contig_grad_outputs)
        if grad_outputs is None
        else _as_tuple(grad_outputs)
    )
    for w in weights:
        if w._fn is None:
            set_requires_grad(w, True)
    count = len(weights)

    def first_gradients(*args: Any) -> tuple:
        given, grads_in = args[: len(args) - count], args[len(args) - count :]
        results = _differentiable(func(*given))
        free = [t for t in given if isinstance(t, Variable) and t._fn is not None]
        grads = api.grad(results, free, grads_in, create_graph=True, allow_unused=True)
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        first_gradients,
        inputs + tuple(weights),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
    )


def _differentiable(results: Any) -> tuple:
    return tuple(t for t in _as_tuple(results) if isinstance(t, Variable) and t._fn is not None)


def _random_like(outputs: tuple, strided: bool) -> tuple:
    rng = random.Random(1)
    weights = []
    for t in outputs:
        array = t._array
        xp = namespace(array)
        values = xp.asarray([rng.gauss(0, 1) for _ in range(array.size)], array.dtype)
        values = values.reshape(array.shape)
        if strided and array.ndim:
            values = xp.repeat(values, 2, axis=-1)[..., ::2]
        weights.append(wrap(values))
    return tuple(weights)
