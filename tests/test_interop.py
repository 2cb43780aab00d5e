"""Expressions that mix tensors with Python's operators, numbers, `math` and NumPy, as PyTorch's.

Each is evaluated with both libraries: results agree in class, dtype, shape and value, errors in
their class.
"""

from __future__ import annotations

import copy
import decimal
import fractions
import math
import operator
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from pair import torch

import minigrad as mg

NUMPY = (
    "t+np.ones(3)", "np.float32(2)*t", "np.float64(2)*t", "t*np.float64(2)", "np.int64(2)+i",
    "i+np.int64(2)", "np.int32(3)-i", "i**np.int64(2)", "np.float64(2)**t", "np.ones(3)@t",
    "t@np.ones(3)", "np.ones((3,3))@t", "np.float64(1)<t", "np.float64(1)==t", "t==np.float64(1)",
    "t==np.ones(3)", "np.ones(3)==t", "np.sin(t)", "np.exp(t)", "np.add(t,t)", "np.add(t,1)",
    "np.add(np.ones(3),t)", "np.maximum(t,0)", "np.max(t)", "np.argmax(t)", "np.sqrt(g)",
    "np.asarray(t)", "np.asarray(g)", "np.array(t)", "np.array([t,t])", "np.array([z,z])",
    "np.asarray(t,dtype=np.float64)", "np.stack([t,t])", "np.concatenate([t,t])",
    "np.where(t>0,t,0)", "np.testing.assert_allclose(t,t)",
    "np.testing.assert_array_equal(i,[0,1,2])", "np.allclose(t,t)", "np.clip(t,0,1)",
    "np.dot(t,t)", "np.linalg.norm(t)", "np.repeat(t,2)", "np.transpose(m)",
    "np.reshape(m,(3,2))", "np.squeeze(m)", "np.shape(m)", "np.ndim(m)", "np.zeros_like(t)",
    "np.float32(z)", "np.float64(z)", "np.int64(iz)", "t.__array_priority__", "t[np.int64(1)]",
    "t[np.array([0,1])]", "t[np.array([True,False,True])]", "m[np.array([0,1]),np.array([0,1])]",
    "t.numpy().dtype", "g.numpy()", "g.detach().numpy().dtype", "t.__array__().dtype",
    "t.__array__(np.float64).dtype", "np.array(t).dtype", "np.result_type(np.asarray(t))",
    "np.issubdtype(t.numpy().dtype,np.floating)", "t+t.numpy()",
    "np.ones(3,dtype=np.float32).__add__(t)", "np.multiply(t,t.numpy())", "np.add.reduce(t)",
    "np.add.outer(t,t)", "np.add.at(np.zeros(3),i,1)", "np.divmod(t,2)", "np.modf(t)",
    "np.frexp(t)", "np.nan_to_num(t)", "np.round(t)", "np.cumsum(t)", "np.sort(t)",
    "np.argsort(t)", "np.unique(t)", "np.var(t)", "np.std(t)", "np.prod(t)", "np.min(t)",
    "np.ravel(m)", "np.expand_dims(t,0)", "np.broadcast_to(t,(2,3))", "np.vstack([t,t])",
    "np.hstack([t,t])", "np.split(t,3)", "np.tile(t,2)", "np.array_equal(t,t)", "np.array(z)",
    "np.asarray(z).shape", "np.full(3,z)", "np.linspace(z,2,3)", "np.arange(iz)", "np.zeros(iz)",
    "np.zeros((iz,2))", "torch.tensor(np.float32(3))", "torch.tensor([np.float32(3),1])",
    "torch.tensor([np.ones(2),np.ones(2)])", "torch.as_tensor(np.ones(2))",
    "torch.from_numpy(np.ones(2))", "torch.tensor(t.numpy())", "torch.zeros(np.int64(2))",
    "torch.zeros((np.int64(2),np.int32(3)))", "t.view(np.int64(3))", "t.sum(np.int64(0))",
    "torch.cat([m,m],dim=np.int64(0))", "t.clamp(np.float32(0.5))", "t.add(np.float32(1))",
    "torch.add(t,np.float64(1),alpha=np.float64(2))", "t.mul(np.bool_(True))",
    "t.pow(np.int64(2))", "torch.pow(np.float64(2),t)", "t.fill_(np.float32(2))",
)  # fmt: skip
NUMBERS = (
    "float(z)", "int(z)", "complex(z)", "bool(z)", "math.sqrt(z)", "math.floor(z)",
    "math.ceil(z)", "math.trunc(z)", "round(z)", "round(z,1)", "math.exp(z)", "math.log(z)",
    "math.pow(z,2)", "math.isnan(z)", "math.sqrt(t)", "math.gcd(iz,4)", "math.floor(t)",
    "divmod(7,iz)", "-7//iz", "7%iz", "-7%iz", "1<<iz", "8>>iz", "1&iz", "5|iz", "5^iz",
    "[1,2,3][iz]", "[1,2,3][z]", "range(iz)", "list(range(iz))", "'abc'*iz", "[0]*iz", "hex(iz)",
    "bin(iz)", "format(z,'.2f')", 'f"{z:.3f}"', 'f"{iz:5d}"', "'%.2f'%z", "'%d'%iz",
    "'{}'.format(z)", "str(z)", "repr(z)", "len(z)", "list(z)", "operator.index(iz)",
    "operator.index(z)", "slice(iz).indices(5)", "t[iz]", "t[z]", "z.item()", "z.__bool__()",
    "z.__nonzero__()", "z.__long__()", "iz.__int__()", "z.T", "t.shape==torch.Size([3])",
    "torch.Size([2,3]).numel()", "t.size(0)", "t.size(-1)", "t.size(5)", "t.itemsize",
    "t.dtype.itemsize", "torch.tensor([z,z])", "torch.zeros(iz)", "torch.zeros((iz,2))",
    "torch.ones(iz,iz)", "torch.full((2,),z)", "torch.full((2,),iz)", "torch.arange(iz)",
    "torch.arange(z)", "torch.linspace(0,z,3)", "torch.randn(iz,2).shape", "t.reshape(iz+1,-1)",
    "t.expand(iz,3)", "t.repeat(iz)", "t.sum(dim=iz-2)", "t.clamp(min=z)",
)  # fmt: skip
OTHERS = (
    "t==None", "t!=None", "t=='a'", "t!='a'", "None==t", "t==[1,2,3]", "t in [t]", "1.0 in t",
    "5 in t", "'a' in t", "None in t", "t.__contains__(t)", "int(t)", "float(t)", "bool(t)",
    "bool(torch.zeros(0))", "round(t)", "round(t,1)", "divmod(t,2)", "abs(-t)", "-t", "+t", "~b",
    "~i", "~t", "t//2", "2//i", "t%2", "2**t", "t**2", "t**-1", "i**2", "i**-1", "2**i",
    "pow(t,2)", "pow(2,t)", "pow(t,2,3)", "2-t", "2/t", "2/i", "i<<1", "i>>1", "True&b", "b&True",
    "b|False", "b^True", "i&b", "t&t", "t|1", "b+b", "b-b", "b*b", "-b", "+b", "b/b", "b//b",
    "b%b", "b**b", "True+b", "i/i", "i//0", "i%0", "t//0", "t%0", 'f"{t}"', 'f"{t:.2f}"',
    'f"{t:>30}"', "'%s'%t", "str(t)", "len(t)", "len(m)", "list(t)", "tuple(m)",
    "list(reversed(t))", "[*m]", "sum(t)", "sum([t,t])", "max(t)", "min(t)", "sorted(t)",
    "any(b)", "all(b)", "dict(zip(i.tolist(),t.tolist()))", "hash(t)==hash(t)", "{t:1}[t]",
    "copy.copy(t)", "copy.deepcopy(t)", "copy.copy(g).requires_grad", "copy.copy(g).is_leaf",
    "copy.copy(t).data_ptr()==t.data_ptr()", "copy.deepcopy(g).requires_grad",
    "copy.deepcopy(g*2)", "pickle.loads(pickle.dumps(t))", "operator.index(b[0])",
    "operator.index(torch.tensor([3]))", "t[1.0]", "t['a']", "t[None]", "t[...]", "t[True]",
    "t[[0,1]]", "t[(0,)]", "t[0,0]", "t.item()", "t.tolist()", "t.__rpow__(2)", "t.__rsub__(2)",
    "t.__rdiv__(2)", "t.__div__(2)", "t.__radd__(2)", "t.__rmod__(2)", "t.__rfloordiv__(2)",
    "t.__rmatmul__(t)", "t.__and__(t)", "i.__and__(1)", "t.__index__()", "t.__len__()",
    "t.__bool__()", "t.__nonzero__()", "t.__dir__()[:0]", "'abs' in dir(t)", "t.__lt__(1)",
    "t.__eq__('x')", "t.__ne__(None)", "t+'x'", "t+None", "t+[1,2,3]", "[1,2,3]+t", "t*[1,2,3]",
    "t<None", "t<'a'", "t@2", "2@t", "t+fractions.Fraction(1,2)", "t+decimal.Decimal(1)",
    "t.__ipow__(2)", "t.clone().__iadd__(1)", "t.clone().__imul__(2)",
    "t.clone().__itruediv__(2)", "t.clone().__idiv__(2)", "t.clone().__ifloordiv__(2)",
    "t.clone().__imod__(2)", "i.clone().__iand__(1)", "i.clone().__ilshift__(1)",
    "t.clone().__imatmul__", "t.foo", "t.T", "t.mT", "m.T", "m.mT", "m.H", "torch.ones(2,2,2).T",
    "t.real", "t.imag", "t.conj()", "t.is_complex()", "t.resolve_conj()", "t.is_conj()",
    "setattr(t,'foo2',3)", "t.shape[0]", "t.shape+(1,)", "t.shape==(3,)", "repr(t.shape)",
    "t.ndim", "t.nbytes", "t.dtype", "t.device", "t.layout", "t.type()", "t.is_cuda",
    "t.requires_grad", "t.grad", "t.is_leaf", "t.stride()", "t.storage_offset()",
    "isinstance(t,torch.Tensor)", "isinstance(t,torch.FloatTensor)",
    "isinstance(i,torch.LongTensor)", "isinstance(t,torch.LongTensor)",
    "issubclass(torch.nn.Parameter,torch.Tensor)", "torch.is_tensor(t)", "type(t).__name__",
    "torch.tensor([t,t])", "t.view(-1,1)",
)  # fmt: skip


