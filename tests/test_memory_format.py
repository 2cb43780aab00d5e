"""Memory formats beside PyTorch: strides, values of what reads such tensors, modules in them."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

FORMATS = """
x.to(memory_format=L).stride(); x.contiguous(memory_format=L).stride(); y.clone().stride()
x.clone(memory_format=L).stride(); y.clone(memory_format=T.contiguous_format).stride()
y.clone(memory_format=T.preserve_format).stride(); T.empty_like(y).stride()
T.empty_like(x, memory_format=L).stride()
T.ones_like(y, memory_format=T.contiguous_format).stride()
T.rand_like(y).stride(); T.full_like(y, 3).stride(); T.empty(2, 3, 4, 5, memory_format=L).stride()
y.to(T.float64).stride(); y.half().stride(); x.to('cpu', T.float64, memory_format=L).stride()
x.double(memory_format=L).stride(); x.cpu(memory_format=L).stride(); y.type(T.float64).stride()
v.contiguous(memory_format=L3).stride(); v.to(memory_format=L3).is_contiguous(memory_format=L3)
v.contiguous(memory_format=L); x[0].to(memory_format=L); T.empty(2, 3, memory_format=L)
x[0].is_contiguous(memory_format=L); T.empty(2, memory_format=T.preserve_format)
x.to(memory_format='channels_last'); x.contiguous(memory_format=3); x.clone(memory_format=3)
x.is_contiguous(memory_format=3); T.empty(2, 3, memory_format=3); T.zeros_like(x, memory_format=3)
y.is_contiguous(); y.is_contiguous(memory_format=L); x.is_contiguous(memory_format=L)
x.is_contiguous(memory_format=T.preserve_format); y.contiguous(memory_format=L) is y
y.to(memory_format=L) is y; x.to(memory_format=T.contiguous_format) is x; y.contiguous().stride()
y.to(memory_format=T.preserve_format) is y; x[:, :1].to(memory_format=L).stride()
x[:, :1].contiguous(memory_format=L).stride(); x[..., :1, :1].to(memory_format=L).stride()
x[..., :1, :1].clone(memory_format=L).stride(); x[:, :, :1, :1].is_contiguous(memory_format=L)
x.transpose(0, 1).to(memory_format=T.contiguous_format).stride()
y[:, :, ::2].to(memory_format=L).stride()
T.zeros(1).resize_(2, 3, 4, 5, memory_format=L).stride(); (y + 1).stride(); y.relu().stride()
T.zeros(1).resize_as_(y, memory_format=T.preserve_format).stride(); y.flatten(); y.view(-1)
T.nn.functional.conv2d(y, T.ones(2, 3, 3, 3)); T.nn.functional.max_pool2d(y, 2); y.sum((1, 2))
T.nn.functional.batch_norm(y, None, None, training=True)
T.nn.functional.interpolate(y, scale_factor=2)
T.nn.functional.group_norm(y, 3); y.softmax(1); y.reshape(6, 20); T.nn.Parameter(y).stride()
"""


@pytest.mark.parametrize("line", [s for s in FORMATS.replace("\n", ";").split(";") if s.strip()])
def test_memory_formats(line: str) -> None:
    results = []
    for t in (torch, mg):
        x = t.arange(120.0).reshape(2, 3, 4, 5)
        names = {"T": t, "x": x, "L": t.channels_last, "L3": t.channels_last_3d}
        names |= {"y": x.contiguous(memory_format=t.channels_last), "v": t.ones(2, 3, 4, 5, 6)}
        try:
            result = eval(line.strip(), names)
        except (RuntimeError, TypeError) as error:
            # The call's forms are listed by PyTorch: the first part of a sentence is compared.
            result = type(error), str(error).split(" - got")[0].split(" (at least")[0]
        results.append(result.numpy() if hasattr(result, "numpy") else result)
    expected, got = results
    if isinstance(expected, np.ndarray):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    else:
        assert got == expected


def test_module_to_channels_last() -> None:
    for t in (torch, mg):
        t.manual_seed(0)
        first = t.nn.Conv2d(3, 8, 3, bias=False)  # a bias would have no gradient but rounding's
        m = t.nn.Sequential(first, t.nn.BatchNorm2d(8), t.nn.ConvTranspose2d(8, 4, 2)).double()
        n = t.nn.utils.convert_conv2d_weight_memory_format(t.nn.Conv2d(3, 2, 3), t.channels_last)
        assert n.weight.is_contiguous(memory_format=t.channels_last)
        assert m.to(memory_format=t.channels_last) is m
        strides = [p.stride() for p in m.parameters() if p.dim() == 4]
        assert strides == [(27, 1, 9, 3), (16, 1, 8, 4)]
        x = t.rand(2, 3, 6, 6, dtype=t.float64).to(memory_format=t.channels_last)
        for make in (t.optim.SGD, t.optim.AdamW):
            optimizer = make(m.parameters(), lr=0.01)
            for _ in range(2):
                m.zero_grad()
                m(x).square().sum().backward()
                assert all(p.grad.stride() == p.stride() for p in m.parameters())
                optimizer.step()
        with pytest.raises(TypeError, match="memory_format"):
            m.to(memory_format="channels_last")
        if t is torch:
            expected = m(x).detach().numpy()
    np.testing.assert_allclose(m(x).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1)])
def test_gradients_lie_as_their_leaf(order: tuple) -> None:
    for t in (torch, mg):
        dense = t.ones(2, 3, 4).permute(order).requires_grad_()
        sparse = t.ones(2, 3, 8)[..., ::2].requires_grad_()
        for leaf in (dense, sparse):
            for _ in range(2):  # the second gradient is added to the first
                (leaf * t.arange(24.0).reshape(leaf.shape)).sum().backward()
            wanted = leaf.stride() if leaf is dense else (12, 4, 1)
            assert leaf.grad.stride() == wanted
            assert leaf.grad.flatten().tolist() == [2.0 * i for i in range(24)]
