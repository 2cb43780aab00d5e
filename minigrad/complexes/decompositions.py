"""Decompositions of complex matrices: NumPy's values, and gradients for every order.

In the formulas gX is the gradient with respect to X, of which dL = Re(tr(gX^H dX)); they are those
of Hubig, "Use and implementation of autodifferentiation in tensor network methods with complex
scalars" (2019), Seeger et al., "Auto-differentiating linear algebra" (2017), and Boeddeker et al.,
"On the computation of complex-valued gradients with application to statistically optimum
beamforming" (2017). Vectors that are unique up to phases alone have gradients only for results that
do not depend on the phases; for others the formulas raise a RuntimeError, as PyTorch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import linalg, ops
from ..autograd.record import apply
from ..autograd.variable import Node
from ..ops import _lapack
from .inverses import lifted, lowered, numbers, pairs, real
from .tensor import ComplexTensor, as_complex, make, values_of

__all__ = ["cholesky", "determinant", "eig", "eigh", "qr", "slogdet", "svd"]


def _eye(n: int, z: Any) -> Any:
    return (
        z.parts.new_tensor(np.eye(n)) if isinstance(z, ComplexTensor) else z.new_tensor(np.eye(n))
    )


def _beside_diagonal(z: Any) -> Any:
    return ops.mul(z, ops.rsub(_eye(z.shape[-1], z), 1))


def _differences(values: Any) -> Any:
    """values_j - values_i at (i, j), and 1 on the diagonal."""
    gaps = ops.sub(values.unsqueeze(-2), values.unsqueeze(-1))
    return ops.add(gaps, _eye(values.shape[-1], values))


def _diagonal(values: Any) -> Any:
    return ops.diag_embed(values)


def _check_phases(name: str, inner: Any) -> None:
    imag = values_of(inner.detach()).imag.diagonal(0, -2, -1)
    if not np.allclose(imag, 0, atol=1e-2):
        raise RuntimeError(
            f"{name}: The vectors in the complex case are specified up to multiplication by "
            "e^{i phi}. The specified loss function depends on this quantity, so it is ill-defined."
        )


class Slogdet(Node):
    """(sign, log |det|) of complex matrices; the sign as a pair."""

    saves = (0,)
    saves_output = (0,)
    torch_name = "LinalgSlogdetBackward0"

    def forward(self, x: Any) -> tuple:
        sign, size = np.linalg.slogdet(numbers(x))
        return pairs(sign, x), np.asarray(size, x.dtype)

    def backward(self, grads: Any) -> Any:
        """conj(g_size - i Re(conj(g_sign) i sign)) A^-H."""
        x, sign = self.saved
        total: Any = 0
        if grads[1] is not None:
            total = as_complex(real(grads[1]))
        if grads[0] is not None:
            turn = ops.mul(ops.mul(lifted(grads[0]).conj(), lifted(sign)), 1j).real
            total = ops.add(ops.mul(turn, 1j), total)
        return lowered(_scaled(total, linalg.inv(lifted(x)).mH), x)


class Determinant(Node):
    """The determinant of complex matrices."""

    saves = (0,)
    saves_output = (0,)
    torch_name = "LinalgDetBackward0"

    def forward(self, x: Any) -> Any:
        return pairs(np.linalg.det(numbers(x)), x)

    def backward(self, grad: Any) -> Any:
        """g conj(det) A^-H; the cofactors from the singular values if A is singular."""
        x, value = lifted(self.saved[0]), lifted(self.saved[1])
        if values_of(value.detach()).all():
            total = _scaled(ops.mul(lifted(grad), value.conj()), linalg.inv(x).mH)
        else:
            total = _scaled(lifted(grad), _cofactors(x))
        return lowered(total, grad)


def _scaled(factors: Any, z: Any) -> Any:
    return ops.mul(factors.unsqueeze(-1).unsqueeze(-1), z)


def _cofactors(x: Any) -> Any:
    """conj(det(U) det(V^H)) U diag(the products of the other singular values) V^H."""
    u, s, vh = svd(x, True)
    n = s.shape[-1]
    others = ops.where(_eye(n, s) != 0, 1.0, s.unsqueeze(-2)).prod(-1)
    phase = ops.mul(determinant(u), determinant(vh)).conj()
    return ops.matmul(ops.mul(_scaled(phase, u), others.unsqueeze(-2)), vh)


class Eigh(Node):
    """Eigenvalues, rising, and eigenvectors of Hermitian matrices of which one triangle is read."""

    saves_output = (0, 1)
    torch_name = "LinalgEighBackward0"

    def forward(self, x: Any, uplo: str) -> tuple:
        w, v = _lapack.eigh(numbers(x), uplo)
        return np.asarray(w, x.dtype), pairs(v, x)

    def backward(self, grads: Any) -> Any:
        """V (diag(gw) + (V^H gV - gV^H V) / 2 E) V^H, E_ij = w_j - w_i beside the diagonal."""
        w, v = real(self.saved[0]), lifted(self.saved[1])
        core: Any = 0
        if grads[1] is not None:
            inner = ops.matmul(v.mH, lifted(grads[1]))
            _check_phases("linalg_eigh_backward", inner)
            skew = ops.mul(_beside_diagonal(ops.sub(inner, inner.mH)), 0.5)
            core = ops.div(skew, _differences(w))
        if grads[0] is not None:
            core = ops.add(as_complex(_diagonal(real(grads[0]))), core)
        total = ops.matmul(v, ops.matmul(core, v.mH))
        return lowered(total, self.saved[1])


class Eig(Node):
    """Eigenvalues and eigenvectors of length 1."""

    saves_output = (0, 1)
    torch_name = "LinalgEigBackward0"

    def forward(self, x: Any) -> tuple:
        z = numbers(x)
        if not np.isfinite(z).all():
            raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
        w, v = np.linalg.eig(z if z.imag.any() else z.real)
        return pairs(w, x), pairs(v, x)

    def backward(self, grads: Any) -> Any:
        """V^-H (diag(gw) + (V^H gV - V^H V diag(Re(V^H gV))) / conj(E)) V^H, E_ij = w_j - w_i."""
        w, v = map(lifted, self.saved)
        core: Any = 0
        if grads[1] is not None:
            inner = ops.matmul(v.mH, lifted(grads[1]))
            _check_phases("linalg_eig_backward", inner)
            lengths = ops.diagonal(inner, 0, -2, -1).real
            moved = ops.sub(inner, ops.mul(ops.matmul(v.mH, v), lengths.unsqueeze(-2)))
            core = ops.div(_beside_diagonal(moved), _differences(w).conj())
        if grads[0] is not None:
            core = ops.add(_diagonal(lifted(grads[0])), core)
        total = linalg.solve(v.mH, ops.matmul(core, v.mH))
        return lowered(total, self.saved[0])


class Svd(Node):
    """U, S, V^H of matrices (..., m, n), as `ops._singular.Svd`."""

    saves_output = (0, 1, 2)
    torch_name = "LinalgSvdBackward0"

    def forward(self, x: Any, full: bool) -> tuple:
        u, s, vh = _lapack.svd(numbers(x), full)
        return pairs(u, x), np.asarray(s, x.dtype), pairs(vh, x)

    def backward(self, grads: Any) -> Any:
        """The real formula with H for T, and i Im(diag(U^H gU)) / S, of the free phases."""
        s = real(self.saved[1])
        k = s.shape[-1]
        u, vh = lifted(self.saved[0])[..., :k], lifted(self.saved[2])[..., :k, :]
        row, column = s.unsqueeze(-2), s.unsqueeze(-1)
        squares = _differences(ops.mul(s, s))
        total: Any = 0
        phases: Any = 0
        if grads[0] is not None:
            du = lifted(grads[0])[..., :k]
            inner = ops.matmul(u.mH, du)
            phases = ops.add(inner, phases)
            skew = ops.sub(inner, inner.mH)
            turn = ops.mul(ops.div(_beside_diagonal(skew), squares), row)
            own = ops.mul(ops.div(ops.diagonal(skew, 0, -2, -1), s), 0.5)
            total = ops.matmul(ops.matmul(u, ops.add(turn, _diagonal(own))), vh)
            if u.shape[-2] > k:
                rest = ops.sub(du, ops.matmul(u, inner))
                total = ops.add(total, ops.matmul(ops.div(rest, row), vh))
        if grads[2] is not None:
            dvh = lifted(grads[2])[..., :k, :]
            inner = ops.matmul(vh, dvh.mH)
            phases = ops.add(inner, phases)
            skew = _beside_diagonal(ops.sub(inner, inner.mH))
            turn = ops.mul(column, ops.div(skew, squares))
            total = ops.add(ops.matmul(ops.matmul(u, turn), vh), total)
            if vh.shape[-1] > k:
                rest = ops.sub(dvh, ops.matmul(inner.mH, vh))
                total = ops.add(total, ops.matmul(u, ops.div(rest, column)))
        if isinstance(phases, ComplexTensor):
            _check_phases("svd_backward", phases)
        if grads[1] is not None:
            sizes = ops.matmul(ops.mul(u, real(grads[1]).unsqueeze(-2)), vh)
            total = ops.add(sizes, total)
        return lowered(total, self.saved[0])


class Cholesky(Node):
    """L with A = L L^H, and the infos; one triangle of A is read."""

    saves_output = (0,)
    torch_name = "LinalgCholeskyExBackward0"

    def forward(self, x: Any) -> tuple:
        z = numbers(x)
        factor = np.zeros_like(z)
        info = np.zeros(z.shape[:-2], np.int32)
        for i in np.ndindex(info.shape):
            for size in range(z.shape[-1], 0, -1):
                try:
                    factor[i][:size, :size] = np.linalg.cholesky(z[i][:size, :size])
                    break
                except np.linalg.LinAlgError:
                    info[i] = size
        return pairs(factor, x), info

    def backward(self, grads: Any) -> Any:
        """L^-H (X + X^H with the diagonal once) / 2 L^-1, of X = tril(L^H gL)."""
        factor = lifted(self.saved[0])
        lower = ops.tril(ops.matmul(factor.mH, lifted(grads[0])))
        core = ops.mul(ops.add(lower, ops.tril(lower, -1).mH), 0.5)
        left = linalg.solve(factor.mH, core)
        return lowered(linalg.solve(factor.mH, left.mH).mH, self.saved[0])


class QR(Node):
    """(Q, R) of matrices (..., m, n), reduced or complete; the diagonal of R is real."""

    saves_output = (0, 1)
    torch_name = "LinalgQrBackward0"

    def forward(self, x: Any, mode: str) -> tuple:
        q, r = np.linalg.qr(numbers(x), mode)  # type: ignore[call-overload]
        self.complete = mode == "complete" and x.shape[-3] > x.shape[-2]
        return pairs(q, x), pairs(r, x)

    def backward(self, grads: Any) -> Any:
        """[gQ + Q (triu(M, 1) + triu(M, 1)^H + Re(diag(M)))] R^-H, M = gR R^H - Q^H gQ.

        For m < n the columns beyond the square, A2 = Q R2, give Q gR2, and A2 gR2^H to gQ.
        """
        if self.complete:
            raise RuntimeError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
            )
        q, r = map(lifted, self.saved)
        m, n = r.shape[-2:]
        d_q, d_r = (None if g is None else lifted(g) for g in grads)
        tail = None
        if d_r is not None and m < n:
            rest = d_r[..., m:]
            tail = ops.matmul(q, rest)
            extra = ops.matmul(ops.matmul(q, r[..., m:]), rest.mH)
            d_q, d_r = extra if d_q is None else ops.add(d_q, extra), d_r[..., :m]
        square = r[..., :m]
        inner: Any = 0
        if d_r is not None:
            inner = ops.matmul(d_r, square.mH)
        if d_q is not None:
            inner = ops.sub(inner, ops.matmul(q.mH, d_q))
        strict = ops.triu(inner, 1)
        middle = as_complex(_diagonal(ops.diagonal(inner, 0, -2, -1).real))
        total = ops.matmul(q, ops.add(ops.add(strict, strict.mH), middle))
        if d_q is not None:
            total = ops.add(total, d_q)
        total = linalg.solve(square, total.mH).mH
        if m < n:
            if tail is None:
                tail = ops.mul(ops.matmul(q, r[..., m:]), 0)
            total = ops.cat([total, tail], -1)
        return lowered(total, self.saved[0])


# -- functions of complex tensors ------------------------------------------------------------------


def determinant(A: Any) -> Any:
    """The determinants (...) of (..., n, n)."""
    return make(apply(Determinant, (A.parts,)))


def slogdet(A: Any) -> tuple:
    """(sign, log |det|)."""
    sign, size = apply(Slogdet, (A.parts,))
    return make(sign), size


def eigh(A: Any, uplo: str) -> tuple:
    """(eigenvalues, which are real, and eigenvectors)."""
    values, vectors = apply(Eigh, (A.parts,), uplo)
    return values, make(vectors)


def eig(A: Any) -> tuple:
    """(eigenvalues, eigenvectors)."""
    return tuple(map(make, apply(Eig, (A.parts,))))


def svd(A: Any, full: bool) -> tuple:
    """(U, S, V^H)."""
    u, s, vh = apply(Svd, (A.parts,), full)
    return make(u), s, make(vh)


def cholesky(A: Any) -> tuple:
    """(L, the infos)."""
    factor, info = apply(Cholesky, (A.parts,))
    return make(factor), info


def qr(A: Any, mode: str) -> tuple:
    """(Q, R)."""
    return tuple(map(make, apply(QR, (A.parts,), mode)))
