"""einops on our tensors: its functions and layers, with gradients; as itself and as torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg

einops = pytest.importorskip("einops")

_REARRANGED = [
    ("b c h w -> b (c h w)", {}),
    ("b c (h p) (w q) -> b (h w) (p q c)", {"p": 2, "q": 2}),
    ("b c h w -> h w c b", {}),
    ("b ... -> ... b", {}),
    ("b c h w -> b c h w 1", {}),
]


def _pair(shape: tuple = (2, 3, 4, 6)) -> tuple:
    values = np.random.default_rng(0).normal(size=shape)
    return values, mg.tensor(values, requires_grad=True)


@pytest.mark.parametrize(("pattern", "lengths"), _REARRANGED)
def test_rearrange(pattern, lengths):
    values, x = _pair()
    result = einops.rearrange(x, pattern, **lengths)
    np.testing.assert_array_equal(
        result.detach().numpy(), einops.rearrange(values, pattern, **lengths)
    )
    (result * result).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * values)


@pytest.mark.parametrize("operation", ["min", "max", "sum", "mean", "prod"])
def test_reduce(operation):
    values, x = _pair()
    pattern = "b c (h 2) (w 2) -> b h w c"
    result = einops.reduce(x, pattern, operation)
    np.testing.assert_allclose(
        result.detach().numpy(), einops.reduce(values, pattern, operation), rtol=1e-12
    )
    assert mg.autograd.gradcheck(lambda t: einops.reduce(t, pattern, operation), (x,))


@pytest.mark.parametrize("operation", ["any", "all"])
def test_reduce_truth(operation):
    values = np.random.default_rng(0).random((3, 4)) < 0.5
    found = einops.reduce(mg.tensor(values), "a b -> b", operation)
    np.testing.assert_array_equal(found.numpy(), einops.reduce(values, "a b -> b", operation))


def test_repeat_einsum_and_lists():
    values, x = _pair((3, 4))
    repeated = einops.repeat(x, "a b -> b (a r) s", r=2, s=3)
    np.testing.assert_array_equal(
        repeated.detach().numpy(), einops.repeat(values, "a b -> b (a r) s", r=2, s=3)
    )
    repeated.sum().backward()
    assert x.grad.tolist() == [[6.0] * 4] * 3
    product = einops.einsum(x, x, "a b, c b -> a c")
    np.testing.assert_allclose(product.detach().numpy(), values @ values.T)
    assert einops.rearrange([x, x], "k a b -> a b k").shape == (3, 4, 2)
    with pytest.raises(einops.EinopsError):
        einops.rearrange(x, "a b c -> a")


def test_pack_and_parse_shape():
    x, y = mg.ones(2, 3, 4), mg.zeros(5, 4)
    packed, shapes = einops.pack([x, y], "* c")
    assert packed.shape == (11, 4)
    first, second = einops.unpack(packed, shapes, "* c")
    assert first.equal(x) and second.equal(y)
    assert einops.parse_shape(x, "a _ c") == {"a": 2, "c": 4}


def test_layers():
    from minigrad.einops_layers import EinMix, Rearrange, Reduce

    mg.manual_seed(0)
    model = mg.nn.Sequential(
        Rearrange("b (h w) -> b h w", h=2),
        EinMix("b h w -> b h k", weight_shape="w k", bias_shape="k", w=3, k=5),
        EinMix("b (h g) k -> b (g k h)", weight_shape="k", k=5, g=2),
        Reduce("b (k 2) -> b k", "mean"),
    )
    x = mg.ones(4, 6)
    out = model(x)
    assert out.shape == (4, 5)
    out.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert sorted(model.state_dict()) == ["1.bias", "1.weight", "2.weight"]
    assert repr(model[0]) == "Rearrange('b (h w) -> b h w', h=2)"


@pytest.mark.parametrize("first", ["einops", "minigrad"])
def test_the_order_of_imports_does_not_matter(first):
    second = "minigrad" if first == "einops" else "einops"
    program = (
        f"import {first}, {second}\n"
        "x = minigrad.arange(6.).view(2, 3)\n"
        "assert einops.rearrange(x, 'a b -> b a').shape == (3, 2)\n"
        "assert einops.reduce(x, 'a b -> a', 'sum').tolist() == [3.0, 12.0]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


_AS_TORCH = """
import einops, torch
from einops.layers.torch import EinMix, Rearrange, Reduce
assert torch.__name__ == "minigrad"
x = torch.arange(24.0, requires_grad=True)
y = einops.rearrange(x, "(a b c) -> c (b a)", a=2, b=3)
(y * y).sum().backward()
assert x.grad.equal(2 * x.detach())
model = torch.nn.Sequential(
    Rearrange("b (h w) -> b h w", h=2),
    EinMix("b h w -> b h k", weight_shape="w k", bias_shape="k", w=3, k=5),
    Reduce("b h k -> b k", "max"),
)
model(torch.ones(4, 6)).sum().backward()
assert model[1].weight.grad is not None
print(sorted(model.state_dict()))
"""


def test_under_the_name_of_torch(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(_AS_TORCH)
    command = [sys.executable, "-m", "minigrad", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['1.bias', '1.weight']"
