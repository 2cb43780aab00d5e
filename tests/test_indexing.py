"""Reading and writing by generated indices against PyTorch: values, views, gradients, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minigrad as mg

torch = pytest.importorskip("torch")
quick = settings(
    max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@st.composite
def cases(draw):
    """A shape and an index for it, some of them wrong; arrays as ("tensor" or "list", array)."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    items = []
    dim = 0
    ellipsis = False
    many = draw(st.sampled_from([(), (1,), (2,), (3, 1), (3, 2), (0,)]))
    while len(items) < 5 and draw(st.booleans() if items else st.just(True)):
        kinds = ["int", "slice", "none", "array", "list", "zero", "bool"]
        if not ellipsis:
            kinds.append("ellipsis")
        if dim < len(shape):
            kinds += ["mask", "slice", "array", "int"]
        kind = draw(st.sampled_from(kinds))
        n = shape[dim] if dim < len(shape) else 2
        if kind == "ellipsis":
            ellipsis = True
            items.append(Ellipsis)
            continue
        if kind == "none":
            items.append(None)
            continue
        if kind == "bool":
            items.append(draw(st.booleans()))
            continue
        if kind == "mask":
            k = draw(st.integers(1, len(shape) - dim))
            size = shape[dim : dim + k]
            count = int(np.prod(size))
            bits = draw(st.lists(st.booleans(), min_size=count, max_size=count))
            items.append(("tensor", np.array(bits, bool).reshape(size)))
            dim += k
            continue
        low, high = (-n, n - 1) if n else (0, 0)
        if kind in ("int", "zero"):
            i = draw(st.integers(low - (draw(st.integers(0, 9)) == 9), high))
            items.append(i if kind == "int" else ("tensor", np.array(i)))
        elif kind == "slice":
            ends = st.none() | st.integers(-5, 5)
            items.append(slice(draw(ends), draw(ends), draw(st.none() | st.integers(1, 3))))
        else:
            size = draw(st.sampled_from([many, many[1:], (1,)]))
            count = int(np.prod(size))
            values = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
            given_as = "list" if kind == "list" and size else "tensor"
            items.append((given_as, np.array(values, np.int64).reshape(size)))
        dim += 1
    return shape, items, draw(st.booleans())


def build(lib, items, alone):
    made = []
    for item in items:
        if isinstance(item, tuple):
            how, array = item
            if how == "list":
                item = array.tolist()
            elif lib is torch:
                item = torch.from_numpy(array.copy())
            else:
                item = mg.Tensor._from_array(array.copy())
        made.append(item)
    return made[0] if alone and len(made) == 1 else tuple(made)


def tensor(lib, shape):
    array = np.arange(float(np.prod(shape))).reshape(shape)
    return torch.from_numpy(array) if lib is torch else mg.Tensor._from_array(array)


def attempt(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(), None
        except Exception as error:
            return None, error


def same_outcome(ours, theirs, case):
    wrong, error = ours[1], theirs[1]
    if error is not None:
        assert wrong is not None, f"{case}: PyTorch raises {error!r}"
        assert isinstance(wrong, (type(error), IndexError)), f"{case}: {wrong!r} for {error!r}"
        return False
    assert wrong is None, f"{case}: {wrong!r}"
    return True


@quick
@given(cases())
def test_reading(case) -> None:
    shape, items, alone = case

    def read(lib):
        x = tensor(lib, shape).requires_grad_()
        y = x[build(lib, items, alone)]
        w = tensor(lib, tuple(y.shape)) + 1
        (g,) = lib.autograd.grad((y * w).sum(), x)
        return y, g, x

    ours, theirs = attempt(lambda: read(mg)), attempt(lambda: read(torch))
    if not same_outcome(ours, theirs, case):
        return
    y, g, x = ours[0]
    e, h, z = theirs[0]
    assert tuple(y.shape) == tuple(e.shape)
    np.testing.assert_array_equal(y.detach().numpy(), e.detach().numpy())
    np.testing.assert_array_equal(g.numpy(), h.numpy())
    if y._array.size:
        shared = np.shares_memory(y._array, x._array)
        assert shared == np.shares_memory(e.detach().numpy(), z.detach().numpy())
        assert shared == y._is_view()


@quick
@given(cases(), st.integers(0, 3))
def test_writing(case, how) -> None:
    shape, items, alone = case

    def write(lib):
        a = tensor(lib, shape).requires_grad_()
        x = a * 1
        index = build(lib, items, alone)
        part = x[index]
        v = None
        if how == 0:
            x[index] = 7.5
        else:
            size = tuple(part.shape)
            size = size if how == 1 else size[1:] if how == 2 else (1, 1, *size)
            v = tensor(lib, size).requires_grad_()
            # Distinct values at repeated places have no defined order.
            x[index] = v * 0 + 3
        w = tensor(lib, shape) + 1
        total = (x * w).sum()
        inputs = [a] if v is None else [a, v]
        return x, lib.autograd.grad(total, inputs, allow_unused=True)

    ours, theirs = attempt(lambda: write(mg)), attempt(lambda: write(torch))
    if theirs[1] is not None and ours[1] is None and how == 3:
        return  # more leading ones than PyTorch takes
    if not same_outcome(ours, theirs, case):
        return
    np.testing.assert_array_equal(ours[0][0].detach().numpy(), theirs[0][0].detach().numpy())
    for g, h in zip(ours[0][1], theirs[0][1]):
        if h is not None and g is not None:
            np.testing.assert_array_equal(g.numpy(), h.numpy())


X = np.arange(12.0).reshape(3, 4)


def t(array):
    return mg.Tensor._from_array(np.asarray(array))


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (5, IndexError, "index 5 is out of bounds for dimension 0 with size 3"),
        ((0, -5), IndexError, "index -5 is out of bounds for dimension 1 with size 4"),
        ((0, 0, 0), IndexError, "too many indices for tensor of dimension 2"),
        ([5], IndexError, "index 5 is out of bounds for dimension 0 with size 3"),
        (([0, 1], [0, 9]), IndexError, "index 9 is out of bounds for dimension 1 with size 4"),
        (1.5, IndexError, "only integers, slices"),
        ("a", TypeError, "invalid data type"),
        (slice(None, None, -1), ValueError, "step must be greater than zero"),
        (([0, 1], [0, 1, 2]), IndexError, r"shape mismatch: .* with shapes \[2\], \[3\]"),
        (t([True, False]), IndexError, r"The shape of the mask \[2\] at index 0 does not match"),
        (t([1.5]), IndexError, "tensors used as indices must be long, int, byte or bool"),
    ],
)
def test_messages(index, error, message) -> None:
    with pytest.raises(error, match=message):
        t(X.copy())[index]
    with pytest.raises(error, match=message):
        t(X.copy())[index] = 1.0


