"""`minigrad.linalg`: gradients of first and second order, definitions, errors, older names.

The values, dtypes, `out=` and first gradients stand beside PyTorch's in test_operator_samples.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import linalg
from minigrad.autograd import gradcheck, gradgradcheck

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


def random(*shape: int, seed: int = 0) -> Any:
    rng = np.random.default_rng([seed, *shape])
    return mg.tensor(rng.standard_normal(shape)).requires_grad_()


def positive(*shape: int) -> Any:
    a = random(*shape).detach().numpy()
    return mg.tensor(a @ a.swapaxes(-1, -2) + 2 * np.eye(shape[-1])).requires_grad_()


def symmetric(x: Any) -> Any:
    return (x + x.mT) / 2


def sizes(results: Any) -> list:
    """Vectors without their signs."""
    return [x.abs() for x in results]


def with_eigenvalues(a: Any, values: Any) -> Any:
    return a @ mg.diag(values) @ linalg.inv(a)


LEVELS = mg.tensor([1.0, 2.0, 4.0], dtype=mg.float64, requires_grad=True)
EYE = mg.eye(3, dtype=mg.float64)
A33, B33, C43, D34 = random(3, 3), random(2, 3, 3), random(4, 3), random(2, 3, 4)
GRADIENTS: dict[str, tuple[Callable, tuple]] = {
    "inv": (linalg.inv, (B33,)),
    "solve": (linalg.solve, (B33, random(3, 2))),
    "solve vector": (linalg.solve, (A33, random(3))),
    "solve right": (lambda a, b: linalg.solve(a, b, left=False), (A33, random(2, 3))),
    "cholesky": (lambda a: linalg.cholesky(symmetric(a)), (positive(2, 3, 3),)),
    "cholesky upper": (lambda a: linalg.cholesky(symmetric(a), upper=True), (positive(3, 3),)),
    "cholesky_solve": (lambda b, a: mg.cholesky_solve(b, a.tril()), (random(3, 2), positive(3, 3))),
    "cholesky_inverse": (lambda a: mg.cholesky_inverse(a.tril()), (positive(3, 3),)),
    "solve_triangular": (
        lambda a, b: linalg.solve_triangular(a + 3 * EYE, b, upper=True),
        (B33, random(3, 2)),
    ),
    "solve_triangular unit right": (
        lambda a, b: linalg.solve_triangular(a, b, upper=False, unitriangular=True, left=False),
        (A33, random(2, 3)),
    ),
    "det": (linalg.det, (B33,)),
    "det singular": (lambda a: linalg.det(a @ mg.diag(EYE[0] + EYE[1])), (A33,)),
    "slogdet": (lambda a: linalg.slogdet(a)[1], (B33,)),
    "logdet": (lambda a: mg.logdet(symmetric(a)), (positive(3, 3),)),
    "svd": (lambda a: sizes(linalg.svd(a, full_matrices=False)), (C43,)),
    "svd wide": (lambda a: sizes(linalg.svd(a, full_matrices=False)), (D34,)),
    "svdvals": (linalg.svdvals, (D34,)),
    "eigh": (lambda a: sizes(linalg.eigh(symmetric(a))), (B33,)),
    "eigvalsh": (lambda a: linalg.eigvalsh(symmetric(a)), (A33,)),
    "eig": (lambda a, w: sizes(linalg.eig(with_eigenvalues(a, w))), (A33, LEVELS)),
    "eigvals": (lambda a, w: linalg.eigvals(with_eigenvalues(a, w)).real, (A33, LEVELS)),
    "qr": (linalg.qr, (C43,)),
    "qr wide": (linalg.qr, (D34,)),
    "qr complete": (lambda a: linalg.qr(a, "complete"), (D34,)),
    "householder_product": (linalg.householder_product, (C43, random(2))),
    "ormqr": (mg.ormqr, (C43, random(2), random(4, 2))),
    "lu": (lambda a: linalg.lu(a)[1:], (B33,)),
    "lu wide": (lambda a: linalg.lu(a)[1:], (D34,)),
    "lu tall": (lambda a: linalg.lu(a)[1:], (C43,)),
    "lu_factor": (lambda a: linalg.lu_factor(a)[0], (C43,)),
    "lu_solve": (lambda a, b: linalg.lu_solve(*linalg.lu_factor(a), b), (A33, random(3, 2))),
    "lu_solve adjoint right": (
        lambda a, b: linalg.lu_solve(*linalg.lu_factor(a), b, adjoint=True, left=False),
        (A33, random(2, 3)),
    ),
    "pinv": (linalg.pinv, (C43,)),
    "pinv wide": (linalg.pinv, (D34,)),
    "pinv hermitian": (lambda a: linalg.pinv(symmetric(a), hermitian=True), (A33,)),
    "lstsq": (lambda a, b: linalg.lstsq(a, b, driver="gelsd")[:2], (C43, random(4, 2))),
    "matrix_exp": (linalg.matrix_exp, (B33,)),
    "multi_dot": (lambda *a: linalg.multi_dot(a), (random(3), random(3, 4), random(4, 2))),
    "matrix_norm 2": (lambda a: linalg.matrix_norm(a, 2), (B33,)),
    "matrix_norm nuc": (lambda a: linalg.matrix_norm(a, "nuc"), (C43,)),
    "matrix_norm 1": (lambda a: linalg.matrix_norm(a, 1), (C43,)),
    "cond": (linalg.cond, (A33,)),
    "cond fro": (lambda a: linalg.cond(a, "fro"), (A33,)),
    "tensorinv": (lambda a: linalg.tensorinv(a, 1), (random(4, 2, 2),)),
    "tensorsolve": (linalg.tensorsolve, (random(2, 2, 4), random(2, 2))),
    "vander": (linalg.vander, (random(3),)),
    "vecdot": (linalg.vecdot, (random(2, 3), random(3))),
    "matrix_power": (lambda a: linalg.matrix_power(a, -2), (A33,)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    f, inputs = GRADIENTS[name]
    gradcheck(f, inputs)
    gradgradcheck(f, inputs)


@pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")
@pytest.mark.parametrize("name", GRADIENTS)
def test_batches_of_none(name: str) -> None:
    """Batches without matrices give results and gradients of PyTorch's shapes."""
    f, inputs = GRADIENTS[name]
    if name in ("multi_dot", "vander", "vecdot", "tensorinv", "tensorsolve", "eig", "eigvals"):
        pytest.skip("no batches of matrices")
    sizes_of = [tuple(x.shape[-2:] if x.ndim > 1 else x.shape) for x in inputs]
    ours = [mg.zeros(0, *s, dtype=mg.float64, requires_grad=True) for s in sizes_of]
    results = f(*ours)
    results = results if isinstance(results, (tuple, list)) else [results]
    assert all(r.shape[0] == 0 or r.numel() == 0 for r in results)
    if any(r.requires_grad for r in results):
        sum(r.sum() for r in results if r.requires_grad).backward()
    assert all(x.grad is None or x.grad.shape == x.shape for x in ours)


