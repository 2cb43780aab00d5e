"""Names of nodes, as `print` shows them in `grad_fn`, against PyTorch's."""

from __future__ import annotations

import pytest
from pair import both, torch

import minigrad as mg

# In `m` (torch or minigrad), `f` (its nn.functional) and x, a matrix (2, 3) that requires grad.
EXPRESSIONS = """
x + 1; 1 + x; x - 1; x * 2; 2 * x; x / 2; x ** 2; 2 ** x; x ** x; x % 2; x % x; x.fmod(x); -x
m.div(x, 2, rounding_mode="floor"); m.div(x, x, rounding_mode="trunc")
x.sum(); x.sum(1); x.mean(); x.mean(0); x.max(); x.max(1)[0]; x.min(); x.min(1)[0]; x.prod()
x.median(); x.median(1)[0]; x.nanmedian(); x.nanmedian(1)[0]; x.nansum(); x.logsumexp(1)
x.var(); x.std(1); x.norm(); x.amax(1); x.cumsum(0); x.sort()[0]; x.topk(1)[0]
x.clamp(0, 1); x.clamp(min=0); x.clamp(m.zeros(3), m.ones(3)); x.clamp(min=m.zeros(3))
x.exp(); x.log1p(); x.sqrt(); x.abs(); x.deg2rad(); x.rad2deg(); x.round(decimals=1); x.erf()
x.lerp(x, 0.5); x.lerp(x, x); m.where(x > 0, x, 0.0); x.masked_fill(x > 0, 0)
x @ x.T; x[0] @ x[0]; m.addmm(m.ones(2, 2), x, x.T); m.addmv(m.ones(2), x, x[0])
m.baddbmm(m.ones(1, 2, 2), x[None], x.T[None]); m.linalg.svd(x)[1]; m.linalg.svdvals(x)
m.special.erfcx(x); m.special.entr(x); m.special.ndtri(x / 2); m.special.log_ndtr(x)
m.special.xlog1py(x, x)
x.flatten(); x.view(3, 2); x.T; x.t(); x[0]; x[:, 0]; x.unsqueeze(0); x[None].squeeze(0)
x.permute(1, 0); m.cat([x, x]); m.stack([x, x]); x.split(1)[0]; x.unbind()[0]; x.expand(2, 2, 3)
x.clone(); x.double(); x.T.contiguous(); x.gather(1, m.tensor([[0], [0]])); x.tril(); x.flip(0)
m.nn.Linear(3, 2)(x); m.nn.Linear(3, 2, bias=False)(x); m.nn.Linear(3, 2)(x[None])
m.nn.Linear(3, 2, bias=False)(x[None]); f.unfold(x[None, None], 1)
f.cross_entropy(x, m.tensor([0, 1])); f.nll_loss(x, m.tensor([0, 1])); f.mse_loss(x, x * 2)
f.cross_entropy(x[None], m.tensor([[0, 1, 0]])); f.l1_loss(x, x * 2); f.smooth_l1_loss(x, x * 2)
f.l1_loss(x, x * 2, reduction="none"); f.kl_div(x, x * 2, reduction="sum")
f.kl_div(x, x * 2, reduction="none"); f.kl_div(x, x * 2, reduction="none", log_target=True)
f.dropout(x); f.prelu(x, m.ones(1)); f.elu(x); f.celu(x); f.relu(x); f.gelu(x); f.softmax(x, 1)
f.layer_norm(x, (3,)); f.normalize(x); f.cosine_similarity(x, x); f.binary_cross_entropy(x / 3, x)
x.clone().add_(1); x.clone().mul_(2)
"""
NAMED = [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split(";")]


@pytest.mark.parametrize("expression", NAMED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_names(expression: str) -> None:
    names = []
    for m in (mg, torch):
        x = m.ones(2, 3, requires_grad=True)
        result = eval(expression, {"m": m, "f": m.nn.functional, "x": x})
        names.append((result.grad_fn.name(), repr(result.grad_fn).partition(" ")[0]))
    assert names[0] == names[1]


@both
def test_names_of_classes(m):
    """Programs that draw a graph ask for the names of its nodes' classes."""
    x = m.ones(2, 3, requires_grad=True)
    y = x * 2
    product = y.grad_fn
    y[0] = 1
    names = [type(fn).__name__ for fn in (product, y.grad_fn, x.sum().grad_fn, y.exp().grad_fn)]
    assert names == ["MulBackward0", "CopySlices", "SumBackward0", "ExpBackward0"]
    leaf = product.next_functions[0][0]
    assert (type(leaf).__name__, leaf.name()) == (
        "AccumulateGrad",
        "torch::autograd::AccumulateGrad",
    )
    assert leaf.variable is x
    assert product._sequence_nr() < y.grad_fn._sequence_nr()
