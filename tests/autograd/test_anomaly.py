"""Anomaly detection against PyTorch: which operation, and where it was called."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from pair import both

import minigrad as mg
from minigrad import autograd


def failing(m: Any, how: str) -> Any:
    class Fails(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            if how == "error":
                raise KeyError("here")
            return grad * float("nan")

    return Fails


@both
def test_a_nan_names_the_operation(m: Any) -> None:
    x = m.tensor([0.0], requires_grad=True)
    with pytest.warns(UserWarning) as caught, m.autograd.detect_anomaly():
        y = (x * 0 / x) * 1  # NaN here
        with pytest.raises(RuntimeError, match="(Div|Mul)Backward0.*returned nan"):
            y.backward()
    messages = [str(w.message) for w in caught]
    assert messages[0].startswith("Anomaly Detection has been enabled")
    assert "NaN here" in messages[1]
    assert not m.is_anomaly_enabled()


@both
def test_nan_may_be_allowed(m: Any) -> None:
    x = m.tensor([1.0], requires_grad=True)
    with m.autograd.set_detect_anomaly(True, check_nan=False):
        assert not m.is_anomaly_check_nan_enabled()
        failing(m, "nan").apply(x).backward()
    assert x.grad.isnan().item()


@both
def test_other_errors_keep_their_class(m: Any) -> None:
    x = m.tensor([1.0], requires_grad=True)
    with m.autograd.set_detect_anomaly(True):
        y = failing(m, "error").apply(x)  # called here
        with pytest.warns(UserWarning, match="(?s)FailsBackward.*called here"):  # noqa: SIM117
            with pytest.raises(KeyError, match="here"):
                y.backward()


@both
def test_recorded_before(m: Any) -> None:
    x = m.tensor([1.0], requires_grad=True)
    y = failing(m, "nan").apply(x)
    with (
        m.autograd.set_detect_anomaly(True),
        pytest.warns(UserWarning, match="No forward pass information"),
        pytest.raises(RuntimeError, match="FailsBackward.*nan"),
    ):
        y.backward()


@both
def test_a_view_shows_its_line(m: Any) -> None:
    x = m.tensor([[1.0, 2.0]], requires_grad=True)
    with m.autograd.set_detect_anomaly(True):
        y = x.t()  # this view
        y.register_hook(lambda grad: grad * float("nan"))
        with pytest.warns(UserWarning, match="(?s)TBackward0.*this view"):  # noqa: SIM117
            with pytest.raises(RuntimeError, match="returned nan"):
                y.sum().backward()


@both
def test_second_gradients_show_what_led_to_them(m: Any) -> None:
    x = m.tensor([1.0], requires_grad=True)
    with m.autograd.set_detect_anomaly(True):
        y = x.exp()  # the first call
        (g,) = m.autograd.grad(y, x, create_graph=True)
        g.grad_fn.register_prehook(lambda grads: (grads[0] * float("nan"),))
        with pytest.warns(UserWarning, match="(?s)Previous calculation.*the first call"):  # noqa: SIM117
            with pytest.raises(RuntimeError, match="returned nan"):
                g.backward()


def test_the_error_itself_shows_the_line() -> None:
    x = mg.tensor([0.0], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with autograd.detect_anomaly():
            y = x / x  # the line that is looked for
            with pytest.raises(RuntimeError, match="the line that is looked for"):
                (y * 1).backward()