shapes = st.tuples(st.integers(0, 3), st.integers(1, 7), st.integers(1, 7))


@settings(deadline=None, max_examples=60)
@given(shapes, st.booleans(), st.integers(0, 99))
def test_factorizations_multiply_back(shape: tuple, single: bool, seed: int) -> None:
    b, m, n = shape
    a = random(b, m, n, seed=seed).detach().to(mg.float32 if single else mg.float64)
    tolerance = 2e-5 if single else 1e-12

    def same(x: Any, y: Any) -> None:
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=tolerance, atol=tolerance)

    p, lower, upper = linalg.lu(a)
    same(p @ lower @ upper, a)
    for pivot in (True, False):
        lu, pivots = linalg.lu_factor(a, pivot=pivot) if b and pivot else linalg.lu_factor_ex(a)[:2]
        assert pivots.dtype == mg.int32 and pivots.shape == (b, min(m, n))
    for mode in ("reduced", "complete"):
        q, r = linalg.qr(a, mode)
        same(q @ r, a)
        same(r, r.triu())
    packed, tau = mg.geqrf(a)
    same(mg.ormqr(packed, tau, linalg.qr(a, "complete")[1]), a)
    u, s, vh = linalg.svd(a, full_matrices=False)
    same(u * s.unsqueeze(-2) @ vh, a)
    same(linalg.svdvals(a), s)
    square = a @ a.mT + mg.eye(m, dtype=a.dtype)
    factor = linalg.cholesky(square)
    same(factor @ factor.mT / m, square / m)
    w, v = linalg.eigh(square)
    scale = w.amax(-1)[..., None, None]
    same(v * w.unsqueeze(-2) @ v.mT / scale, square / scale)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 150), st.integers(1, 4), st.booleans(), st.booleans())
