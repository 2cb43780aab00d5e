"""Sparse tensors beside PyTorch's: what is printed, products, arithmetic, gradients, refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.autograd import gradcheck, gradgradcheck

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

INDICES = [[0, 1, 1], [2, 0, 2]]


def example(lib: Any) -> dict[str, Any]:
    make = lib.sparse_coo_tensor
    return {
        "torch": lib,
        "a": make(INDICES, [3.0, 4.0, 5.0], (2, 3)),
        "b": make(INDICES, [3.0, 4.0, 5.0], (2, 3), dtype=lib.float64, requires_grad=True),
        "u": make([[0, 1, 1, 0], [2, 0, 2, 2]], [3.0, 4.0, 5.0, 1.0], (2, 3)),
        "ones": lib.ones,
    }


# Expressions whose printed results must be equal.
EXPRESSIONS = """
a; a.coalesce(); b; a.to_sparse_csr(); torch.sparse_coo_tensor((2, 3)); a.t(); a.layout
a.is_sparse; a.to_sparse_csr().is_sparse_csr; u.coalesce(); u.to_dense(); u.is_coalesced(); u._nnz()
torch.sparse_coo_tensor([[0, 1, 1]], ones(3, 2)); u._indices(); u._values(); a.coalesce().indices()
a.coalesce().values(); a.sparse_dim(); a.dense_dim(); ones(2).to_dense(); a.coalesce()[0]; a[0, 2]
ones(2, 3) + a; a * ones(2, 3); a * a; a @ ones(3); ones(4, 2) @ a; torch.mm(ones(4, 2), a)
torch.sparse.mm(a.to_sparse_csr(), ones(3, 2), "mean")
torch.sparse.mm(a.to_sparse_csr(), ones(3, 2), "amax")
torch.sparse.mm(a, a.t()); a.sum(); a.sum(0); torch.sparse.sum(a); torch.sparse.sum(a, 0)
torch.sparse.sum(a, 1); torch.sparse.softmax(a, 1); torch.sparse.log_softmax(a, 0); a / 2; -a; 2 * a
a * 2; a - a; a + a; a.pow(2); torch.is_tensor(a); a.numel(); len(a); torch.spmm(a, ones(3, 2))
torch.addmm(ones(2, 2), a, ones(3, 2), beta=2, alpha=3); a.transpose(0, 1); a.dim()
ones(2, 3).sparse_mask(a.coalesce()); torch.eye(3).to_sparse(); a.double()
a.to(torch.float64).dtype
a.shape; a.size(); a.size(0); a.dtype; a.requires_grad; b.requires_grad; isinstance(a, torch.Tensor)
torch.matmul(a, ones(3, 2)); torch.add(a, a); torch.mul(a, 2.0); torch.mul(a, 2); torch.sub(a, a)
torch.t(a); torch.transpose(a, 0, 1); torch.add(ones(2, 3), a); torch.add(a, a, alpha=2); a.abs()
a.sqrt(); torch.relu(a); torch.neg(a); torch.mv(a, ones(3)); a.to_sparse_csr().crow_indices()
a.to_sparse_csr().col_indices(); a.to_sparse_csr().values(); a.to_sparse_csr() @ ones(3, 2)
torch.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [1.0, 2.0, 3.0], (2, 3)); a.to_sparse_csr().to_dense()
torch.sparse.spdiags(ones(2, 3), torch.tensor([0, 1]), (3, 3)); torch.zeros(3, 3).to_sparse()
a.clone(); a.detach(); torch.sparse_coo_tensor([[0], [1]], [2]).dtype; a.is_leaf; a.cpu()
b.detach().to_dense(); a.mm(ones(3, 1)); ones(2, 2) - a.to_dense()[:, :2]; ones(2, 3) - a
torch.sparse.sampled_addmm(a.to_sparse_csr(), ones(2, 4), ones(4, 3), beta=0.5)
b * 1; b.coalesce() * 2.0; torch.eye(30).to_sparse(); torch.eye(30).to_sparse_csr()
torch.eye(40).to_sparse() * 0.123; torch.sparse_coo_tensor([[0, 2, 1]], ones(3, 20) / 3)
torch.eye(600).to_sparse(); torch.sparse_coo_tensor([[0, 2, 1]], ones(3, 20, dtype=torch.float64))
torch.sparse_coo_tensor([[0, 2]], ones(2, 3, 2), requires_grad=True)
"""
# Calls that raise an error of the same class.
ERRORS = """
u.indices(); u.values(); ones(2).indices(); ones(2).coalesce(); torch.exp(a); a.numpy(); a + 1
a + ones(2, 3); a.view(3, 2); a @ ones(2, 3); a + a.T
torch.sparse_coo_tensor([[0, 1]], [1.0, 2.0, 3.0], (3,))
torch.sparse_coo_tensor([0, 1], [1.0, 2.0], (3,)); torch.sparse_coo_tensor([[0, 1]], [1.0], (3, 3))
a > 0; a.mean(); a.max(); torch.softmax(a, 1); a.squeeze(); torch.sort(a); a.cumsum(0)
"""


def parts(text: str) -> list[str]:
    return [p.strip() for line in text.strip().splitlines() for p in line.split(";")]


@needs_torch
@pytest.mark.parametrize("expression", parts(EXPRESSIONS))
def test_prints_as_pytorch(expression: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = eval(expression, example(torch))
    assert repr(eval(expression, example(mg))) == repr(expected)


@needs_torch
@pytest.mark.parametrize("expression", parts(ERRORS))
def test_errors_are_pytorchs(expression: str) -> None:
    with pytest.raises(Exception) as expected:  # noqa: B017, PT011 -- whatever PyTorch raises
        eval(expression, example(torch))
    with pytest.raises(expected.type):
        eval(expression, example(mg))


SKIPPED = {"as_subclass", "backward", "module_load", "new"}  # of other contents, or do not compute


def test_other_operations_refuse() -> None:
    """Every method gives a result that knows of the zeros, or raises."""
    names = [n for n in dir(mg.Tensor) if not n.startswith("_") and n not in SKIPPED]
    silent = []
    for name in names:
        a = example(mg)["a"]
        dense = a.to_dense()
        if not callable(getattr(type(a), name)):
            continue
        for args in ((), (2,), (mg.ones(2, 3),), (0, 1)):
            try:
                result = getattr(a, name)(*args)
                expected = getattr(dense, name)(*args)
            except Exception:
                continue
            if isinstance(result, mg.Tensor) and isinstance(expected, mg.Tensor):
                whole, expected = result.to_dense(), expected.to_dense()
                same = whole.shape == expected.shape and mg.allclose(
                    whole.double(), expected.double()
                )
                about_places = name in ("_indices", "_values", "indices", "values")
                if not same and not about_places and not name.startswith("new_"):
                    silent.append(f"{name}{args}")
    assert not silent


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 7), st.integers(1, 7), st.integers(0, 70), st.integers(0, 20),
    st.sampled_from(["float32", "float64", "int64", "float16"]), st.integers(0, 99),
)  # fmt: skip
def test_products(n: int, m: int, k: int, count: int, dtype: str, seed: int) -> None:
    """Repeated places in any order, also transposed, beside the dense product."""
    rng = np.random.default_rng(seed)
    kind = getattr(mg, dtype)
    places = mg.tensor(np.stack([rng.integers(0, n, count), rng.integers(0, m, count)]))
    values = mg.tensor(rng.integers(-4, 5, count)).to(kind)
    x = mg.tensor(rng.integers(-4, 5, (m, k))).to(kind)
    a = mg.sparse_coo_tensor(places, values, (n, m))
    dense = a.to_dense()
    assert (a @ x).tolist() == (dense @ x).tolist()
    assert (x.T @ a.t()).tolist() == (x.T @ dense.T).tolist()
    assert a.coalesce().to_dense().tolist() == dense.tolist()
    assert (a @ a.t()).to_dense().tolist() == (dense @ dense.T).tolist()
    assert (a.to_sparse_csr() @ x).dtype is kind
    assert dense.to_sparse().to_dense().tolist() == dense.tolist()


def values(*shape: int, seed: int = 0) -> Any:
    return mg.tensor(np.random.default_rng(seed).standard_normal(shape)).requires_grad_()


def matrix(v: Any) -> Any:
    return mg.sparse_coo_tensor(mg.tensor([[0, 1, 1, 0], [2, 0, 2, 2]]), v, (2, 3))


GRADIENTS = {
    "mm": (lambda v, x: mg.sparse.mm(matrix(v), x), (values(4), values(3, 2))),
    "mm_mean": (
        lambda v, x: mg.sparse.mm(matrix(v).coalesce().to_sparse_csr(), x, "mean"),
        (values(4), values(3, 2)),
    ),
    "dense first": (lambda v, x: x @ matrix(v), (values(4), values(5, 2))),
    "transposed": (lambda v, x: matrix(v).t() @ x, (values(4), values(2, 2))),
    "sparse": (lambda v: (matrix(v) @ matrix(v).t()).to_dense(), (values(4),)),
    "vector": (lambda v, x: matrix(v) @ x, (values(4), values(3))),
    "coalesce": (lambda v: matrix(v).coalesce().values(), (values(4),)),
    "add": (lambda v: (matrix(v) + matrix(v) * 2).to_dense(), (values(4),)),
    "mul": (lambda v, x: (matrix(v) * x).to_dense(), (values(4), values(2, 3))),
    "sum": (lambda v: mg.sparse.sum(matrix(v), 0).to_dense(), (values(4),)),
    "softmax": (lambda v: mg.sparse.softmax(matrix(v), 1).to_dense(), (values(4),)),
    "to_sparse": (lambda x: x.to_sparse() @ x.T, (values(3, 3),)),
    "csr": (lambda v, x: matrix(v).to_sparse_csr() @ x, (values(4), values(3, 2))),
    "addmm": (lambda i, v, x: mg.addmm(i, matrix(v), x), (values(2), values(4), values(3, 2))),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    f, inputs = GRADIENTS[name]
    gradcheck(f, inputs)
    gradgradcheck(f, inputs)


def test_gradient_of_a_sparse_leaf() -> None:
    a = mg.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], (2, 2), requires_grad=True)
    (mg.sparse.mm(a, mg.ones(2, 1)) ** 2).sum().backward()
    assert a.grad.is_sparse and a.grad.to_dense().tolist() == [[0, 2], [4, 0]]


def test_graph_convolution_learns() -> None:
    """Two layers of a graph network tell two cliques apart, with the adjacency as a buffer."""
    mg.manual_seed(0)
    clique = 1 - np.eye(5)
    adjacency = np.kron(np.eye(2), clique) + np.eye(10)
    normal = adjacency / adjacency.sum(1, keepdims=True)

    class Net(mg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("a", mg.tensor(normal, dtype=mg.float32).to_sparse(), False)
            self.first, self.second = mg.nn.Linear(10, 8), mg.nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            hidden = mg.relu(mg.spmm(self.a, self.first(x)))
            return mg.sparse.mm(self.a, self.second(hidden))

    net, x = Net(), mg.eye(10)
    target = mg.tensor([0] * 5 + [1] * 5)
    optimizer = mg.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(40):
        loss = mg.nn.functional.cross_entropy(net(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_old_constructors() -> None:
    old = mg.sparse.FloatTensor(mg.tensor(INDICES), mg.tensor([3.0, 4.0, 5.0]), mg.Size([2, 4]))
    assert old.to_dense().tolist() == [[0, 0, 3, 0], [4, 0, 5, 0]] and old.dtype == mg.float32
    assert mg.sparse.FloatTensor(mg.tensor(INDICES), mg.tensor([3.0, 4.0, 5.0])).shape == (2, 3)
    assert mg.sparse.LongTensor(2, 3).to_dense().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert mg.sparse.FloatTensor(mg.Size([2, 2])).shape == (2, 2)
    assert mg.sparse.DoubleTensor().shape == (0,)
    assert isinstance(old, mg.sparse.FloatTensor) and not isinstance(old, mg.sparse.LongTensor)
    assert not isinstance(mg.ones(2), mg.sparse.FloatTensor)
