"""Writes in place that meet views, against PyTorch: what is followed and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pair import both, ones, values


@both
def test_writes_are_differentiated(m: Any) -> None:
    x = m.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    y.mul_(x)
    y += 1
    y.sum().backward()
    assert values(x.grad) == [2, 4, 6]


@both
def test_writes_through_views(m: Any) -> None:
    x = ones(m, 4)
    y = x * 1
    part = y[1:3]
    part.mul_(10)
    assert values(y) == [1, 10, 10, 1]
    other = y[2:]
    (y.sum() + other.sum()).backward()
    assert values(x.grad) == [1, 10, 20, 2]
    x.grad = None
    y = x * 1
    view = y.view(2, 2)
    y.mul_(3)
    view.sum().backward()
    assert values(x.grad) == [3, 3, 3, 3]
    x.grad = None
    base = m.zeros(4)
    base[1:3] = x[:2] * 2
    base.sum().backward()
    assert values(x.grad) == [2, 2, 0, 0]


@both
def test_a_write_that_changes_nothing_saved_is_fine(m: Any) -> None:
    x = ones(m, 2)
    y = x + 1
    z = y + 2
    y.mul_(5)
    z.sum().backward()
    assert values(x.grad) == [1, 1]


@both
def test_infinite_gradients_do_not_reach_what_was_overwritten(m: Any) -> None:
    x, w = ones(m, 3), ones(m, 1)
    y = x * 1
    y[1:2] = w * 2
    weight = m.tensor([1.0, float("inf"), 2.0])
    gx, gw = m.autograd.grad(y, [x, w], weight, create_graph=True)
    assert values(gx) == [1, 0, 2]
    assert values(gw) == [float("inf")]
    y = x * x
    y[1:2] = 0.0
    (g,) = m.autograd.grad(y, x, weight, create_graph=True)
    assert values(g) == [2, 0, 4]
    (h,) = m.autograd.grad(g, x, m.ones(3))
    assert values(h) == [2, 0, 4]


SEVERAL = {
    "split": lambda t: t.split(2),
    "split_with_sizes": lambda t: t.split([2, 2]),
    "chunk": lambda t: t.chunk(2),
    "unbind": lambda t: t.unbind(),
    "iteration": lambda t: tuple(t),
    "view of a piece": lambda t: (t.split(2)[0][:],),
}


@both
@pytest.mark.parametrize("name", SEVERAL)
def test_pieces_of_one_operation_are_not_written(m: Any, name: str) -> None:
    y = ones(m, 4) * 1
    piece = SEVERAL[name](y)[0]
    for write in (lambda: piece.mul_(2), lambda: piece.zero_(), lambda: piece.copy_(piece * 2)):
        with pytest.raises(RuntimeError, match="output of a function that returns multiple views"):
            write()
    assert values(y) == [1, 1, 1, 1]
    plain = ones(m, 4, grad=False)
    SEVERAL[name](plain)[0].mul_(2)
    assert plain.sum().item() > 4
    with pytest.raises(RuntimeError, match="output of a function that returns multiple views"):
        SEVERAL[name](plain)[0].mul_(ones(m, 1).sum())


@both
@pytest.mark.parametrize("name", ["split", "chunk", "unbind"])
def test_pieces_of_what_was_written_have_no_gradient(m: Any, name: str) -> None:
    y = ones(m, 4) * 1
    piece = SEVERAL[name](y)[0]
    y.mul_(3)
    with pytest.raises(RuntimeError, match="another view of its base has been modified"):
        piece.sum().backward()
    y = ones(m, 4) * 1
    piece = SEVERAL[name](y)[0]
    with m.no_grad():
        piece.mul_(3)
    assert values(y)[0] == 3
    with pytest.raises(RuntimeError, match="another view of its base has been modified"):
        piece.sum().backward()


@both
def test_views_made_without_recording(m: Any) -> None:
    x, w = m.ones(4), ones(m, 2)
    with m.no_grad():
        v = x[:2]
    v.mul_(2)
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        v.mul_(w)
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        v[0:1].copy_(w[:1])
    assert values(x) == [2, 2, 1, 1]
    y = ones(m, 4) * 1
    with m.inference_mode():
        v = y[:2]
    with pytest.raises(RuntimeError, match="created in inference mode"):
        v.mul_(2)


@both
def test_retained_gradients_go_with_the_tensor(m: Any) -> None:
    x = ones(m, 2)
    y = x * 3
    y.retain_grad()
    part = y[:1]
    part.retain_grad()
    y.mul_(2)
    assert y.retains_grad
    ((y * 5).sum() + part.sum()).backward()
    assert values(y.grad) == [6, 5]
    assert values(part.grad) == [1]
    y = x * 3
    y.retain_grad()
    y[:1].mul_(2)
    (y * 5).sum().backward()
    assert values(y.grad) == [5, 5]


@both
def test_hooks_stay_with_the_value_they_were_put_on(m: Any) -> None:
    x = ones(m, 1)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.mul_(2)
    y.register_hook(lambda g: g + 1)
    y.backward()
    assert values(x.grad) == [120]


@both
def test_views_from_user_functions_are_not_written(m: Any) -> None:
    class Part(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, how: str) -> Any:
            return {"same": x, "slice": x[:1], "view": x.view_as(x)}[how]

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return m.ones(2) * g * 3, None

    for how in ("same", "slice", "view"):
        x = ones(m, 2) * 1
        y = Part.apply(x, how)
        assert y._is_view()
        with pytest.raises(RuntimeError, match="created inside a custom Function"):
            y.mul_(2)
        x.mul_(2)
        with pytest.raises(RuntimeError, match="created inside a custom Function"):
            y.sum().backward()
