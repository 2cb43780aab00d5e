"""What writes in place refuse, against PyTorch: saved values, leaves, views, repeated memory."""

from __future__ import annotations

import numpy as np
import pytest
from pair import leaf, torch

import minigrad as mg

A = np.arange(1.0, 13.0).reshape(3, 4) / 4
ROW = np.array([0.5, -1.0, 2.0, 3.0])


def saved_by_mul(x):
    y = x * 1
    z = y * y
    y[0] = 1.0
    return z


def saved_through_view(x):
    y = x * 1
    v = y[1]
    z = v * v
    y += 1
    return z


def saved_output(x):
    y = x.exp()
    y[0] += 1
    return y


def saved_view_of_sibling(x):
    y = x * 1
    z = y[0] * y[0]
    y[1].zero_()
    return z


def saved_through_detach(x):
    y = x * 1
    z = y * y
    y.detach().mul_(2)
    return z


@pytest.mark.parametrize(
    "case",
    [saved_by_mul, saved_through_view, saved_output, saved_view_of_sibling, saved_through_detach],
    ids=lambda c: c.__name__,
)
def test_modified_saved_values_are_found(case) -> None:
    for lib in (torch, mg):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            case(leaf(lib, A)).sum().backward()


def test_modified_index_is_found() -> None:
    for lib in (torch, mg):
        x = leaf(lib, A)
        index = torch.tensor([0, 1]) if lib is torch else mg.Tensor._from_array(np.array([0, 1]))
        y = x[index]
        index[0] = 2
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def write_leaf(x):
    x[0] = 1.0


def write_view_of_leaf(x):
    x[0].add_(1)


def write_view_of_view_of_leaf(x):
    x.t()[0].zero_()


def write_copy_to_leaf(x):
    x.copy_(x.detach() * 2)


def turn_leaf(x):
    x.t_()


def write_masked_leaf(x):
    x[x > 0] = 0.0


@pytest.mark.parametrize(
    "write",
    [
        write_leaf,
        write_view_of_leaf,
        write_view_of_view_of_leaf,
        write_copy_to_leaf,
        write_masked_leaf,
        turn_leaf,
    ],
    ids=lambda c: c.__name__,
)
def test_leaves_are_protected(write) -> None:
    for lib in (torch, mg):
        x = leaf(lib, A)
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            write(x)
        np.testing.assert_array_equal(x.detach().numpy(), A)
        with lib.no_grad() if lib is torch else mg.autograd.no_grad():
            write(x)
        assert x.requires_grad and x.is_leaf


def test_views_made_without_recording_are_refused() -> None:
    for lib in (torch, mg):
        x = leaf(lib, A) * 1
        with lib.no_grad() if lib is torch else mg.autograd.no_grad():
            v = x[0]
        with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
            v.mul_(2)


def test_repeated_memory_is_refused() -> None:
    for lib in (torch, mg):
        x = leaf(lib, ROW, False).expand(3, 4)
        for write in (lambda x: x.mul_(2), lambda x: x.copy_(x * 2), lambda x: x[:, 1].add_(1)):
            with pytest.raises(RuntimeError, match="more than one element"):
                write(x)
        x.fill_(1)
        x[0] = 3.0
        assert x.sum().item() == 36


def test_result_keeps_shape_and_type() -> None:
    for lib in (torch, mg):
        x = leaf(lib, ROW, False)
        with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
            x.mul_(leaf(lib, A, False))
        i = x.long() if lib is torch else mg.Tensor._from_array(np.arange(4))
        with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
            i.add_(x)
        np.testing.assert_array_equal(x.numpy(), ROW)


