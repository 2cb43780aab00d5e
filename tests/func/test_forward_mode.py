"""Forward mode beside PyTorch's own formulas: `func.jvp` and dual tensors, many functions each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

_RNG = np.random.default_rng(0)


def _A(*shape: int, lo: float = -1.0, hi: float = 1.0) -> np.ndarray:
    return _RNG.uniform(lo, hi, shape)


X, P, Y = _A(3, 4), _A(3, 4, lo=0.2, hi=0.9), _A(3, 4, lo=0.3, hi=2)
SQUARE = _A(4, 4) + 4 * np.eye(4)
IMAGES, ROWS = _A(2, 3, 6, 6), _A(2, 5, 8)
POINTWISE = {
    "X": "sin cos tan tanh sigmoid exp expm1 sinh cosh asinh atan erf erfc erfinv abs sign floor "
    "ceil round trunc frac square relu neg sinc exp2 i0",
    "P": "log log2 log10 log1p sqrt rsqrt reciprocal acos asin atanh logit digamma lgamma",
    "X, P": "add sub mul atan2 maximum minimum fmax fmin hypot logaddexp logaddexp2 copysign",
    "P, Y": "div pow xlogy remainder fmod",
}
ACTIVATIONS = (
    "gelu silu mish softplus elu selu celu leaky_relu hardtanh hardswish hardsigmoid logsigmoid "
    "softsign tanhshrink hardshrink softshrink relu6"
)
OTHERS: dict[str, tuple[Callable, tuple]] = {
    "matmul": (lambda m, x, y: x @ y, (X, _A(4, 5))),
    "bmm": (lambda m, x, y: m.bmm(x, y), (_A(2, 3, 4), _A(2, 4, 5))),
    "einsum": (lambda m, x, y: m.einsum("ij,kj->ik", x, y), (X, _A(5, 4))),
    "sums": (lambda m, x: (x.sum(1), x.mean(0), x.nansum(1), x.trace()), (SQUARE,)),
    "prod": (lambda m, x: x.prod(1), (P,)),
    "spread": (lambda m, x: (x.var(1), x.std(1)), (X,)),
    "extrema": (lambda m, x: (x.max(1).values, x.amax(1), x.min(), x.median(1).values), (X,)),
    "orders": (
        lambda m, x: (x.sort(1).values, x.topk(2, 1).values, x.kthvalue(2, 1).values,
                      x.quantile(0.3, dim=1)),
        (X,),
    ),
    "norms": (
        lambda m, x: tuple(m.linalg.vector_norm(x, p, dim=1) for p in (1, 2, 3.5, float("inf"))),
        (X,),
    ),
    "scans": (lambda m, x: (x.cumsum(1), x.cumprod(1), x.cummax(1).values), (P,)),
    "logcumsumexp": (lambda m, x: x.logcumsumexp(1), (X,)),
    "softmaxes": (lambda m, x: (x.softmax(1), x.log_softmax(1), x.logsumexp(1)), (X,)),
    "conv2d": (lambda m, x, w: F(m).conv2d(x, w, padding=1), (IMAGES, _A(4, 3, 3, 3))),
    "conv_transpose2d": (
        lambda m, x, w: F(m).conv_transpose2d(x, w, stride=2), (IMAGES, _A(3, 4, 3, 3)),
    ),
    "pools": (
        lambda m, x: (F(m).max_pool2d(x, 2), F(m).avg_pool2d(x, 2), F(m).adaptive_avg_pool2d(x, 3),
                      F(m).adaptive_max_pool2d(x, 3)),
        (IMAGES,),
    ),
    "norm layers": (
        lambda m, x: (F(m).batch_norm(x, None, None, training=True), F(m).group_norm(x, 3),
                      F(m).instance_norm(x), F(m).rms_norm(x, (6,))),
        (IMAGES,),
    ),
    "layer_norm": (lambda m, x, g, b: F(m).layer_norm(x, (8,), g, b), (ROWS, _A(8), _A(8))),
    "losses": (
        lambda m, x, y: (F(m).mse_loss(x, y), F(m).l1_loss(x, y), F(m).huber_loss(x, y, delta=0.3),
                         F(m).smooth_l1_loss(x, y, beta=0.5), F(m).kl_div(x, y),
                         F(m).cosine_similarity(x, y), F(m).triplet_margin_loss(x, y, x * y),
                         F(m).binary_cross_entropy_with_logits(x, y)),
        (X, P),
    ),
    "binary_cross_entropy": (lambda m, x, y: F(m).binary_cross_entropy(x, y), (P, P[::-1] * 1)),
    "class losses": (
        lambda m, x: (F(m).cross_entropy(x, m.tensor([0, 3, 1])),
                      F(m).nll_loss(x, m.tensor([0, 3, 1]))),
        (X,),
    ),
    "interpolate": (
        lambda m, x: (F(m).interpolate(x, scale_factor=2, mode="bilinear"),
                      F(m).interpolate(x, size=(4, 5), mode="bicubic")),
        (IMAGES,),
    ),
    "windows": (
        lambda m, x: (F(m).unfold(x, 3), F(m).pad(x, (1, 1, 1, 1), mode="reflect")), (IMAGES,),
    ),
    "determinants": (
        lambda m, x: (m.linalg.inv(x), m.linalg.det(x), m.linalg.slogdet(x)[1]), (SQUARE,),
    ),
    "solve": (lambda m, x, y: m.linalg.solve(x, y), (SQUARE, _A(4, 2))),
    "cholesky": (lambda m, x: m.linalg.cholesky(x @ x.mT), (SQUARE,)),
    "factors": (
        lambda m, x: (m.linalg.qr(x)[1], m.linalg.eigvalsh(x + x.mT), m.linalg.svdvals(x)),
        (SQUARE,),
    ),
    "matrix_exp": (lambda m, x: m.linalg.matrix_exp(x * 0.2), (SQUARE,)),
    "pinv": (lambda m, x: m.linalg.pinv(x), (X,)),
    "picked": (
        lambda m, x: (x.gather(1, m.tensor([[0, 1], [2, 3], [1, 1]])), x[m.tensor([0, 2]), 1:],
                      m.take(x, m.tensor([1, 5])), F(m).embedding(m.tensor([1, 2, 1]), x)),
        (X,),
    ),
    "placed": (
        lambda m, x, s: (x.scatter(1, m.tensor([[0], [2], [1]]), s),
                         x.scatter_add(1, m.tensor([[0], [2], [1]]), s),
                         x.index_add(1, m.tensor([2]), s)),
        (X, _A(3, 1)),
    ),
    "chosen": (
        lambda m, x, y: (m.where(x > 0, x, y), x.masked_fill(x > 0, 2.0), x.clamp(-0.5, 0.5),
                         m.clamp(x, max=y), m.lerp(x, y, 0.3), m.addcdiv(x, x, y, value=2.0)),
        (X, P),
    ),
    "moved": (
        lambda m, x, y: (m.cat([x, y]), m.stack([x, y]), x.reshape(4, 3).t().flip(0).roll(1, 1),
                         x.tril(), m.kron(x, y), x.diagonal()),
        (X, P),
    ),
    "rows": (lambda m, x: (F(m).glu(x), F(m).normalize(x), m.renorm(x, 2, 0, 0.5)), (X,)),
    "in place": (lambda m, x: x.clone().mul_(2).add_(x).tanh_(), (X,)),
    "constant": (lambda m, x: m.ones(3), (X,)),
    "integers": (lambda m, x: x.argmax(1), (X,)),
}  # fmt: skip


def F(m: Any) -> Any:
    return m.nn.functional


def _cases() -> dict[str, tuple[Callable, tuple]]:
    cases = dict(OTHERS)
    for operands, names in POINTWISE.items():
        for name in names.split():
            arrays = {"X": (X * 0.9,), "P": (P,), "X, P": (X, P), "P, Y": (P, Y)}[operands]
            cases[name] = (lambda m, *a, name=name: getattr(m, name)(*a), arrays)
    for name in ACTIVATIONS.split():
        cases[f"F.{name}"] = (lambda m, x, name=name: getattr(F(m), name)(x), (3 * X,))
    return cases


CASES = _cases()


def _pairs(m: Any, mode: str, f: Callable, arrays: tuple, directions: list) -> list[tuple]:
    """(result, its tangent or None) for every result."""
    inputs, tangents = [m.tensor(a) for a in arrays], [m.tensor(t) for t in directions]
    if mode == "jvp":
        results, changes = m.func.jvp(lambda *a: f(m, *a), tuple(inputs), tuple(tangents))
        several = isinstance(results, tuple)
        pairs = list(zip(results, changes, strict=True)) if several else [(results, changes)]
    else:
        forward = m.autograd.forward_ad
        with forward.dual_level():
            duals = [forward.make_dual(x, t) for x, t in zip(inputs, tangents, strict=True)]
            results = f(m, *duals)
            several = isinstance(results, tuple)
            pairs = [tuple(forward.unpack_dual(r)) for r in (results if several else (results,))]
    return [tuple(None if t is None else t.detach().numpy() for t in pair) for pair in pairs]


@pytest.mark.parametrize("mode", ["jvp", "dual"])
@pytest.mark.parametrize("name", CASES)
def test_tangents_are_pytorchs(name: str, mode: str) -> None:
    f, arrays = CASES[name]
    rng = np.random.default_rng(1)
    directions = [rng.standard_normal(a.shape) for a in arrays]
    expected = _pairs(torch, mode, f, arrays, directions)
    got = _pairs(mg, mode, f, arrays, directions)
    for pair, wanted in zip(got, expected, strict=True):
        for x, y in zip(pair, wanted, strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                assert x.dtype == y.dtype
                np.testing.assert_allclose(x, y, rtol=1e-7, atol=1e-9)


class Twice(mg.autograd.Function):
    """x and y, doubled; `jvp` says three times, so that its use is seen."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any, factor: float) -> Any:
        ctx.save_for_forward(x)
        ctx.save_for_backward(y)
        return x * factor, y * factor

    @staticmethod
    def jvp(ctx: Any, of_x: Any, of_y: Any, of_factor: Any) -> Any:
        assert len(ctx.saved_tensors) == 1 and of_factor is None
        return of_x * 3, of_y

    @staticmethod
    def backward(ctx: Any, grad_x: Any, grad_y: Any) -> Any:
        return grad_x * 2, grad_y * 2, None


