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
f.nll_loss(x[None], m.tensor([[0, 1, 0]])); f.nll_loss(x, m.tensor([0, 1]), reduction="none")
f.nll_loss(x[0], m.tensor(1), reduction="none")
f.nll_loss(x[None, None], m.zeros(1, 2, 3).long(), reduction="none")
f.dropout(x); f.prelu(x, m.ones(1)); f.elu(x); f.celu(x); f.relu(x); f.gelu(x); f.softmax(x, 1)
f.layer_norm(x, (3,)); f.normalize(x); f.cosine_similarity(x, x); f.binary_cross_entropy(x / 3, x)
x.clone().add_(1); x.clone().mul_(2); x.clone().zero_(); x.clone().fill_(2)
x.clone().fill_(x.sum()); x.clone().copy_(x)
1 - x; 1 / x; m.rsub(x, x); m.rsub(x, 1); x.clamp_min(0); x.clamp_max(m.ones(3)); x.roll(1)
x.roll(1, 0); x.rot90(); m.var_mean(x)[1]; m.std_mean(x, 1)[0]; m.aminmax(x)[0]; m.dist(x, x * 2)
x.renorm(2, 0, 1); m.pdist(x); m.addbmm(m.ones(2, 2), x[None], x.T[None]); m.vdot(x[0], x[0])
m.addr(m.ones(3, 3), x[0], x[0]); m.cross(x, x, 1); x.quantile(0.5); x.mode(1)[0]
m.ldexp(x, m.ones(3)); f.glu(x.T, 1); f.rrelu(x); f.rms_norm(x, (3,), m.ones(3))
f.pixel_shuffle(x.view(1, 6, 1, 1)[:, :4], 2); f.pixel_unshuffle(x[None, :, :2], 2)
f.soft_margin_loss(x, m.ones(2, 3)); f.multi_margin_loss(x, m.tensor([0, 1]))
f.multilabel_margin_loss(x, m.tensor([[0, 1, -1], [1, -1, 0]])); f.rrelu(x, training=True)
f.cross_entropy(x, m.ones(2, 3)); f.cross_entropy(x, m.tensor([0, 1]), label_smoothing=0.1)
x[0] @ x.T; x[None] @ x.T[None]; m.bmm(x[None], x.T[None]); x @ x.T[None]; x[None] @ x[0]
m.einsum("ij,kj->ik", x, x); m.einsum("ij->", x); m.einsum("i,j->ij", x[0], x[0])
m.einsum("bij,bkj->bik", x[None], x[None]); m.einsum("ij->ji", x); m.einsum("ij,ij->ij", x, x)
m.einsum("bi,bj,bk->ijk", x, x, x)
f.scaled_dot_product_attention(x, x, x); f.scaled_dot_product_attention(x[None], x[None], x[None])
f.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None])
f.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None], dropout_p=0.5)
f.max_pool1d(x, 2); f.avg_pool1d(x[None], 2); f.adaptive_avg_pool1d(x, 1); f.max_pool2d(x[None], 2)
f.adaptive_max_pool1d(x, 1); m.nn.Conv1d(2, 2, 1)(x); m.nn.Conv1d(2, 2, 1)(x[None])
m.nn.ConvTranspose1d(2, 2, 1)(x); m.nn.Linear(3, 2, bias=False)(x[0])
m.nn.LSTM(3, 2)(x)[0]; m.nn.LSTM(3, 2)(x[None])[0]; m.nn.LSTM(3, 2)(x[None])[1][1]
m.nn.LSTM(3, 2, proj_size=1)(x[None])[0]; m.nn.GRU(3, 2)(x[None])[0]; m.nn.GRU(3, 2)(x[None])[1]
m.nn.GRU(3, 2, bidirectional=True)(x[None])[0]; m.nn.RNN(3, 2, batch_first=True)(x[None])[0]
m.nn.LSTM(3, 2, batch_first=True)(x[None])[0]; m.nn.GRU(3, 2, 2)(x[None])[1]
m.nn.GRUCell(3, 2)(x); m.nn.RNNCell(3, 2)(x); m.nn.RNNCell(3, 2, nonlinearity="relu")(x)
m.nn.LSTMCell(3, 2)(x)[0]
f.max_unpool2d(*f.max_pool2d(x[None, None], (1, 2), 1, return_indices=True), (1, 2), 1)
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


@both
def test_names_are_of_one_node(m):
    """Naming the last node of a composed operation changes neither the input's nor its kind."""
    x = m.ones(2, 3, requires_grad=True)
    y = x * 2
    y.rot90(0)
    y.clamp_min(-1)
    assert y.grad_fn.name() == "MulBackward0"
    assert (y - 1).grad_fn.name() == "SubBackward0"
    (1 - y).sum().backward()
    assert x.grad.tolist() == [[-2.0] * 3] * 2


@both
def test_names_without_recording(m):
    """What is not recorded, or no tensor, is left as it is."""
    x = m.ones(2, 3, requires_grad=True)
    y = x.clone().copy_(x)
    with m.no_grad():
        y.zero_()
    assert y.grad_fn.name() == "torch::autograd::CopyBackwards"
    assert (1 - x.detach()).grad_fn is None


@both
def test_saved_values(m):
    """`_saved_*`: what a node keeps, under PyTorch's names."""
    x, y = m.tensor([1.0, 2.0], requires_grad=True), m.tensor([3.0, 4.0], requires_grad=True)
    product = x * y
    assert product.grad_fn._saved_self.tolist() == [1.0, 2.0]
    assert product.grad_fn._saved_other.tolist() == [3.0, 4.0]
    assert product.grad_fn._saved_self.requires_grad
    assert (x * m.ones(2)).grad_fn._saved_self is None  # no gradient needs it
    power = x.pow(2)
    assert power.grad_fn._saved_self.tolist() == [1.0, 2.0]
    grown = product.exp()
    assert grown.grad_fn._saved_result.tolist() == grown.tolist()
    assert grown.grad_fn._saved_result.grad_fn is grown.grad_fn
    assert (x[None] @ y[:, None]).grad_fn._saved_mat2.shape == (2, 1)
    assert m.nn.functional.mse_loss(x, y).grad_fn._saved_target.tolist() == [3.0, 4.0]
    with pytest.raises(AttributeError, match="_saved_foo"):
        product.grad_fn._saved_foo  # noqa: B018
    product.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        product.grad_fn._saved_self  # noqa: B018


@both
def test_saved_values_behind_hooks(m):
    """Unpack hooks see who asks."""
    x = m.tensor([1.0, 2.0], requires_grad=True)
    with m.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t * 10):
        y = x.pow(2)
        low = x.clamp_min(0)
    assert y.grad_fn._saved_self.tolist() == [10.0, 20.0]
    assert low.grad_fn._saved_self.tolist() == [10.0, 20.0]
    assert low.grad_fn.name() == "ClampMinBackward0"
    low.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