def _names(m: Any) -> dict[str, Any]:
    modules = (copy, decimal, fractions, math, operator, pickle)
    return {module.__name__: module for module in modules} | {
        "np": np,
        "torch": m,
        "t": m.tensor([0.5, 1.5, 2.5]),
        "i": m.arange(3),
        "z": m.tensor(2.5),
        "iz": m.tensor(2),
        "b": m.tensor([True, False, True]),
        "m": m.arange(6.0).view(2, 3),
        "g": m.tensor([1.0, 4.0, 9.0], requires_grad=True),
    }


def _plain(result: Any, m: Any) -> Any:
    """A result in a form that is the same for both libraries."""
    if isinstance(result, m.Tensor):
        values = np.round(result.detach().double().numpy(), 4)
        return str(result.dtype), tuple(result.shape), result.requires_grad, str(values.tolist())
    if isinstance(result, np.ndarray):
        return "array", str(result.dtype), result.shape, str(np.round(result.astype(float), 4))
    if isinstance(result, (np.generic, float)):
        return type(result).__name__, str(round(float(result), 4))
    if isinstance(result, (list, tuple)) and not isinstance(result, m.Size):
        return type(result).__name__, [_plain(r, m) for r in result]
    return type(result).__name__, str(result).replace("minigrad", "torch")


