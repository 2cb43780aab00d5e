"""MultiheadAttention against PyTorch."""

import itertools
import warnings

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

L, S, N, E, H = 3, 4, 2, 6, 2
OPTIONS = [
    {},
    {"bias": False, "batch_first": True},
    {"add_bias_kv": True, "add_zero_attn": True},
    {"kdim": 5, "vdim": 4},
    {"kdim": 5, "add_zero_attn": True, "batch_first": True},
]


def arrays(options, batched, selfattention):
    rng = np.random.default_rng(0)
    kdim, vdim = options.get("kdim", E), options.get("vdim", E)

    def make(length, width):
        shape = [length, width]
        if batched:
            shape.insert(0 if options.get("batch_first") else 1, N)
        return rng.standard_normal(shape)

    if selfattention:
        return [make(S, E)]
    return [make(L, E), make(S, kdim), make(S, vdim)]


def masks_of(kind, batched, target):
    rng = np.random.default_rng(1)
    found = {}
    if "pad" in kind:
        pad = np.zeros((N, S), bool)
        pad[:, -1] = True
        found["key_padding_mask"] = pad if batched else pad[0]
    if "mask2" in kind:
        found["attn_mask"] = np.triu(np.ones((target, S), bool), 2)
    if "mask3" in kind:
        found["attn_mask"] = rng.standard_normal(((N if batched else 1) * H, target, S))
    return found


def run(lib, options, inputs, masks, call):
    lib.manual_seed(0)
    layer = lib.nn.MultiheadAttention(E, H, **options).double()
    xs = [lib.tensor(a.tolist(), dtype=lib.float64).requires_grad_() for a in inputs]
    q, k, v = xs if len(xs) == 3 else xs * 3
    given = {
        name: lib.tensor(m.tolist(), dtype=lib.bool if m.dtype == bool else lib.float64)
        for name, m in masks.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out, weights = layer(q, k, v, **given, **call)
    (out * out).sum().backward()
    results = [out.detach().numpy(), *[x.grad.numpy() for x in xs]]
    results += [p.grad.numpy() for p in layer.parameters() if p.grad is not None]
    return results + ([] if weights is None else [weights.detach().numpy()])


@pytest.mark.parametrize("kind", ["", "pad", "mask2", "mask3", "pad mask2"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equals_pytorch(options, kind):
    calls = [{}, {"need_weights": False}, {"average_attn_weights": False}]
    for batched, selfattention, call in itertools.product((True, False), (True, False), calls):
        if selfattention and ("kdim" in options or "vdim" in options):
            continue
        inputs = arrays(options, batched, selfattention)
        masks = masks_of(kind, batched, S if selfattention else L)
        ours = run(mg, options, inputs, masks, call)
        theirs = run(torch, options, inputs, masks, call)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_causal_hint():
    mask = np.triu(np.ones((S, S), bool), 1)
    inputs = arrays({}, True, True)
    for call in ({}, {"need_weights": False}):
        call = {"is_causal": True, **call}
        ours = run(mg, {}, inputs, {"attn_mask": mask}, call)
        theirs = run(torch, {}, inputs, {"attn_mask": mask}, call)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    with pytest.raises(RuntimeError, match="Need attn_mask"):
        run(mg, {}, inputs, {}, {"is_causal": True})


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_start_values_keys_and_repr(options):
    made = []
    for lib in (mg, torch):
        lib.manual_seed(3)
        made.append(lib.nn.MultiheadAttention(E, H, **options))
    assert repr(made[0]) == repr(made[1])
    a, b = (m.state_dict() for m in made)
    assert list(a) == list(b)
    for key in b:
        np.testing.assert_allclose(a[key].numpy(), b[key].numpy(), rtol=1e-6)


def test_wrong_shapes():
    layer = mg.nn.MultiheadAttention(E, H)
    x = mg.zeros(3, 2, E)
    with pytest.raises(AssertionError, match="expected `key` and `value` to be 3-D"):
        layer(x, mg.zeros(3, E), x)
    with pytest.raises(AssertionError, match="unbatched 2D or batched 3D"):
        layer(mg.zeros(E), x, x)
    with pytest.raises(RuntimeError, match="shape of the 2D attn_mask"):
        layer(x, x, x, attn_mask=mg.zeros(2, 2))
    with pytest.raises(AssertionError, match="embedding dimension of 6, but got 5"):
        layer(mg.zeros(3, 2, 5), mg.zeros(3, 2, 5), mg.zeros(3, 2, 5))


def test_static_keys_and_values():
    rng = np.random.default_rng(3)
    x, k, v = (rng.standard_normal(s) for s in [(L, N, E), (N * H, S, E // H), (N * H, S, E // H)])
    weights = [rng.standard_normal(s) for s in [(3 * E, E), (3 * E,), (E, E), (E,)]]
    results = []
    for lib in (mg, torch):
        t = [lib.tensor(a.tolist(), dtype=lib.float64) for a in (x, *weights, k, v)]
        out, w = lib.nn.functional.multi_head_attention_forward(
            t[0], t[0], t[0], E, H, t[1], t[2], None, None, False, 0.0, t[3], t[4],
            static_k=t[5], static_v=t[6],
        )  # fmt: skip
        results.append((out.numpy(), w.numpy()))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("order", ["inputs batch by batch", "query alone", "key alone"])
def test_any_order_in_memory(order, need_weights):
    rng = np.random.default_rng(4)
    shapes = {"inputs batch by batch": (1, 1), "query alone": (1, 0), "key alone": (0, 1)}[order]
    results = []
    for lib in (mg, torch):
        lib.manual_seed(0)
        layer = lib.nn.MultiheadAttention(E, H)
        rng = np.random.default_rng(4)
        q, k = (
            lib.tensor(rng.standard_normal((N, n, E) if turned else (n, N, E)).tolist())
            for n, turned in zip((L, S), shapes, strict=True)
        )
        leaves = [q.requires_grad_(), k.requires_grad_()]
        q, k = (x.transpose(0, 1) if turned else x for x, turned in zip(leaves, shapes))
        out, weights = layer(q, k, k, need_weights=need_weights)
        (out * out).sum().backward()
        results.append([out.detach().numpy(), *(x.grad.numpy() for x in leaves)])
        if need_weights:
            results[-1].append(weights.detach().numpy())
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
