"""Programs of the kind that function transforms are for, run with both libraries."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from pair import torch

import minigrad as mg
import minigrad.func

RNG = np.random.default_rng(11)
IMAGES, TOKENS = RNG.standard_normal((5, 2, 8, 8)), RNG.integers(0, 7, (4, 6))
LABELS, POINTS = RNG.integers(0, 3, 5), RNG.standard_normal((6, 4))


def set_weights(m: Any, module: Any) -> Any:
    rng = np.random.default_rng(1)
    with m.no_grad():
        for p in module.parameters():
            p.copy_(m.from_numpy(rng.standard_normal(tuple(p.shape)) * 0.4))
    return module


def mlp(m: Any, norm: bool = True) -> Any:
    nn = m.nn
    layers = [nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3)]
    if not norm:
        del layers[2]
    return set_weights(m, nn.Sequential(*layers).double())


def cnn(m: Any) -> Any:
    nn = m.nn
    return set_weights(m, nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.ELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 3),
    ).double())  # fmt: skip


def transformer(m: Any) -> Any:
    nn, F = m.nn, m.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(7, 8)
            self.norm = nn.LayerNorm(8)
            self.qkv = nn.Linear(8, 24)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.out = nn.Linear(8, 7, bias=False)

        def forward(self, i: Any) -> Any:
            x = self.embed(i)
            n, t, c = x.shape
            q, k, v = (
                z.view(n, t, 2, c // 2).transpose(1, 2)
                for z in self.qkv(self.norm(x)).split(c, dim=2)
            )
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + y.transpose(1, 2).contiguous().view(n, t, c)
            x = x + self.attention(x, x, x, need_weights=False)[0]
            return self.out(F.gelu(x))

    return set_weights(m, Block().double())


def detached(module: Any) -> dict:
    return {k: v.detach() for k, v in module.named_parameters()}


def per_sample(m: Any, module: Any, x: Any, y: Any) -> dict:
    call = m.func.functional_call

    def loss(params: dict, x: Any, y: Any) -> Any:
        out = call(module, params, (x.unsqueeze(0),))
        return m.nn.functional.cross_entropy(out.flatten(0, -2), y.reshape(-1))

    return m.func.vmap(m.func.grad(loss), in_dims=(None, 0, 0))(detached(module), x, y)


def dp_sgd(m: Any) -> Any:
    """Clipped per-sample gradients, then a step."""
    module = mlp(m)
    x, y = m.from_numpy(POINTS.copy()), m.from_numpy(np.arange(6) % 3)
    for _ in range(3):
        grads = per_sample(m, module, x, y)
        norms = sum(g.flatten(1).pow(2).sum(1) for g in grads.values()).sqrt()
        factor = (0.5 / norms).clamp(max=1.0)
        with m.no_grad():
            for name, p in module.named_parameters():
                p -= 0.1 * m.einsum("b,b...->...", factor, grads[name]) / len(x)
    return list(module.parameters())


def per_sample_cnn(m: Any) -> Any:
    return list(
        per_sample(m, cnn(m), m.from_numpy(IMAGES.copy()), m.from_numpy(LABELS.copy())).values()
    )


def per_sample_transformer(m: Any) -> Any:
    tokens = m.from_numpy(TOKENS.copy())
    return list(per_sample(m, transformer(m), tokens, (tokens + 1) % 7).values())


def ensemble(m: Any) -> Any:
    """Three networks trained at once, each on its own batch."""
    modules = [mlp(m) for _ in range(3)]
    with m.no_grad():
        for i, module in enumerate(modules):
            for p in module.parameters():
                p.mul_(1 + 0.1 * i)
    params, buffers = m.func.stack_module_state(modules)
    base = copy.deepcopy(modules[0])
    x = m.from_numpy(RNG_POINTS.copy())
    y = m.from_numpy(np.arange(18).reshape(3, 6) % 3)
    optimizer = m.optim.Adam(params.values(), lr=0.05)

    def loss(p: dict, b: dict, x: Any, y: Any) -> Any:
        return m.nn.functional.cross_entropy(m.func.functional_call(base, (p, b), (x,)), y)

    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        each = m.vmap(loss)(params, buffers, x, y)
        each.sum().backward()
        optimizer.step()
        losses.append(each)
    shared = m.vmap(loss, in_dims=(0, 0, None, None))(params, buffers, x[0], y[0])
    return losses, shared, list(params.values())


RNG_POINTS = np.random.default_rng(4).standard_normal((3, 6, 4))


def ensemble_cnn(m: Any) -> Any:
    modules = [cnn(m) for _ in range(2)]
    with m.no_grad():
        modules[1][0].weight.mul_(-1)
    params, buffers = m.func.stack_module_state(modules)
    images = m.from_numpy(IMAGES.copy())
    f = lambda p, b, x: m.func.functional_call(modules[0], (p, b), (x,))  # noqa: E731
    out = m.vmap(f, in_dims=(0, 0, None))(params, buffers, images)
    out.pow(2).sum().backward()
    own = m.vmap(f)(params, buffers, m.stack([images, images * 2]))
    return out, own, [p.grad for p in params.values()]


def maml(m: Any) -> Any:
    """The gradient of the loss after one step of the inner gradient, over several tasks.

    Without a norm: second gradients of PyTorch's layer_norm with a weight are wrong under vmap
    (those of the same norm written as layer_norm without a weight, times it, are ours).
    """
    module = mlp(m, norm=False)
    params = detached(module)
    x = m.from_numpy(RNG_POINTS.copy())
    y = x.sum(-1, keepdim=True).expand(3, 6, 3)

    def loss(p: dict, x: Any, y: Any) -> Any:
        return ((m.func.functional_call(module, p, (x,)) - y) ** 2).mean()

    def after_step(p: dict, x: Any, y: Any) -> Any:
        grads = m.func.grad(loss)(p, x[:3], y[:3])
        stepped = {k: p[k] - 0.1 * grads[k] for k in p}
        return loss(stepped, x[3:], y[3:])

    def meta(p: dict) -> Any:
        return m.vmap(after_step, in_dims=(None, 0, 0))(p, x, y).mean()

    gradient, value = m.func.grad_and_value(meta)(params)
    return value, [gradient[k] for k in params]


def curvature(m: Any) -> Any:
    """Hessian-vector products, a Jacobian penalty, Laplacians of a network's output."""
    module = mlp(m, norm=False)
    params = detached(module)
    x = m.from_numpy(POINTS.copy())
    f = lambda p, x: m.func.functional_call(module, p, (x,))  # noqa: E731
    loss = lambda p: f(p, x).pow(2).mean()  # noqa: E731
    v = {k: m.ones_like(p) for k, p in params.items()}
    product = m.func.jvp(m.func.grad(loss), (params,), (v,))[1]
    norms = lambda p: m.vmap(m.func.jacrev(lambda x: f(p, x)))(x).pow(2).sum()  # noqa: E731
    penalty = m.func.grad(norms)(params)
    value = lambda x: f(params, x).sum()  # noqa: E731
    laplacian = m.vmap(lambda x: m.func.hessian(value)(x).diagonal().sum())(x)
    for p in module.parameters():
        p.grad = None
    (m.func.jacrev(module)(x[0]) ** 2).sum().backward()
    return (
        [product[k] for k in params], [penalty[k] for k in params], laplacian,
        [p.grad for p in module.parameters() if p.grad is not None],
    )  # fmt: skip


