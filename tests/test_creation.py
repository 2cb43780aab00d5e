"""Creation of tensors, against PyTorch: inferred types, values, layouts, errors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg

torch = pytest.importorskip("torch")

CALLS = """
tensor([np.float32(1)]) | tensor([np.float64(1)]) | tensor(np.float64(1)) | tensor([np.int32(1)])
tensor([np.bool_(1)]) | tensor([np.zeros(2), np.zeros(2)]) | tensor([np.float32(1), 2.0])
tensor([1, np.float64(2)]) | tensor([T.tensor(1.0), T.tensor(2)]) | tensor([[1, 2], [3, 4]])
tensor([T.tensor([1.0]), T.tensor([2.0])]) | tensor([[T.tensor(1), T.tensor(2)], [1, 2]])
tensor([[1, 2], [3]]) | tensor([[1, 2], 3]) | tensor([1, [2, 3]]) | tensor("a") | tensor(["a"])
tensor(None) | tensor([1, None]) | tensor(2**63) | tensor(2**63, dtype=T.float32) | tensor({1: 2})
tensor(300, dtype=T.uint8) | tensor(-1, dtype=T.uint8) | tensor([-300], dtype=T.uint8)
tensor([1.7], dtype=T.int64) | tensor(float("nan"), dtype=T.int64) | tensor([1.5, 0], dtype=T.bool)
tensor([]) | tensor([[]]) | tensor([[], []]) | tensor(()) | tensor(range(3)) | tensor(object())
tensor([True, 1]) | tensor([True, 1.5]) | tensor([True, False]) | tensor([1.0], requires_grad=True)
tensor([1], requires_grad=True) | tensor([1e40]) | tensor([70000.0], dtype=T.float16)
tensor([1], dtype=float) | tensor([1], dtype=np.float32) | tensor([1], dtype="float32")
tensor(1, 2) | tensor(np.zeros(3, ">f4")) | tensor(np.arange(3)[::-1]) | tensor(np.array(["a"]))
tensor(b"ab")
as_tensor([1, 2]) | as_tensor(np.arange(3)[::-1]) | asarray(5) | from_numpy([1])
asarray(np.zeros(3), dtype=T.float32) | from_numpy(np.zeros(3, object)) | from_numpy(np.float32(3))
frombuffer(bytearray(8), dtype=T.float32) | frombuffer(bytearray(8), dtype=T.float32, count=3)
frombuffer(bytearray(8), dtype=T.float32, offset=4) | frombuffer(bytearray(7), dtype=T.float32)
frombuffer(bytearray(8), dtype=T.float32, offset=8) | frombuffer([1], dtype=T.float32)
zeros(2, 3) | zeros((2, 3)) | zeros([2, 3]) | zeros() | zeros(()) | zeros(-1) | zeros(2.5)
zeros((2, 2.5)) | zeros(size=(2,)) | zeros(2, dtype=T.int32) | ones(2, dtype=T.bool) | ones(0, 3)
full((2,), 1) | full((2,), True) | full((2,), 1.5) | full(2, 1.5) | full((2,), T.tensor(3))
full((2,), 1.5, dtype=T.int32) | full((2,), 300, dtype=T.uint8) | full_like(T.tensor([1, 2]), 2.5)
zeros_like(3) | zeros_like(T.tensor([1, 2]), dtype=T.float32) | ones_like(T.zeros(2, 3))
arange(5) | arange(5.0) | arange(1, 5) | arange(1, 5, 2) | arange(1, 5, 0.5) | arange(5, 1, -1)
arange(5, 1) | arange(1, 5, 0) | arange(T.tensor(3)) | arange(0, 1, 0.1, dtype=T.float16)
arange(0, 5, dtype=T.bool) | arange(float("inf")) | arange(0) | arange(2.5, dtype=T.int64)
arange(0.5, 3, 0.7, dtype=T.int64) | arange(end=4) | arange(1, end=4) | arange(start=1, end=4)
arange(True) | linspace(0, 1, 5) | linspace(0, 1, 1) | linspace(0, 1, 0) | linspace(0, 1, -1)
linspace(0, 10, 4, dtype=T.int64) | linspace(T.tensor(0.0), T.tensor(1.0), 3) | linspace(3, -7, 9)
linspace(T.tensor([0.0]), T.tensor(1.0), 3) | logspace(0, 2, 3) | logspace(0, 2, 3, base=-2)
logspace(0, 2, 4, dtype=T.int64) | eye(3) | eye(2, 3) | eye(3, 2) | eye(-1) | eye(2, -3) | eye(2.5)
tril_indices(3, 4, 1) | triu_indices(3, 4, -1) | tril_indices(-3, 3) | scalar_tensor(3)
tril_indices(3, 3, dtype=T.int32) | tril_indices(3, 3, dtype=T.float32) | eye(3, dtype=T.int64)
Tensor([2, 3]) | Tensor((2, 3)) | Tensor(3.5) | Tensor() | Tensor(T.tensor([1, 2])) | Tensor("a")
Tensor(np.array([1, 2])) | FloatTensor([1, 2]) | LongTensor([1.5, 2]) | BoolTensor([1, 0])
LongTensor(T.tensor([1.5])) | HalfTensor([1]) | is_tensor(3) | is_floating_point(3) | numel(3)
numel(T.tensor([1, 2])) | set_default_dtype(T.int32) | tensor([1.0]).new_zeros(2, dtype=T.int32)
tensor([1.0]).new_tensor([1, 2]) | tensor([1]).new_tensor([1.5, 2])
tensor([1.0]).new_full((2,), 3) | tensor([1.0]).new_ones(2, 3)
zeros(2, out=T.ones(3, dtype=T.int32))
arange(3, out=T.zeros(3)) | zeros(True) | zeros(2, names=None) | tensor([np.zeros((2, 3)).T])
full((2,), -3.7, dtype=T.uint8) | tensor(-3.7, dtype=T.uint8) | full((2,), 1e10, dtype=T.float16)
full((2,), 1e39) | full((2,), 1e39, dtype=T.bfloat16) | full((2,), float("inf")) | tensor([1e39])
full_like(T.zeros(2), 1e39) | zeros(2).fill_(1e39) | full((2,), None) | full((2,), T.tensor([5.0]))
full((2,), 2**63) | full((2,), 2**70) | scalar_tensor(5, requires_grad=True) | Tensor(None)
linspace(-3, 3, 7, dtype=T.uint8) | linspace(0, 1000, 7, dtype=T.int8) | range(4)
linspace(0, 1, 3, dtype=T.bool) | logspace(0, 1, 3, dtype=T.bool)
tril_indices(3, 3, dtype=T.int16) | range(0, 1, 0.1) | range(0, 3, dtype=T.bool)
range(1, 4, 0) | range(4, 1) | from_dlpack([1])
from_dlpack(T.zeros(2, requires_grad=True)) | empty(2, 3, memory_format=T.preserve_format)
from_numpy(np.zeros(3, [("a", "f4"), ("b", "i2")])["a"]) | Size([1.5]) | Size(["a"])
result_type(T.tensor([1]), 1.5) | result_type(1, 2.5)
result_type(T.zeros(1), T.tensor(1.0).double())
can_cast(T.float64, T.float32) | can_cast(T.float32, T.int32) | can_cast(1, T.int32)
promote_types(1, 2) | broadcast_shapes((2, 1), (3,)) | broadcast_shapes((2,), (3,)) | pi | newaxis
linspace(0, 1, 1, dtype=T.bool) | logspace(0, 1, 1, dtype=T.bool) | zero_(T.ones(2)) | relu_(3)
relu_(T.tensor([-1.0, 2.0])) | exp_(T.zeros(2)) | clamp_(T.arange(4.0), 1, 2) | fill_(T.ones(2), 3)
scalar_tensor(1e10, dtype=T.float16) | device("cpu:") | device("cpu:x")
finfo(T.bfloat16).resolution | finfo(T.float16).resolution | finfo(T.float32).resolution
"""
LIST = [c.strip() for line in CALLS.strip().split("\n") for c in line.split(" | ")]


def _run(module: object, call: str) -> tuple:
    try:
        result = eval(f"T.{call}", {"T": module, "np": np, "float": float, "range": range})
    except Exception as error:
        return ("error", type(error).__name__)
    if not hasattr(result, "detach"):
        return ("value", str(result))
    return (
        str(result.dtype),
        tuple(result.shape),
        result.requires_grad,
        str(result.tolist()),
    )


@pytest.mark.parametrize("call", LIST)
def test_as_pytorch(call: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert _run(mg, call) == _run(torch, call)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "uint8"])
def test_linspace_and_logspace_are_exact(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        a, b = (abs(v) for v in rng.uniform(-50, 50, 2))
        if dtype != "uint8" and rng.random() < 0.5:
            a = -a
        n = int(rng.integers(0, 200))
        want = torch.linspace(a, b, n, dtype=getattr(torch, dtype)).double().numpy()
        got = mg.linspace(a, b, n, dtype=getattr(mg, dtype)).numpy().astype(float)
        np.testing.assert_array_equal(got, want)
        want = torch.logspace(a / 30, b / 30, n, dtype=getattr(torch, dtype)).double().numpy()
        got = mg.logspace(a / 30, b / 30, n, dtype=getattr(mg, dtype)).numpy().astype(float)
        if dtype == "float64":
            np.testing.assert_allclose(got, want, rtol=3e-16)
        else:
            np.testing.assert_array_equal(got, want)


def test_from_numpy_shares_memory() -> None:
    array = np.zeros(3)
    t = mg.from_numpy(array)
    array[1] = 5
    assert t.numpy() is array
    assert mg.as_tensor(array).numpy() is array
    assert not np.shares_memory(mg.tensor(array).numpy(), array)


def test_tensor_warns_of_a_tensor() -> None:
    with pytest.warns(UserWarning, match="sourceTensor"):
        mg.tensor(mg.zeros(2))


def test_legacy_classes_recognise_their_dtype() -> None:
    assert isinstance(mg.tensor([1.0]), mg.FloatTensor)
    assert not isinstance(mg.tensor([1]), mg.FloatTensor)
    assert isinstance(mg.tensor([1]), mg.LongTensor)
    assert tuple(mg.Tensor(2, 3).shape) == (2, 3)


def test_default_dtype() -> None:
    try:
        mg.set_default_dtype(mg.float64)
        assert mg.tensor(1.5).dtype is mg.float64
        assert mg.zeros(2).dtype is mg.float64
    finally:
        mg.set_default_dtype(mg.float32)


def test_empty_strided_and_memory_order() -> None:
    t = mg.empty_strided((2, 3), (1, 2))
    assert t.numpy().strides == (4, 8)
    assert mg.zeros_like(t).numpy().strides == (4, 8)
    assert mg.zeros_like(t, memory_format=mg.contiguous_format).numpy().strides == (12, 4)
    with pytest.raises(RuntimeError, match="dimensionality of sizes"):
        mg.empty_strided((2, 3), (1,))


@given(st.data())
def test_copies_lie_in_memory_as_pytorchs(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    order = data.draw(st.permutations(range(len(shape))))
    kinds = data.draw(st.lists(st.sampled_from(["whole", "part", "repeated"]), min_size=4))

    def make(module: Any) -> Any:
        x = module.zeros([2 * n for n in shape])
        for d, (n, kind) in enumerate(zip(shape, kinds)):
            if kind == "part":
                x = x.narrow(d, 0, n)
            elif kind == "repeated":
                x = x.narrow(d, 0, 1).expand(*[n if k == d else -1 for k in range(x.ndim)])
        return x.permute(*order)

    def strides(x: Any) -> list:
        return [s for n, s in zip(x.shape, x.stride()) if n != 1]

    x, y = make(mg), make(torch)
    assert strides(mg.zeros_like(x)) == strides(torch.zeros_like(y))
    assert strides(x.clone()) == strides(y.clone())
    assert strides(x.double()) == strides(y.double())


def test_device_is_a_context() -> None:
    with mg.device("cpu") as device:
        assert device == mg.device("cpu")
        assert mg.ones(2).device == device
