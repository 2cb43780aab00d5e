"""Parts replaced in copies, copies of views, and splits without views."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg


@pytest.mark.parametrize("start", [0, 1])
def test_as_strided_scatter_gives_the_rest_its_gradient(start):
    x = mg.arange(16.0).view(4, 4).double().requires_grad_()
    part = mg.zeros(2, 2, dtype=mg.float64, requires_grad=True)
    assert mg.autograd.gradcheck(
        lambda a, b: mg.as_strided_scatter(a, b, (2, 2), (5, 2), start), (x, part)
    )


def test_as_strided_scatter_counts_from_the_start_of_the_memory():
    x = mg.arange(6.0)[2:]
    assert mg.as_strided_scatter(x, mg.full((2,), 9.0), (2,), (2,), 3).tolist() == [2, 9, 4, 9]
    y = mg.arange(6.0).view(2, 3).t()
    assert mg.as_strided_scatter(y, mg.full((2,), 9.0), (2,), (3,)).tolist() == [
        [9, 9], [1, 4], [2, 5],
    ]  # fmt: skip
    with pytest.raises(RuntimeError, match="contiguous"):
        mg.as_strided_scatter(y.requires_grad_(), mg.zeros(1), (1,), (1,))


def test_copies_write_to_lists():
    x = mg.arange(6.0).view(2, 3)
    out = [mg.empty(3), mg.empty(3)]
    assert mg.unbind_copy(x, out=out) is None
    assert [t.tolist() for t in out] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(RuntimeError, match="must match the size"):
        mg.split_copy(x, 1, out=[mg.empty(2), mg.empty(2)])
    with pytest.raises(RuntimeError, match="argument of size 2"):
        mg.unbind_copy(x, out=[mg.empty(3)])
    sized = [mg.empty(0), mg.empty(0)]
    mg.split_with_sizes_copy(x, [1, 2], 1, out=sized)
    assert [tuple(t.shape) for t in sized] == [(2, 1), (2, 2)]


def test_copies_have_memory_of_their_own():
    x = mg.zeros(2, 3)
    for copied in (mg.view_copy(x, (6,)), mg.alias_copy(x), mg.t_copy(x), *mg.unbind_copy(x)):
        copied.fill_(1.0)
    assert not x.any()


def test_detach_copy_has_no_gradient():
    x = mg.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="detach_copy is not implemented"):
        mg.detach_copy(x).sum().backward()


def test_unsafe_pieces_may_be_written_to():
    x = mg.ones(4, requires_grad=True)
    y = x * 1
    first, second = mg.unsafe_split(y, 2)
    first.mul_(3)  # an error for `split`
    (first.sum() + second.sum()).backward()
    assert x.grad.tolist() == [3, 3, 1, 1]
    assert first.data_ptr() == y.data_ptr()
    pieces = mg.split(x * 1, 2)
    with pytest.raises(RuntimeError, match="multiple views"):
        pieces[0].mul_(3)


def test_fill_gives_its_value_the_sum():
    x, value = mg.ones(2, 3, requires_grad=True), mg.tensor(4.0, requires_grad=True)
    filled = mg.fill(x, value)
    filled.sum().backward()
    assert value.grad.item() == 6 and not x.grad.any() and x.tolist() == [[1.0] * 3] * 2
    np.testing.assert_array_equal(filled.detach().numpy(), 4)