def tangent_kernel(m: Any) -> Any:
    module = mlp(m)
    params = detached(module)
    x1, x2 = m.from_numpy(POINTS.copy()), m.from_numpy(POINTS[:2] * 2)
    f = lambda p, x: m.func.functional_call(module, p, (x.unsqueeze(0),)).squeeze(0)  # noqa: E731
    j1, j2 = (m.vmap(m.func.jacrev(f), (None, 0))(params, x) for x in (x1, x2))
    parts = [m.einsum("Naf,Mbf->NMab", j1[k].flatten(2), j2[k].flatten(2)) for k in params]

    def implicit(a: Any, b: Any) -> Any:
        _, pull = m.func.vjp(lambda p: f(p, a), params)
        push = lambda v: m.func.jvp(lambda p: f(p, b), (params,), pull(v))[1]  # noqa: E731
        return m.vmap(push)(m.eye(3).double())

    mapped = m.vmap(m.vmap(implicit, (None, 0)), (0, None))(x1, x2)
    return m.stack(parts).sum(0), mapped


def forward_mode(m: Any) -> Any:
    fwd = m.autograd.forward_ad
    x, t = m.from_numpy(POINTS.copy()), m.from_numpy(POINTS[::-1].copy())
    module = mlp(m)
    results = []
    with fwd.dual_level():
        d = fwd.make_dual(x, t)
        out = fwd.unpack_dual(m.nn.functional.softmax(module(d) @ m.eye(3).double(), -1))
        results += [out.primal, out.tangent]
        y = d.clone()
        y[0] = 3.0
        y.mul_(d).add_(1)
        results += list(fwd.unpack_dual(m.cat([y, d[:, :2].repeat(1, 2)]).max(1)[0]))
        assert fwd.unpack_dual(x).tangent is None
        assert fwd.unpack_dual(d).tangent is t or bool((fwd.unpack_dual(d).tangent == t).all())
        params = {k: fwd.make_dual(p, m.ones_like(p)) for k, p in module.named_parameters()}
        out = fwd.unpack_dual(m.func.functional_call(module, params, x))
        results += list(out)
    assert fwd.unpack_dual(d).tangent is None
    return results


PROGRAMS = [
    dp_sgd, per_sample_cnn, per_sample_transformer, ensemble, ensemble_cnn, maml, curvature,
    tangent_kernel, forward_mode,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_same_as_pytorch(program: Any) -> None:
    import torch.autograd.forward_ad
    import torch.func
    import torch.utils._pytree

    theirs, ours = (
        [t.detach().numpy() for t in m.utils._pytree.tree_leaves(program(m))] for m in (torch, mg)
    )
    assert len(ours) == len(theirs)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.shape == b.shape, i
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10, err_msg=str(i))


def test_forward_mode_errors() -> None:
    for m in (torch, mg):
        fwd = m.autograd.forward_ad
        x = m.ones(2)
        with pytest.raises(RuntimeError, match="no level exists"):
            fwd.make_dual(x, x)
        with fwd.dual_level():
            with pytest.raises(ValueError, match="floating point"):
                fwd.make_dual(m.arange(2), x)
            with pytest.raises(RuntimeError, match="Nested"):
                fwd.enter_dual_level()
