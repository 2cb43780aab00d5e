"""Writes in place, also through views, against PyTorch: values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
from pair import leaf, torch

import minigrad as mg

A = np.arange(1.0, 13.0).reshape(3, 4) / 4
B = np.linspace(-1.0, 2.0, 12).reshape(3, 4)
ROW = np.array([0.5, -1.0, 2.0, 3.0])


def add_to_row(a, b, r):
    x = a * 1
    x[0] += r
    return x


def multiply_row(a, b, r):
    x = a * b
    x[1] *= r
    return x * x


def column(a, b, r):
    x = a * b
    x[:, 2] = r[:3] * 2
    return x.exp()


def step_slice(a, b, r):
    x = a * 2
    x[::2, 1::2] += b[::2, :2]
    return x * b


def into_constant(a, b, r):
    x = a.detach() * 0
    x[1] = r
    x[2, 1:3] = b[0, :2] * r[0]
    return x * a


def chain_of_views(a, b, r):
    x = a * 1
    v = x[1:]
    w = v.reshape(8)[2:6]
    w.mul_(r)
    return x * b + v.sum()


def view_used_after_base_is_written(a, b, r):
    x = a * 1
    v = x[0]
    x.mul_(b)
    return (v * r).exp()


def view_written_then_both_used(a, b, r):
    x = a * b
    v = x.t()
    v.add_(a.t())
    return (x * v.t()).sum() + (v * 2).sum()


def two_views_overlap(a, b, r):
    x = a * 1
    v, w = x[:2], x[1:]
    v.mul_(2)
    w.mul_(b[1:])
    return v.sum() * w.sum() * x.sum()


def loop(a, b, r):
    x = a * 1
    for i in range(1, 3):
        x[i] = x[i - 1].clone() * b[i] + x[i]
    return x


def loop_columns(a, b, r):
    out = a.detach() * 0
    h = r[:3] * 1
    for i in range(4):
        h = h * b[:, i]
        out[:, i] = h
    return out * a


def mask_number(a, b, r):
    x = a * b
    x[b > 0.5] = 3.0
    return x * x


def mask_values(a, b, r):
    x = a * b
    x[b > 1.5] = r[:2]
    return x * a


def mask_in_a_row(a, b, r):
    x = a * b
    x[1][r > 0] *= 2
    return x


def index_list(a, b, r):
    x = a * b
    x[[0, 2]] = r
    return x * a


def index_pairs(a, b, r):
    x = a * b
    x[[0, 2, 1], [1, 1, 3]] = r[1:] * 2
    return x * x


def index_in_view(a, b, r):
    x = a * b
    v = x[:, 1:]
    v[[0, 1]] = r[1:]
    return x * v.sum()


def index_add_to(a, b, r):
    x = a * 1
    x[[0, 2]] += r
    return x * b


def copy_whole(a, b, r):
    x = a * 2
    x.copy_(b * 3)
    return x * a


def copy_broadcast(a, b, r):
    x = a * 2
    x.copy_(r)
    return x * b


def fill_and_zero(a, b, r):
    x = a * 2
    x[0].zero_()
    x[1].fill_(2.5)
    return x * b


def fill_with_tensor(a, b, r):
    x = a * 2
    x[0].fill_(r[1])
    return x * b


def masked_fill_(a, b, r):
    x = a * 1
    x[:2].masked_fill_(b[:2] > 0, r[0])
    return x * a


def diagonal_view(a, b, r):
    x = a * b
    x.diagonal().mul_(r[:3])
    return x * x


def transposed_then_sliced(a, b, r):
    x = a * b
    x.t()[1:3, 0] += r[:2]
    return x.exp()


def squeeze_and_unsqueeze(a, b, r):
    x = a * b
    x.unsqueeze(0)[:, 1].squeeze(0).mul_(r)
    return x * x


def self_assignment(a, b, r):
    x = a * b
    x[0] = x[1]
    x[1] = x[0].clone() * x[2].clone()
    return x


def none_and_ellipsis(a, b, r):
    x = a * b
    x[None, ..., 1] = r[:3]
    return x * b


def scatter_in_place(a, b, r):
    x = a * b
    i = x.detach()[0].argsort() if hasattr(x, "argsort") else None
    x[2].index_add_(0, i, r)
    return x * a


def detached_write(a, b, r):
    x = a * 1
    x.detach()[0] = 5.0
    return x + b


def add_alpha(a, b, r):
    x = a * 1
    x[1:].add_(b[1:], alpha=3)
    return x * x


def scalar_place(a, b, r):
    x = a * 1
    x[1, 2] = a[0, 0] * b[2, 2]
    x[0, 0] += r[3]
    return x * x


def written_before_view(a, b, r):
    x = a * 1
    x += b
    v = x[1]
    v *= r
    x -= a
    return x * v


def assign_row_from_itself_twice(a, b, r):
    x = a * 1
    for _ in range(3):
        x[0] = x[0].clone() * x[1].clone()
    return x


def transposed_in_place(a, b, r):
    x = a * 1
    v = x[0]
    x.t_()
    x.mul_(3)
    return x * x + v.sum()


def view_reshaped_in_place(a, b, r):
    x = a * 1
    v = x[:1]
    v.squeeze_(0)
    v *= r
    w = x[1]
    w.unsqueeze_(0).transpose_(0, 1).mul_(2)
    return x * x * w.sum()


def written_after_transposition(a, b, r):
    x = b.detach().clone()
    v = x[0]
    x.swapaxes_(0, 1)
    x[0, 0] = a[1, 1] * 2
    return v * v


def strides_of_a_transposed(a, b, r):
    x = (a * b).t()
    part = x[1::2].as_strided((2, 2, 2), (1, 3, 0))
    return part * x.as_strided((2,), (5,), 1)


def strides_of_an_expanded(a, b, r):
    return r.expand(3, 4).as_strided((2, 3), (0, 1)) * 2


def write_by_strides(a, b, r):
    x = a * 1
    x[1].as_strided((2, 2), (2, 1)).mul_(b[:2, :2])
    return x


def strided_in_place(a, b, r):
    x = a * b
    x.as_strided_((3, 2), (4, 2), 1)
    return x * x


CASES = [
    add_to_row, multiply_row, column, step_slice, into_constant, chain_of_views,
    view_used_after_base_is_written, view_written_then_both_used, two_views_overlap, loop,
    loop_columns, mask_number, mask_values, mask_in_a_row, index_list, index_pairs, index_in_view,
    index_add_to, copy_whole, copy_broadcast, fill_and_zero, fill_with_tensor, masked_fill_,
    diagonal_view, transposed_then_sliced, squeeze_and_unsqueeze, self_assignment,
    none_and_ellipsis, scatter_in_place, detached_write, add_alpha, scalar_place,
    written_before_view, assign_row_from_itself_twice, transposed_in_place, view_reshaped_in_place,
    written_after_transposition, strides_of_a_transposed, strides_of_an_expanded, write_by_strides,
    strided_in_place,
]  # fmt: skip


def run(lib, case):
    inputs = [leaf(lib, v) for v in (A, B, ROW)]
    out = case(*inputs)
    return inputs, out


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_values_and_gradients(case) -> None:
    ours, out = run(mg, case)
    theirs, expected = run(torch, case)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    for t, e in zip(ours, theirs):
        assert (t.grad is None) == (e.grad is None)
        if t.grad is not None:
            np.testing.assert_allclose(t.grad.numpy(), e.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_second_gradients(case) -> None:
    results = []
    for lib in (mg, torch):
        inputs, out = run(lib, case)
        grad = lib.autograd.grad((out * out).sum(), inputs, create_graph=True, allow_unused=True)
        total = None
        for g in grad:
            if g is not None and g.requires_grad:
                term = (g * g).sum()
                total = term if total is None else total + term
        second = lib.autograd.grad(total, inputs, allow_unused=True)
        results.append([None if g is None else g.detach().numpy() for g in second])
    for g, e in zip(*results):
        if g is None or e is None:
            g = np.zeros(()) if g is None else g
            e = np.zeros(()) if e is None else e
        np.testing.assert_allclose(*np.broadcast_arrays(g, e), rtol=1e-8, atol=1e-8)


def test_version_counts_writes_of_all_views() -> None:
    x = leaf(mg, A, False)
    assert x._version == 0
    v = x[0]
    v.zero_()
    x[1, 1] = 3.0
    x.detach().add_(1)
    assert x._version == v._version == 3


def test_views_die_without_the_collector() -> None:
    x = leaf(mg, A) * 1
    for _ in range(1000):
        x[0] += 1
    cell = x._cell
    assert cell is not None and len(cell[2] or ()) < 200
