"""Scaled dot-product attention and the layer around it."""

from __future__ import annotations

from cases import Case, tensor, with_backward


def attention(b, h, n, d, causal, mode, size="medium"):
    def of(t):
        q, k, v = (tensor(t, b, h, n, d, seed=s, grad=mode == "fwd+bwd") for s in range(3))

        def forward():
            return t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

        return with_backward(t, forward, [q, k, v]) if mode == "fwd+bwd" else forward

    flops = 4.0 * b * h * n * n * d * (0.5 if causal else 1) * (1 if mode == "fwd" else 3.5)
    label = f"B{b} H{h} T{n} D{d}" + (" causal" if causal else "")
    return Case(f"sdpa {mode} {label}", of, size=size, flops=flops, tolerance=1e-3)


def fused(b, h, n, d, mode):
    """Heads that are views of one projection, as the blocks of a language model make them."""

    def of(t):
        x = tensor(t, b, n, 3 * h * d, grad=mode == "fwd+bwd")

        def forward():
            q, k, v = (y.view(b, n, h, d).transpose(1, 2) for y in x.split(h * d, dim=2))
            y = t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return y.transpose(1, 2).reshape(b, n, h * d)

        return with_backward(t, forward, [x]) if mode == "fwd+bwd" else forward

    return Case(f"sdpa of fused qkv {mode} B{b} H{h} T{n} D{d} causal", of, tolerance=1e-3)


def masked(b, h, n, d, kind, mode):
    def of(t):
        q, k, v = (tensor(t, b, h, n, d, seed=s, grad=mode == "fwd+bwd") for s in range(3))
        mask = tensor(t, n, n, seed=4)
        mask = mask > -1 if kind == "bool" else mask

        def forward():
            return t.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

        return with_backward(t, forward, [q, k, v]) if mode == "fwd+bwd" else forward

    return Case(f"sdpa {kind} mask {mode} B{b} H{h} T{n} D{d}", of, tolerance=1e-3)


def multihead(b, n, d, heads):
    def of(t):
        t.manual_seed(0)
        layer, x = (
            t.nn.MultiheadAttention(d, heads, batch_first=True),
            tensor(t, b, n, d, grad=True),
        )
        return with_backward(
            t, lambda: layer(x, x, x, need_weights=False)[0], [x, *layer.parameters()]
        )

    return Case(f"MultiheadAttention fwd+bwd B{b} T{n} D{d} H{heads}", of, tolerance=1e-3)


MODES = ("fwd", "fwd+bwd")
CASES = [
    *(attention(2, 2, 16, 16, True, mode, "small") for mode in MODES),
    *(attention(8, 12, 256, 64, causal, mode) for causal in (True, False) for mode in MODES),
    *(attention(2, 12, 1024, 64, True, mode, "large") for mode in MODES),
    *(attention(12, 4, 64, 32, True, mode) for mode in MODES),
    *(attention(1, 1, 1024, 64, True, mode) for mode in MODES),
    *(fused(8, 6, 256, 64, mode) for mode in MODES),
    *(masked(4, 8, 128, 64, kind, mode) for kind in ("bool", "float") for mode in MODES),
    multihead(8, 64, 128, 4),
]
