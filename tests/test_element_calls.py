"""Methods that call Python functions, dtypes that are absent, symbols, files and DLPack."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from pair import both

import minigrad as mg


@both
def test_apply_and_map(m):
    x = m.arange(6.0).view(2, 3)
    assert x.clone().t().apply_(lambda v: v * 2).tolist() == [[0, 6], [2, 8], [4, 10]]
    assert m.arange(3).apply_(lambda v: v * 1.5).tolist() == [0, 1, 3]
    assert m.tensor([True, False]).apply_(lambda v: 3).tolist() == [True, True]
    assert m.ones(2).bfloat16().apply_(lambda v: v + 0.1).tolist() == [1.1015625] * 2
    assert x.clone().map_(m.ones(3), lambda a, b: a + b).tolist() == (x + 1).tolist()
    assert x.clone().map2_(x, m.tensor(2.0), lambda a, b, c: a + b * c).tolist() == (3 * x).tolist()
    with pytest.raises(RuntimeError, match="requires grad"):
        m.ones(2, requires_grad=True).apply_(abs)
    with pytest.raises(TypeError, match="expected torch.FloatTensor for 'other'"):
        x.map_(m.ones(2, 3).double(), lambda a, b: a)
    with pytest.raises(RuntimeError):
        x.map_(m.ones(4), lambda a, b: a)
    with pytest.raises(TypeError):
        x.apply_(lambda v: "a")
    with pytest.raises(RuntimeError, match="without overflow"):
        m.tensor([1], dtype=m.uint8).apply_(lambda v: 300)


@both
def test_retired_methods(m):
    x = m.arange(6.0, requires_grad=True)
    assert x.resize(2, 3).shape == (2, 3) and x.resize_as(m.ones(3, 2)).requires_grad
    with pytest.raises(RuntimeError, match="requested resize to 7"):
        x.resize(7)
    with pytest.raises(RuntimeError, match="reinforce.. was removed"):
        x.reinforce(1)


@both
def test_dim_order(m):
    image = m.ones(2, 3, 4, 5)
    assert image.dim_order() == (0, 1, 2, 3)
    assert image.to(memory_format=m.channels_last).dim_order() == (0, 2, 3, 1)
    assert m.ones(2, 3).t().dim_order() == (1, 0)
    assert m.ones(()).dim_order(ambiguity_check=True) == ()
    with pytest.raises(RuntimeError, match="unique dim order"):
        m.ones(2, 1, 3).dim_order(ambiguity_check=True)
    with pytest.raises(RuntimeError, match="given memory formats"):
        m.ones(2, 3, 1, 1).dim_order(ambiguity_check=[m.contiguous_format, m.channels_last])
    with pytest.raises(TypeError, match="bool or a list"):
        m.ones(2, 1, 3).dim_order(ambiguity_check=3)


@both
def test_as_subclass(m):
    class Named(m.Tensor):
        label = "named"

    x = m.ones(2, requires_grad=True)
    y = (x * 2).as_subclass(Named)
    assert type(y) is Named and y.label == "named"
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    with pytest.raises(TypeError, match="does not inherit from Tensor"):
        x.as_subclass(int)


@both
def test_module_load(m):
    x, other = m.zeros(2), m.ones(2)
    assert x.module_load(other).tolist() == x.tolist() == [1, 1]
    assert x.module_load(other, assign=True).data_ptr() == other.data_ptr()


def test_absent_dtypes_can_be_compared_with_and_no_more():
    assert mg.complex64.is_complex and not mg.complex64.is_floating_point
    assert isinstance(mg.complex64, mg.dtype) and mg.cfloat is mg.complex64
    assert mg.ones(1).dtype not in (mg.complex64, mg.complex128, mg.uint16, mg.float8_e5m2)
    assert repr(mg.uint32) == "torch.uint32" and mg.uint32.itemsize == 4
    for kept in (copy.deepcopy(mg.uint32), pickle.loads(pickle.dumps(mg.uint32))):
        assert kept is mg.uint32
    x = mg.ones(2)
    for use in (
        lambda: mg.zeros(2, dtype=mg.complex32),
        lambda: mg.tensor([1], dtype=mg.uint16),
        lambda: x.to(mg.complex32),
        lambda: x.type(mg.uint64),
        lambda: x.sum(dtype=mg.complex128),
        lambda: mg.promote_types(mg.float32, mg.complex32),
    ):
        with pytest.raises(NotImplementedError, match="is not in minigrad; needed: one of bool"):
            use()
    for other in (mg.int8, mg.float16, mg.float32, mg.complex64):
        assert mg.promote_types(other, mg.complex64) is mg.complex64
    assert mg.promote_types(mg.complex64, mg.float64) is mg.complex128


@both
def test_symbols_of_plain_numbers(m):
    assert m.sym_int(3.7) == 3 and m.sym_float(3) == 3.0 and m.sym_sum([1, 2]) == 3
    assert isinstance(m.sym_max(3, 2.0), float) and m.sym_max(2, 3) == 3 == m.sym_min(3, 4)
    assert m.sym_not(True) is False and m.sym_sqrt(4) == 2.0 and m.sym_ite(True, 1, 2) == 1
    assert not isinstance(3, (m.SymInt, m.SymFloat, m.SymBool))
    m.sym_constrain_range(3, min=1)
    with pytest.raises(RuntimeError, match="Invalid value range"):
        m.sym_constrain_range(3, min=1, max=2)


@both
def test_from_file(m, tmp_path):
    path = str(tmp_path / "numbers.bin")
    np.arange(4, dtype=np.float32).tofile(path)
    own = m.from_file(path, size=3)
    own[0] = 9
    assert own.tolist() == [9, 1, 2] and np.fromfile(path, np.float32)[0] == 0
    shared = m.from_file(path, True, 6)
    shared[5] = 7
    del shared
    assert np.fromfile(path, np.float32).tolist() == [0, 1, 2, 3, 0, 7]
    assert m.from_file(path, size=2, dtype=m.int32).dtype == m.int32
    for missing, size in ((path, 100), (str(tmp_path / "none"), 1)):
        with pytest.raises(RuntimeError):
            m.from_file(missing, size=size)


@both
def test_dlpack_capsules(m):
    x = m.arange(3.0)
    y = m.from_dlpack(m.to_dlpack(x))
    y[0] = 5
    assert x.tolist() == [5, 1, 2]
    z = m.from_dlpack(x, copy=True)
    z[0] = 6
    assert x[0] == 5


@both
def test_functions_in_place(m):
    x = m.tensor([-1.0, 2.0])
    for name, args in (("celu_", (0.5,)), ("selu_", ()), ("threshold_", (0.0, 5.0))):
        expected = getattr(m.nn.functional, name[:-1])(x, *args)
        y = x.clone()
        assert getattr(m, name)(y, *args) is y and y.tolist() == expected.tolist()
    assert m.dropout_(x, 0.5, False) is x
