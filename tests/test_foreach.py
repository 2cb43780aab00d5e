"""The functions on lists of tensors against PyTorch: values, dtypes, gradients, errors."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import foreach

torch = pytest.importorskip("torch")

DTYPES = ["float32", "float64", "bfloat16", "int64"]
SHAPES = [(3, 4), (), (5,), (0, 2)]


def lists(lib, dtype, seed=0, shapes=SHAPES, grad=False):
    rng = np.random.default_rng(seed)
    made = []
    for shape in shapes:
        values = rng.uniform(0.2, 0.9, shape) if dtype != "int64" else rng.integers(1, 5, shape)
        t = lib.from_numpy(np.array(values)).to(getattr(lib, dtype))
        made.append(t.requires_grad_() if grad else t)
    return made


def same(mine, theirs, tolerance=None):
    if isinstance(theirs, (list, tuple)):
        assert type(mine) is type(theirs)
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            same(a, b, tolerance)
    elif theirs is not None:
        assert str(mine.dtype) == str(theirs.dtype) and tuple(mine.shape) == tuple(theirs.shape)
        a, b = mine.detach().double().numpy(), theirs.detach().double().numpy()
        eps = 2**-7 if "16" in str(theirs.dtype) else 2e-6 if "32" in str(theirs.dtype) else 1e-13
        np.testing.assert_allclose(a, b, rtol=eps, atol=eps)


def both(call, dtype):
    """What both libraries return, and the lists that they may have written to; or their errors."""
    found = []
    for lib in (mg, torch):
        x, y, z = (lists(lib, dtype, seed) for seed in range(3))
        try:
            found.append((call(lib, x, y, z), x))
        except Exception as error:
            found.append(type(error))
    return found


def check(call, dtype):
    mine, theirs = both(call, dtype)
    if isinstance(theirs, type):
        assert mine is theirs
        return
    assert not isinstance(mine, type), mine
    for a, b in zip(mine, theirs, strict=True):
        if b is None:
            assert a is None
        else:
            same(a if isinstance(a, tuple) else list(a), b if isinstance(b, tuple) else list(b))


def name_of(name):
    return getattr(foreach, f"_foreach_{name}").__name__


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", ["", "_"])
@pytest.mark.parametrize("name", foreach._UNARY)
def test_unary(name, suffix, dtype):
    check(lambda lib, x, y, z: getattr(lib, name_of(name + suffix))(x), dtype)


OPERANDS = {
    "number": lambda lib, y: 2,
    "float": lambda lib, y: 0.5,
    "numbers": lambda lib, y: [1, 2, 3, 4],
    "tensors": lambda lib, y: y,
    "tuple": lambda lib, y: tuple(y),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", ["", "_"])
@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("name", foreach._BINARY)
def test_binary(name, operand, suffix, dtype):
    function = name_of(name + suffix)
    check(lambda lib, x, y, z: getattr(lib, function)(x, OPERANDS[operand](lib, y)), dtype)


@pytest.mark.parametrize("dtype", DTYPES[:3])
def test_alpha_and_a_tensor_for_all(dtype):
    for suffix in ("", "_"):
        add, sub, mul = (name_of(n + suffix) for n in ("add", "sub", "mul"))
        check(lambda lib, x, y, z, f=add: getattr(lib, f)(x, y, alpha=3), dtype)
        check(lambda lib, x, y, z, f=sub: getattr(lib, f)(x, y, alpha=0.5), dtype)
        check(lambda lib, x, y, z, f=add: getattr(lib, f)(x, lib.tensor(2.0), alpha=3), dtype)
        check(lambda lib, x, y, z, f=mul: getattr(lib, f)(x, lib.tensor(2.0)), dtype)
    check(lambda lib, x, y, z: lib._foreach_pow(2.0, x), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", ["", "_"])
@pytest.mark.parametrize("name", foreach._TERNARY)
def test_ternary(name, suffix, dtype):
    function = name_of(name + suffix)
    for value in (1, 2, [1, 2, 3, 4]):
        check(lambda lib, x, y, z, v=value: getattr(lib, function)(x, y, z, v), dtype)
    check(lambda lib, x, y, z: getattr(lib, function)(x, y, z, lib.ones(4) * 2), dtype)
    check(lambda lib, x, y, z: getattr(lib, function)(x, y, z, value=3), dtype)


@pytest.mark.parametrize("dtype", DTYPES[:3])
def test_lerp(dtype):
    for function in ("_foreach_lerp", "_foreach_lerp_"):
        for weight in (0.3, 0.8, [0.1, 0.2, 0.3, 0.4]):
            check(lambda lib, x, y, z, f=function, w=weight: getattr(lib, f)(x, y, w), dtype)
        check(lambda lib, x, y, z, f=function: getattr(lib, f)(x, y, z), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions_and_copies(dtype):
    for order in (1, 2, 3, float("inf"), 0):
        check(lambda lib, x, y, z, o=order: lib._foreach_norm(x, o), dtype)
    check(lambda lib, x, y, z: lib._foreach_norm(x[:2], dtype=lib.float64), dtype)
    check(lambda lib, x, y, z: lib._foreach_powsum(x[:2], 3), dtype)
    check(lambda lib, x, y, z: lib._foreach_max(x[:3]), dtype)
    check(lambda lib, x, y, z: lib._foreach_mm([x[0]], [y[0].t()]), dtype)
    check(lambda lib, x, y, z: lib._foreach_clone(x), dtype)
    check(lambda lib, x, y, z: lib._foreach_copy_(x, y), dtype)
    check(lambda lib, x, y, z: lib._foreach_copy_(x, [t.to(lib.float64) for t in y]), dtype)
    check(lambda lib, x, y, z: lib._foreach_zero_(x), dtype)


def test_lists_that_do_not_match():
    for lib in (mg, torch):
        x = lists(lib, "float32")
        for call, error, message in [
            (lambda lib, x: lib._foreach_add([], 1), RuntimeError, "at least one tensor"),
            (lambda lib, x: lib._foreach_add(x, x[:1]), RuntimeError, "same number of tensors"),
            (lambda lib, x: lib._foreach_mul_(x, [1.0]), RuntimeError, "elements as scalar list"),
            (lambda lib, x: lib._foreach_add(x, lib.ones(3)), RuntimeError, "to be 0 dim"),
            (lambda lib, x: lib._foreach_lerp_(x, x[:2], 0.5), RuntimeError, "got 4 and 2"),
            (lambda lib, x: lib._foreach_exp(3), TypeError, "tuple of Tensors"),
            (lambda lib, x: lib._foreach_add((t for t in x), 1), TypeError, "Tensors"),
        ]:
            with pytest.raises(error, match=message):
                call(lib, x)


def test_gradients_go_through_and_leaves_are_guarded():
    found = []
    for lib in (mg, torch):
        x, y = (lists(lib, "float64", seed, SHAPES[:3], grad=True) for seed in (0, 1))
        made = lib._foreach_mul(lib._foreach_exp(x), y)
        lib._foreach_add_(made, x, alpha=2)
        lib._foreach_lerp_(made, y, 0.25)
        lib._foreach_mul_(made, 3.0)
        sum(t.sum() for t in made).backward()
        found.append([*made, *(t.grad for t in (*x, *y))])
        for write in (lib._foreach_add_, lib._foreach_mul_):
            with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
                write(x, y)
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            lib._foreach_mul_(x, 2.0)
        with lib.no_grad():
            lib._foreach_add_(x, y)
            lib._foreach_sub_(x, y, alpha=0.5)
            lib._foreach_mul_(x, 2.0)
            lib._foreach_lerp_(x, y, 0.5)
        found[-1] += x
    same(*found)


def test_writes_are_noticed_and_views_shared():
    x = mg.ones(3, requires_grad=True)
    saved = x * 2
    y = saved * saved
    mg._foreach_mul_([saved.detach()], 2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    whole = mg.zeros(2, 3)
    mg._foreach_add_([whole[0]], [mg.ones(3)])
    mg._foreach_add_([whole[:, 1]], [mg.ones(2)])
    assert whole.tolist() == [[1.0, 2.0, 1.0], [0.0, 1.0, 0.0]]