@pytest.mark.parametrize(
    ("index", "value", "error", "message"),
    [
        (0, t(np.ones(3)), RuntimeError, r"expanded size of the tensor \(4\) must match"),
        ([0, 1], t(np.ones(3)), RuntimeError, r"value tensor of shape \[3\] cannot be broadcast"),
        ([0, 1], t(np.ones(4, np.float32)), RuntimeError, "source and destination dtypes match"),
        (0, np.ones(4), TypeError, "can't assign a numpy.ndarray"),
        (0, [1, 2, 3, 4], TypeError, "can't assign a list"),
        (0, "a", TypeError, "can't assign a str"),
    ],
)
def test_messages_of_writing(index, value, error, message) -> None:
    x = t(X.copy())
    with pytest.raises(error, match=message):
        x[index] = value
    np.testing.assert_array_equal(x.numpy(), X)


def test_written_values_are_converted() -> None:
    x = t(np.zeros(3, np.int64))
    x[0] = 2.7
    x[1] = t(np.array(-1.5, np.float32))
    assert x.numpy().tolist() == [2, -1, 0]
    with pytest.raises(RuntimeError, match="without overflow"):
        x[2] = float("inf")
    b = t(np.zeros(2, np.uint8))
    b[0] = -1
    assert b.numpy().tolist() == [255, 0]
    with pytest.raises(RuntimeError, match="without overflow"):
        b[0] = 256


def test_zero_dim_results_are_views() -> None:
    x = t(X.copy())
    x[1, 2].fill_(50.0)
    x[0][t(np.array(1))].add_(1)
    assert x.numpy()[1, 2] == 50 and x.numpy()[0, 1] == 2


def test_a_mask_takes_one_value_of_another_type() -> None:
    x, mask = t(X.copy()), t(X > 5)
    x[mask] = t(np.array([7], np.int64))
    assert x.numpy()[1, 2] == 7 and x.numpy()[0, 0] == 0
    x[:, t(np.array([True, False, False, False]))] = t(np.array(True))
    assert x.numpy()[:, 0].tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match="source and destination dtypes match"):
        x[mask] = t(np.ones(6, np.float32))


def test_nothing_indexed_is_not_checked() -> None:
    x = t(np.zeros((3, 0)))
    assert tuple(x[[7, 1]].shape) == (2, 0)
    x[[7]] = 1.0
    y = mg.zeros(3, 0, requires_grad=True)
    y[[7]].sum().backward()
    assert tuple(y.grad.shape) == (3, 0)
    with pytest.raises(IndexError):
        t(np.zeros((0, 3)))[[0]]


def test_true_and_false_alone() -> None:
    x = t(X.copy())
    x[False] = t(np.zeros(7, np.int32))
    np.testing.assert_array_equal(x.numpy(), X)
    x[True] = t(np.array([1, 2, 3, 4], np.float32))
    np.testing.assert_array_equal(x.numpy(), [[1, 2, 3, 4]] * 3)