def test_a_functions_own_jvp_is_used() -> None:
    ad = mg.autograd.forward_ad
    x, y = mg.ones(2), mg.ones(2)
    with ad.dual_level():
        outs = Twice.apply(ad.make_dual(x, mg.ones(2)), y, 2.0)
        first, second = (ad.unpack_dual(t) for t in outs)
    assert first.tangent.tolist() == [3, 3] and second.tangent is None
    assert first.primal.tolist() == [2, 2] == second.primal.tolist()
    with ad.dual_level():  # without one, backward says what the tangent is
        dual = mg.relu(ad.make_dual(x, mg.ones(2))) * 2
        assert ad.unpack_dual(dual).tangent.tolist() == [2, 2]


def test_gradcheck_checks_tangents_and_maps() -> None:
    x = mg.randn(2, 3, dtype=mg.float64, requires_grad=True)
    y = mg.randn(3, dtype=mg.float64, requires_grad=True)
    check = mg.autograd.gradcheck
    assert check(lambda a, b: (a.sin() * b, a @ b, a.detach()), (x, y), check_forward_ad=True,
                 check_batched_grad=True)  # fmt: skip
    with pytest.raises(RuntimeError, match="Jacobian computed with forward mode mismatch"):
        check(lambda a: Twice.apply(a, a.detach(), 2.0)[0], (x,), check_forward_ad=True)
    wrong = (lambda a: Twice.apply(a, a.detach(), 2.0)[0], (x,))
    assert check(*wrong) and not check(*wrong, check_forward_ad=True, raise_exception=False)
    for options in (
        {"check_backward_ad": False},
        {"check_backward_ad": False, "check_forward_ad": True, "check_batched_grad": True},
        {"check_batched_forward_grad": True},
    ):
        with pytest.raises(AssertionError):
            check(mg.sin, (x,), **options)
