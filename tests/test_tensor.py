"""Tensor's own methods: conversions, numbers, memory, copies, pickles, NumPy."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
DTYPES = [d.name for d in mg.dtypes.ALL]


def ours(values, dtype="float32", grad=False):
    array = np.asarray(values).astype(mg.dtypes.from_name(dtype).numpy)
    t = mg.Tensor._from_array(array)
    return t.requires_grad_() if grad else t


def theirs(values, dtype="float32", grad=False):
    return torch.tensor(values).to(getattr(torch, dtype)).requires_grad_(grad)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers(dtype) -> None:
    for value in (0, 1, 1.5):
        x, y = ours(value, dtype), theirs(value, dtype)
        assert x.item() == y.item() and type(x.item()) is type(y.item())
        assert x.tolist() == y.tolist()
        assert float(x) == float(y) and int(x) == int(y) and bool(x) == bool(y)
        assert complex(x) == complex(y)
        assert f"{x}" == f"{y}" and f"{x:>12}" == f"{y:>12}"
    x, y = ours([[1, 0], [2, 3]], dtype), theirs([[1, 0], [2, 3]], dtype)
    assert x.tolist() == y.tolist()
    assert (2 in x) == (2 in y) and (7 in x) == (7 in y)


def test_numbers_of_many_elements_are_refused() -> None:
    x = ours([1.0, 2.0])
    with pytest.raises(RuntimeError, match="more than one value is ambiguous"):
        bool(x)
    with pytest.raises(RuntimeError, match="no values is ambiguous"):
        bool(ours([]))
    with pytest.raises(RuntimeError, match="2 elements cannot be converted to Scalar"):
        x.item()
    for convert in (float, int, complex):
        with pytest.raises(ValueError, match="only one element tensors"):
            convert(x)
    with pytest.raises(TypeError, match="only integer tensors of a single element"):
        [1, 2][ours(1.0)]
    assert [1, 2][ours([1], "int32")] == 2
    with pytest.raises(TypeError, match="0-d tensor"):
        iter(ours(1.0))
    with pytest.raises(TypeError, match="0-d tensor"):
        len(ours(1.0))
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        assert "a" in x


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_casts(source, target) -> None:
    x, y = ours([0, 1, 2.5, 100], source), theirs([0, 1, 2.5, 100], source)
    got, expected = x.to(mg.dtypes.from_name(target)), y.to(getattr(torch, target))
    assert str(got.dtype) == str(expected.dtype)
    assert got.tolist() == expected.tolist()
    assert (got is x) == (expected is y)
    assert got.type() == expected.type()


def test_named_casts() -> None:
    names = ["float", "double", "half", "bfloat16", "int", "long", "short", "char", "byte", "bool"]
    x, y = ours([0, 1.5]), theirs([0, 1.5])
    for name in names:
        assert repr(getattr(x, name)()) == repr(getattr(y, name)())
    assert x.float() is x and x.type_as(x) is x and x.cpu() is x
    assert x.type("torch.DoubleTensor").dtype is mg.float64
    with pytest.raises(ValueError, match="invalid type: 'Foo'"):
        x.type("Foo")


def test_forms_of_to() -> None:
    x = ours([1.0, 2.0], grad=True)
    f64 = ours([1.0], "float64")
    assert x.to("cpu") is x and x.to(mg.device("cpu")) is x and x.to(mg.float32) is x
    for y in (x.to(f64), x.to("cpu", mg.float64), x.to(dtype=mg.float64), x.to(mg.float64, True)):
        assert y.dtype is mg.float64 and repr(y.grad_fn).startswith("<ToCopyBackward0")
    c = x.to(mg.float32, copy=True)
    assert c is not x and not np.shares_memory(c._array, x._array)
    x.to(f64).sum().backward()
    assert x.grad.dtype is mg.float32 and x.grad.tolist() == [1, 1]
    assert not x.to(mg.int64).requires_grad
    with pytest.raises(RuntimeError, match="cuda"):
        x.to("cuda")
    with pytest.raises(RuntimeError, match="cuda"):
        x.cuda()
    with pytest.raises(RuntimeError, match="device string: foo"):
        x.to("foo")
    with pytest.raises(TypeError, match="invalid combination"):
        x.to(3.5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'kind'"):
        x.to(kind=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t,
        lambda t: t[1:],
        lambda t: t.t(),
        lambda t: t.t()[1:],
        lambda t: t[:, ::2],
        lambda t: t[:0],
        lambda t: t[1, 2],
        lambda t: t.reshape(2, 1, 3, 2).permute(3, 0, 2, 1),
        lambda t: t.unfold(1, 2, 1),
        lambda t: t.diagonal(),
    ],
)
def test_memory(make) -> None:
    values = np.arange(12.0).reshape(3, 4)
    x, y = make(ours(values)), make(theirs(values))
    assert x.shape == tuple(y.shape) and x.size() == tuple(y.size()) and x.dim() == y.dim()
    if x.numel():
        assert x.stride() == y.stride() and x.storage_offset() == y.storage_offset()
    assert x.is_contiguous() == y.is_contiguous()
    assert x.numel() == y.numel() == x.nelement() and x.element_size() == y.element_size() == 4
    assert x.itemsize == 4 and x.nbytes == y.nbytes
    assert x.untyped_storage().nbytes() == y.untyped_storage().nbytes()
    with pytest.raises(IndexError):
        x.size(7)


def test_channels_last() -> None:
    values = np.arange(24.0).reshape(1, 2, 3, 4)
    x = ours(values).contiguous(memory_format=mg.channels_last)
    y = theirs(values).contiguous(memory_format=torch.channels_last)
    assert x.stride() == y.stride() and x.tolist() == y.tolist()
    assert x.is_contiguous(memory_format=mg.channels_last) and not x.is_contiguous()
    assert x.clone().stride() == y.clone().stride()
    z = ours(values).clone(memory_format=mg.channels_last)
    assert z.stride() == y.stride()


def test_resize_and_set() -> None:
    x = ours([[1, 2], [3, 4]])
    assert x.resize_(3) is x and x.tolist() == [1, 2, 3]
    x.resize_((2, 4))
    assert x.shape == (2, 4) and x.reshape(8)[:3].tolist() == [1, 2, 3]
    y = ours([5.0])
    x.set_(y)
    x.add_(1)
    assert y.tolist() == [6] and y._version == 1
    with pytest.raises(RuntimeError, match="cannot resize variables that require grad"):
        ours([1.0], grad=True).resize_(2)


def test_detach_in_place() -> None:
    x = ours([1.0, 2.0], grad=True)
    y = x * 2
    assert y.detach_() is y and not y.requires_grad and y.is_leaf
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        (x * 2)[0].detach_()


def test_iteration_keeps_gradients() -> None:
    x = ours([[1.0, 2.0], [3.0, 4.0]], grad=True)
    total = ours(0.0)
    for i, row in enumerate(x):
        total = total + row.sum() * i
    a, b = x
    (total + (a * b).sum()).backward()
    assert x.grad.tolist() == [[3, 4], [2, 3]]
    assert [r.tolist() for r in reversed(x)] == [[3, 4], [1, 2]]


def test_deepcopy_keeps_shared_memory() -> None:
    for dtype in ("float32", "bfloat16"):
        x = ours(np.arange(12.0).reshape(3, 4), dtype)
        whole, part, turned = copy.deepcopy([x, x[1:, 2], x.t()])
        assert part.storage_offset() == 6 and turned.stride() == (1, 4)
        whole[1, 2] = 50
        assert part.tolist() == [50, 10] and turned[2, 1].item() == 50 and x[1, 2].item() == 6
    assert copy.deepcopy(ours([[1.0]]).expand(2, 3)).stride() == (0, 0)
    values = np.arange(3.0)
    both = copy.deepcopy({"array": values, "tensor": mg.from_numpy(values)})
    assert both["array"].tolist() == both["tensor"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "call",
    [
        "x.type(float)", "x.type(T.DoubleTensor)", "x.type('torch.LongTensor')", "x.type('Double')",
        "x.type(T.int8)", "x.type(5)", "x.type_as(5)", "x.to(T.float64, T.float32)",
        "x.to(T.float64, True, True)", "x.to('cpu', T.int32, False, True)", "x.to([1])",
        "x.to(T.float64, 'cpu')", "x.float(memory_format=T.channels_last).stride()",
        "x.double(memory_format=T.channels_last).stride()", "x.real", "x.imag", "x.conj()",
        "x.is_conj()", "x.is_inference()", "x.is_xla", "x[0, 0].adjoint()", "x.resolve_neg()",
        "x[0, 0].fill_diagonal_(5)", "x[0].fill_diagonal_(5)", "x[0, 0, 0].fill_diagonal_(5)",
        "T.zeros(7, 3).fill_diagonal_(5, wrap=True)", "T.zeros(8, 3).t().fill_diagonal_(5)",
        "T.zeros(8, 3).fill_diagonal_(5, True)", "T.zeros(4, 3).fill_diagonal_(5, True)",
        "T.is_signed(x)", "T.is_signed(3)", "T.get_device(x)", "T.is_same_size(x, x)",
        "T.detach(x)", "T.real(x)", "T.resolve_conj(x)", "x.__delitem__(0)",
    ],
)  # fmt: skip
def test_as_pytorch(call) -> None:
    found = []
    for module in (mg, torch):
        x = module.arange(24.0).reshape(1, 2, 3, 4)
        try:
            result = eval(call, {"x": x, "T": module})
        except Exception as error:
            result = type(error)
        if isinstance(result, (mg.Tensor, torch.Tensor)):
            result = (str(result.dtype), result.tolist(), result.stride())
        found.append(result)
    assert found[0] == found[1]


@pytest.mark.parametrize("target", ["float16", "bfloat16", "float32", "int32"])
def test_casts_are_silent(target) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours([1e300, -1e300, np.inf, np.nan], "float64").to(getattr(mg, target))


def test_deepcopy() -> None:
    x = ours([[1.0, 2.0], [3.0, 4.0]], grad=True)
    x.grad = ours([[1.0, 1.0], [1.0, 1.0]])
    x.note = ["a"]
    pair = copy.deepcopy([x, x])
    y = pair[0]
    assert pair[1] is y and y.requires_grad and y.is_leaf and y.note == ["a"]
    assert y.grad.tolist() == x.grad.tolist()
    for a, b in ((x, y), (x.grad, y.grad)):
        assert not np.shares_memory(a._array, b._array)
    assert y.note is not x.note
    with pytest.raises(RuntimeError, match="created explicitly by the user"):
        copy.deepcopy(x * 2)
    assert copy.deepcopy(ours(np.ones((2, 3))).t()).stride() == (1, 3)
    shallow = copy.copy(x)
    assert np.shares_memory(shallow._array, x._array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle(dtype) -> None:
    x = ours([[0, 1], [2, 3]], dtype, grad="float" in dtype)
    y = pickle.loads(pickle.dumps(x))
    assert y.tolist() == x.tolist() and y.dtype is x.dtype and y.requires_grad == x.requires_grad
    assert y.is_leaf and type(y) is type(x)
    z = pickle.loads(pickle.dumps(x.t()[1:]))
    assert z.tolist() == x.t()[1:].tolist()


def test_numpy() -> None:
    x = ours([1.0, 2.0])
    assert np.shares_memory(x.numpy(), np.asarray(x))
    assert isinstance(np.exp(x), mg.Tensor) and np.exp(x).dtype is mg.float32
    assert np.add(x, 1).tolist() == [2, 3]
    assert np.asarray(x, np.int32).dtype == np.int32
    for mixed in (np.array([1.0, 2.0]) * x, x * np.array([1.0, 2.0]), np.float64(2) * x):
        assert isinstance(mixed, mg.Tensor)
    g = ours([1.0], grad=True)
    for use in (g.numpy, lambda: np.exp(g), lambda: np.asarray(g)):
        with pytest.raises(RuntimeError, match="Can't call numpy"):
            use()
    assert g.numpy(force=True).tolist() == [1]
    assert np.from_dlpack(x).tolist() == [1, 2] and torch.from_dlpack(x).tolist() == [1, 2]
    half = x.bfloat16()
    theirs = torch.from_dlpack(half)
    back = mg.from_dlpack(theirs), mg.from_dlpack(torch.utils.dlpack.to_dlpack(theirs))
    assert theirs.dtype == torch.bfloat16 and theirs.data_ptr() == half.data_ptr()
    for y in back:
        y[0] = y[0] + 4
    assert half.tolist() == theirs.tolist() == [9, 2] and back[1].dtype is mg.bfloat16
    with pytest.raises(BufferError, match="require gradient"):
        torch.from_dlpack(g)


def test_fill_and_copy() -> None:
    x = ours([1.0, 2.0])
    assert x.fill_(3).tolist() == [3, 3] and x.zero_().tolist() == [0, 0]
    assert x.copy_(ours([[1], [2]], "int64")[0]).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="expanded size"):
        x.copy_(ours([1.0, 2.0, 3.0]))
    with pytest.raises(RuntimeError, match="0-dimension value tensor"):
        x.fill_(ours([1.0]))
    with pytest.raises(TypeError, match="must be a number"):
        x.fill_("a")
    assert x.copy_(4.5).tolist() == [4.5, 4.5]
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        x.copy_([1.0, 2.0])


def test_view_of_another_dtype() -> None:
    values = np.arange(6.0).reshape(2, 3)
    x, y = ours(values), theirs(values)
    assert x.view(mg.int32).tolist() == y.view(torch.int32).tolist()
    assert x.view(mg.uint8).tolist() == y.view(torch.uint8).tolist()
    v = x.view(mg.int32)
    v.zero_()
    assert x.sum().item() == 0 and x._version == 1
    with pytest.raises(RuntimeError, match="must be divisible by 2"):
        x.view(mg.float64)


def test_views_need_fitting_strides() -> None:
    x = ours(np.arange(12.0).reshape(3, 4))
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        x.t().view(12)
    assert x.t().reshape(12).tolist() == x.t().flatten().tolist()
    assert x[:, :2].reshape(3, 2, 1)._is_view() and not x.t().reshape(12)._is_view()
    for shape in ((0, 3), (3, 0)):
        assert ours(np.zeros(shape)).view(0).shape == (0,)