def _outcome(expression: str, m: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _plain(eval(expression, _names(m)), m)  # noqa: S307
    except Exception as error:  # noqa: BLE001
        return "error", type(error).__name__


@pytest.mark.parametrize("expression", [*NUMPY, *NUMBERS, *OTHERS])
def test_as_pytorch(expression: str) -> None:
    assert _outcome(expression, mg) == _outcome(expression, torch)


def test_numpy_arrays_on_the_left() -> None:
    """PyTorch refuses some of these with recent NumPys; here the tensor takes the operator."""
    t, array = mg.tensor([0.5, 1.5]), np.array([1.0, 2.0], np.float32)
    for result in (array + t, array - t, array * t, array / t, array < t):
        assert isinstance(result, mg.Tensor)
    assert (array - t).tolist() == [0.5, 0.5] and (array < t).tolist() == [False, False]
    g = mg.tensor([0.5, 1.5], requires_grad=True)
    (array * g).sum().backward()
    assert g.grad.tolist() == [1, 2]


def test_numpy_functions_of_tensors() -> None:
    t = mg.tensor([0.5, 1.5])
    assert isinstance(np.sin(t), mg.Tensor) and np.isfinite(t).dtype == mg.bool
    assert float(np.sum(t)) == 2 and bool(np.all(t > 0))
    with pytest.raises(RuntimeError, match="requires grad"):
        np.sin(mg.ones(2, requires_grad=True))


def test_complex_numbers_are_refused_by_name() -> None:
    for use in (lambda t: t**1j, lambda t: mg.fmod(t, 1j), lambda t: mg.maximum(t, 1j)):
        with pytest.raises(TypeError, match="complex numbers are not in minigrad"):
            use(mg.ones(2))


def test_deleting_items_is_refused() -> None:
    with pytest.raises(TypeError, match="does not support deleting items"):
        del mg.ones(2)[0]