def test_triangular_systems(n: int, k: int, upper: bool, unit: bool) -> None:
    """Beyond the size of a leaf too."""
    a = random(n, n).detach() / n
    a = a + 2 * mg.eye(n, dtype=mg.float64)
    b = random(n, k).detach()
    x = linalg.solve_triangular(a, b, upper=upper, unitriangular=unit)
    triangle = a.triu(int(unit)) if upper else a.tril(-int(unit))
    if unit:
        triangle = triangle + mg.eye(n, dtype=mg.float64)
    np.testing.assert_allclose((triangle @ x).numpy(), b.numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n", [31, 32, 33, 100])
def test_lu_beyond_one_panel(n: int) -> None:
    a = random(2, n, n + 3).detach()
    p, lower, upper = linalg.lu(a)
    np.testing.assert_allclose((p @ lower @ upper).numpy(), a.numpy(), atol=1e-12)
    if torch is not None:
        lu, pivots = torch.linalg.lu_factor(torch.from_numpy(a.numpy()))
        ours = linalg.lu_factor(a)
        np.testing.assert_array_equal(ours.pivots.numpy(), pivots.numpy())
        np.testing.assert_allclose(ours.LU.numpy(), lu.numpy(), rtol=1e-9, atol=1e-11)


def test_zero_on_the_diagonal_gives_infinity() -> None:
    a = mg.tensor([[1.0, 2.0], [0.0, 0.0]])
    x = linalg.solve_triangular(a, mg.ones(2, 1), upper=True)
    assert x[1].item() == float("inf") and x[0].item() == float("-inf")


SINGULAR = [[1.0, 2.0], [2.0, 4.0]]


@pytest.mark.parametrize(
    ("f", "pattern"),
    [
        (lambda: linalg.inv(mg.zeros(3, 3)), "diagonal element 1 is zero"),
        (lambda: linalg.inv(mg.zeros(2, 3, 3)), r"Batch element 0\): The diagonal"),
        (lambda: linalg.inv(mg.tensor(SINGULAR)), "diagonal element 2 is zero"),
        (lambda: linalg.solve(mg.tensor(SINGULAR), mg.ones(2)), "input matrix is singular"),
        (lambda: linalg.cholesky(mg.diag(mg.tensor([1.0, -1.0]))), "minor of order 2 is not"),
        (lambda: linalg.svd(mg.full((2, 2), float("nan"))), "non-finite values"),
        (lambda: linalg.matrix_power(mg.zeros(2, 2), -1), "singular"),
        (lambda: linalg.lu_factor(mg.tensor(SINGULAR)), r"U\[2,2\] is zero"),
        (lambda: linalg.tensorinv(mg.zeros(2, 2), 1), "singular"),
    ],
)
def test_what_does_not_exist(f: Callable, pattern: str) -> None:
    with pytest.raises(linalg.LinAlgError, match=pattern):
        f()
    assert issubclass(linalg.LinAlgError, RuntimeError)


def test_infos_instead_of_errors() -> None:
    a = mg.stack([mg.tensor(SINGULAR), mg.eye(2)])
    inverse, info = linalg.inv_ex(a)
    assert info.tolist() == [2, 0] and info.dtype == mg.int32
    assert inverse[1].tolist() == [[1, 0], [0, 1]]
    assert linalg.solve_ex(a, mg.ones(2, 1)).info.tolist() == [2, 0]
    factor, info = linalg.cholesky_ex(mg.stack([mg.eye(3), -mg.eye(3)]))
    assert info.tolist() == [0, 1] and factor[0].tolist() == mg.eye(3).tolist()
    with pytest.raises(linalg.LinAlgError):
        linalg.inv_ex(a, check_errors=True)
    assert linalg.lu_factor_ex(a).info.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("f", "error", "pattern"),
    [
        (lambda: linalg.inv(mg.ones(2, 3)), RuntimeError, "2 by 3 matrices"),
        (lambda: linalg.inv(mg.ones(2)), RuntimeError, "at least 2 dimensions"),
        (lambda: linalg.inv(mg.ones(2, 2, dtype=mg.int64)), RuntimeError, "Got Long"),
        (lambda: linalg.inv(mg.ones(2, 2, dtype=mg.float16)), RuntimeError, "Low precision"),
        (lambda: linalg.inv([[1.0]]), TypeError, "must be Tensor, not list"),
        (lambda: linalg.solve(mg.eye(2), mg.eye(3)), RuntimeError, "Incompatible shapes"),
        (lambda: linalg.solve(mg.eye(2), mg.eye(2).double()), RuntimeError, "same dtype"),
        (lambda: linalg.eigh(mg.eye(2), "X"), RuntimeError, "'L' or 'U', but got X"),
        (lambda: linalg.qr(mg.eye(2), "x"), RuntimeError, "unrecognized mode 'x'"),
        (lambda: linalg.svd(mg.eye(2), driver="gesvd"), RuntimeError, "only supported on CUDA"),
        (lambda: linalg.lstsq(mg.eye(2), mg.eye(2), driver="x"), RuntimeError, "should be one of"),
        (lambda: linalg.matrix_norm(mg.eye(2), 3), RuntimeError, "Order 3 not supported"),
        (lambda: linalg.matrix_norm(mg.eye(2), dim=(0, 0)), RuntimeError, "must be different"),
        (lambda: linalg.vector_norm(mg.eye(2), "fro"), TypeError, "must be Number, not str"),
        (lambda: linalg.norm(mg.ones(2, 2, 2), 2), RuntimeError, "must be 1D or 2D"),
        (lambda: linalg.multi_dot([mg.eye(2)]), RuntimeError, "at least 2 tensors"),
        (lambda: linalg.vander(mg.ones(3, dtype=mg.bool)), RuntimeError, "but got Bool"),
        (lambda: mg.symeig(mg.eye(2)), RuntimeError, "is now removed"),
        (lambda: mg.eye(2).lstsq(mg.eye(2)), RuntimeError, "is now removed"),
        (lambda: mg.lobpcg(mg.eye(2), 1), ValueError, "smaller than 3 x"),
    ],
)
def test_bad_calls(f: Callable, error: type, pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        f()


def test_not_differentiable() -> None:
    a = random(4, 3)
    with pytest.raises(RuntimeError, match="mode='r'"):
        linalg.qr(a, "r").R.sum().backward()
    with pytest.raises(RuntimeError, match="nrows > ncols"):
        linalg.qr(a, "complete").R.sum().backward()
    with pytest.raises(NotImplementedError, match="geqrf"):
        mg.geqrf(a)[0].sum().backward()


@pytest.mark.parametrize(
    "a", [with_eigenvalues(A33, LEVELS).detach(), A33.detach(), B33.detach()[0]]
)
def test_eigenvalues_of_general_matrices(a: Any) -> None:
    w, v = linalg.eig(a)
    assert (
        w.dtype == v.dtype == mg.complex128 and linalg.eig(a.float()).eigenvalues.dtype == mg.cfloat
    )
    np.testing.assert_allclose((a @ v).numpy(), (v * w).numpy(), atol=1e-12)
    np.testing.assert_allclose(np.sort(w.numpy()), np.sort(np.linalg.eigvals(a.numpy())))
    np.testing.assert_allclose(v.abs().pow(2).sum(0).numpy(), 1)
    np.testing.assert_array_equal(linalg.eigvals(a).numpy(), w.numpy())


def test_gradients_of_complex_eigenvalues() -> None:
    """By finite differences, with respect to a real matrix."""
    a = mg.tensor([[0.5, 1.0, 0.2], [-1.0, 0.1, 0.3], [0.4, 0.2, -0.7]], dtype=mg.float64)

    def f(x: Any) -> Any:
        w, v = linalg.eig(x)
        assert w.imag.abs().max() > 0
        return w.real.pow(3).sum() + (w.abs() * mg.arange(1, 4)).sum() + v.abs().pow(3).sum()

    assert mg.autograd.gradcheck(f, (a.requires_grad_(),))


def test_reprs_and_names() -> None:
    result = linalg.eigh(mg.eye(1))
    assert repr(result).startswith("torch.return_types.linalg_eigh(\neigenvalues=tensor([1.])")
    assert result.eigenvectors is result[1]
    a = mg.tensor([[2.0, 1.0], [1.0, 3.0]])
    for name in ("det", "inverse", "logdet", "slogdet", "cholesky", "qr", "svd", "matrix_exp"):
        ours, method = getattr(mg, name)(a), getattr(a, name)()
        ours, method = (r if isinstance(r, tuple) else (r,) for r in (ours, method))
        assert [x.tolist() for x in ours] == [y.tolist() for y in method]
    u, s, v = mg.svd(a)
    mg.testing.assert_close(u @ s.diag() @ v.T, a)
    b = mg.ones(2, 1)
    mg.testing.assert_close(mg.lu_solve(b, *mg.lu(a)), linalg.solve(a, b))
    solution = mg.triangular_solve(mg.ones(2, 1), a, upper=False).solution
    mg.testing.assert_close(solution[0], mg.ones(1) / 2)


def test_lobpcg() -> None:
    rng = np.random.default_rng(1)
    a = mg.tensor(rng.standard_normal((40, 40)))
    a = a @ a.mT
    b = mg.diag(mg.linspace(1, 3, 40, dtype=mg.float64))
    for largest in (True, False):
        w, v = mg.lobpcg(a, 3, B=b, largest=largest, tol=1e-9, niter=-1)
        half = b.sqrt().diag().reciprocal().diag()
        every = linalg.eigvalsh(half @ a @ half)
        expected = every.flip(0)[:3] if largest else every[:3]
        np.testing.assert_allclose(w.numpy(), expected.numpy(), rtol=1e-6)
        np.testing.assert_allclose((a @ v).numpy(), (b @ v * w).numpy(), atol=1e-5)


def test_ldl() -> None:
    pytest.importorskip("scipy")
    a = symmetric(random(2, 5, 5)).detach()
    packed, pivots = linalg.ldl_factor(a)
    b = random(5, 2).detach()
    mg.testing.assert_close(linalg.ldl_solve(packed, pivots, b), linalg.solve(a, b))
    with pytest.raises(NotImplementedError, match="derivative"):
        linalg.ldl_factor(symmetric(A33))


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_the_exponential_of_zero_is_one(dtype: mg.dtype) -> None:
    zero = mg.zeros(2, 3, 3, dtype=dtype)
    assert mg.equal(mg.linalg.matrix_exp(zero), mg.eye(3, dtype=dtype).expand(2, 3, 3))