BINARY = (
    "add", "sub", "mul", "div", "pow", "atan2", "fmod", "remainder", "floor_divide", "xlogy",
    "copysign", "hypot", "clamp", "clamp_min", "logical_and", "gt", "eq", "float_power",
)  # fmt: skip
APART = {
    **{name: lambda x, name=name: getattr(x[:3], name + "_")(x[1:4]) for name in BINARY},
    "alpha": lambda x: x[:3].add_(x[1:4], alpha=2),
    "addcmul": lambda x: x[:3].addcmul_(x[1:4], x[1:4]),
    "addcdiv": lambda x: x[:3].addcdiv_(x[:3], x[1:4]),
    "lerp": lambda x: x[:3].lerp_(x[1:4], 0.5),
    "a row of itself": lambda x: x.add_(x[0]),
    "transposed": lambda x: x[:4].reshape(2, 2).mul_(x[:4].reshape(2, 2).T),
    "other type": lambda x: x[:3].mul_(x.view(x.dtype)[2:5]),
}
TOGETHER = {
    "itself": lambda x: x.mul_(x),
    "the same view": lambda x: x[1:].mul_(x[1:]),
    "apart": lambda x: x[:3].mul_(x[4:7]),
    "between": lambda x: x[::2].mul_(x[1::2]),
    "columns": lambda x: x.reshape(2, 4)[:, 0].mul_(x.reshape(2, 4)[:, 1]),
    "addcmul": lambda x: x[:3].addcmul_(x[:3], x[:3]),
    "matrices": lambda x: x[:4].reshape(2, 2).addmm_(x[1:5].reshape(2, 2), x[2:6].reshape(2, 2)),
    "none": lambda x: x[:0].add_(x[:0]),
}


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("name", APART)
def test_operands_that_share_part_of_what_is_written(name: str, recorded: bool) -> None:
    torch = pytest.importorskip("torch")
    for lib in (mg, torch):
        x = lib.arange(1.0, 9.0, dtype=lib.float64)
        if recorded:
            x = x.requires_grad_() * 1
        if recorded and name in ("gt", "eq", "logical_and"):
            continue
        with pytest.raises(RuntimeError, match="refer to a single memory location"):
            APART[name](x)


@pytest.mark.parametrize("name", TOGETHER)
def test_operands_that_share_memory_and_may(name: str) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for lib in (mg, torch):
        x = lib.arange(1.0, 9.0, dtype=lib.float64)
        TOGETHER[name](x)
        found.append(x.numpy())
    assert (found[0] == found[1]).all()


OVERLAPS = """
z[1:].copy_(z[:-1]) z[1:].add_(z[:-1]) m.add(z[:-1],1,out=z[1:]) m.mul(z[1:],z[1:],out=z[:-1])
m.exp(z[:-1],out=z[1:]) m.cumsum(z[:-1],0,out=z[1:]) m.eq(z[:-1],0,out=z[1:])
m.maximum(z[:3],z[3:],out=z[1:4]) z[:3].copy_(z[:3]) m.neg(z,out=z) z[::2].copy_(z[1::2])
m.add(z[:3],z[:3],out=z[:3]) m.cumsum(z,0,out=z) z[:3].copy_(z[3:]) m.exp(z[:3],out=z[3:])
z.view(2,3).copy_(z.view(2,3)) m.sub(z[:2],1,out=z[2:4]) z[:3].copy_(z[1:4].clone())
""".split()  # noqa: SIM905


@pytest.mark.parametrize("call", OVERLAPS)
def test_overlapping_memory_is_refused_where_pytorch_does(call) -> None:
    found = []
    for m in (torch, mg):
        z = m.arange(6.0)
        try:
            eval(call, {"m": m, "z": z})  # noqa: S307
        except RuntimeError as error:
            assert "refer to a single memory location" in str(error)
            found.append("refused")
        else:
            found.append(z.tolist())
    if isinstance(found[0], list):
        np.testing.assert_allclose(*found, rtol=1e-6)
    else:
        assert found[0] == found[1]


ASSIGNMENTS = """
z[1:]=z[:-1] z[:-1]=z[1:] z[1:4]=z[2:5] z[:3]=z[3:] z[:]=z z[::2]=z[1::2] z[:3]=z[:3] z[1:]=z[:-1]+0
z[1:]+=z[:-1] z[:]=z.flip(0) z[0]=z[1] z[None]=z z.view(2,3)[1:]=z.view(2,3)[:1]
z.view(2,3)[:]=z.view(3,2).T z[[1,2]]=z[:2] z[z>2]=z[:3]
""".split()  # noqa: SIM905


@pytest.mark.parametrize("statement", ASSIGNMENTS)
def test_assignments_of_overlapping_parts(statement) -> None:
    """`z[...] = part of z` is refused where PyTorch refuses it."""
    found = []
    for m in (torch, mg):
        z = m.arange(6.0)
        try:
            exec(statement, {"m": m, "z": z})  # noqa: S102
        except RuntimeError as error:
            assert "refer to a single memory location" in str(error)
            found.append("refused")
        else:
            found.append(z.tolist())
    assert found[0] == found[1]