def test_storage_beyond_the_view() -> None:
    x = mg.arange(12.0).reshape(3, 4)
    assert x[1].as_strided((2,), (4,), 0).tolist() == [0, 4]
    assert x[1].as_strided((2,), (4,)).tolist() == [4, 8]
    with pytest.raises(RuntimeError, match="out of bounds for the 12 elements"):
        x[1].as_strided((3,), (4,))
    y = x.requires_grad_() * 1
    with pytest.raises(RuntimeError, match="beyond its input's own elements"):
        y.t().as_strided((2,), (1,)).fill_(0.0)


def test_filling_a_place_twice_counts_once() -> None:
    x, value = mg.zeros(3, 3, requires_grad=True), mg.tensor(2.0, requires_grad=True)
    x.index_fill(1, mg.tensor([0, 0, -2]), value).sum().backward()
    assert value.grad.item() == 6
    assert x.grad.tolist() == [[0, 0, 1]] * 3


def test_out_has_the_type_and_a_memory_of_its_own() -> None:
    x, i = mg.arange(6.0), mg.tensor([2, 0])
    for op in (mg.gather, mg.index_select):
        with pytest.raises(RuntimeError, match="Expected out tensor to have dtype float"):
            op(x, 0, i, out=mg.zeros(2, dtype=mg.float64))
        with pytest.raises(RuntimeError, match="refer to a single memory location"):
            op(x, 0, i, out=x[:2])
        with pytest.raises(RuntimeError, match="more than one element of the written-to"):
            op(x, 0, i, out=mg.zeros(1).expand(2))
        out = mg.zeros(2)
        assert op(x, 0, i, out=out) is out and out.tolist() == [2, 0]


def test_names_of_the_arguments_of_split() -> None:
    x = mg.arange(5.0)
    for parts in (mg.split(tensor=x, split_size_or_sections=2), x.split(split_size=2)):
        assert [p.tolist() for p in parts] == [[0, 1], [2, 3], [4]]
    with pytest.raises(TypeError):
        mg.split(x)


def test_scattering_nothing_still_reaches_the_source() -> None:
    for op, more in (("scatter", ()), ("scatter_add", ()), ("scatter_reduce", ("prod",))):
        x, src = mg.ones(2, 3, requires_grad=True), mg.ones(2, 3, requires_grad=True)
        index = mg.zeros(0, 3, dtype=mg.int64)
        getattr(x, op)(0, index, src, *more).sum().backward()
        assert src.grad.tolist() == [[0, 0, 0]] * 2 and x.grad.tolist() == [[1, 1, 1]] * 2


def test_factor_of_booleans_is_a_boolean() -> None:
    x = mg.tensor([True, False]).index_add(0, mg.tensor([1]), mg.tensor([True]), alpha=2)
    assert x.tolist() == [True, True]


def test_filling_refuses_what_the_type_cannot_hold() -> None:
    x, mask = mg.zeros(2, dtype=mg.uint8), mg.tensor([True, False])
    for value in (300, mg.tensor(300), 1e9, mg.tensor(float("inf"))):
        with pytest.raises(RuntimeError, match="without overflow"):
            x.masked_fill(mask, value)
    assert x.masked_fill(mask, -1).tolist() == [255, 0]
    with pytest.raises(IndexError, match="tensor has no dimensions"):
        mg.tensor(1.0).take_along_dim(mg.tensor(0), 0)


def test_gathering_nothing_is_recorded() -> None:
    x = mg.ones(5, requires_grad=True)
    y = x.gather(0, mg.zeros(2, 0, dtype=mg.uint8))
    y.sum().backward()
    assert tuple(y.shape) == (2, 0) and x.grad.tolist() == [0] * 5


@pytest.mark.parametrize("low", [0, -4])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_index_arrays(count: int, low: int) -> None:
    """Taken, written and added in C order and in another one; places named several times too."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((4, 5, 6)).astype(np.float32)
    key = tuple([rng.integers(low, n if low == 0 else 0, (3, 7)) for n in base.shape[:count]])
    if low:
        key = tuple([np.maximum(k, -n) for k, n in zip(key, base.shape)])
    indices = tuple([mg.from_numpy(k) for k in key])
    for x in (base, np.asfortranarray(base)):
        t = mg.from_numpy(x)
        np.testing.assert_array_equal(t[indices].numpy(), x[key])
        values = rng.standard_normal(x[key].shape).astype(np.float32)
        added = x.copy()
        np.add.at(added, key, values)
        got = t.index_put(indices, mg.from_numpy(values), accumulate=True)
        np.testing.assert_allclose(got.numpy(), added, rtol=1e-5, atol=1e-5)
        once = x.copy()
        once[key] = 2.5
        np.testing.assert_array_equal(
            t.clone().index_put_(indices, mg.full(values.shape, 2.5)).numpy(), once
        )
        leaf = mg.from_numpy(x.copy()).requires_grad_()
        leaf[indices].backward(mg.from_numpy(values))
        np.testing.assert_allclose(leaf.grad.numpy(), added - x, rtol=1e-4, atol=1e-4)
    with pytest.raises(IndexError):
        mg.from_numpy(base)[tuple([i + 7 for i in indices])]
