"""nn.utils against PyTorch: clipping of gradients, vectors of parameters."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import utils

torch = pytest.importorskip("torch")


def parameters(lib, scale=3.0):
    rng = np.random.default_rng(0)
    made = []
    for i, shape in enumerate([(3, 4), (5,), (), (0, 2), (2,)]):
        p = lib.nn.Parameter(lib.ones(shape))
        if i != 4:
            grad = np.asarray(rng.standard_normal(shape) * scale)
            p.grad = lib.tensor(grad.tolist(), dtype=lib.float32).reshape(shape)
        made.append(p)
    return made


def grads(params):
    return [p.grad.numpy() for p in params if p.grad is not None]


@pytest.mark.parametrize("norm", [2.0, 1, 3.5, math.inf, 0])
@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_clip_grad_norm(norm, limit):
    ours, theirs = parameters(mg), parameters(torch)
    if norm == math.inf:  # PyTorch refuses empty tensors here
        del ours[3], theirs[3]
    a = utils.clip_grad_norm_(ours, limit, norm)
    b = torch.nn.utils.clip_grad_norm_(theirs, limit, norm)
    np.testing.assert_allclose(a.item(), b.item(), rtol=1e-6)
    assert a.shape == () and a.dtype == mg.float32
    for x, y in zip(grads(ours), grads(theirs), strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6)


def test_clip_grad_value():
    ours, theirs = parameters(mg), parameters(torch)
    utils.clip_grad_value_(ours, 1.5)
    torch.nn.utils.clip_grad_value_(theirs, 1.5)
    for x, y in zip(grads(ours), grads(theirs), strict=True):
        np.testing.assert_array_equal(x, y)
    utils.clip_grad_value_(ours[0], 0.0)
    assert not ours[0].grad.numpy().any()


def test_norms_that_are_not_finite():
    p = mg.nn.Parameter(mg.ones(2))
    p.grad = mg.tensor([math.inf, 1.0])
    with pytest.raises(RuntimeError, match="non-finite, so it cannot be clipped"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.numpy()[1] == 1.0
    assert utils.clip_grad_norm_([p], 1.0).item() == math.inf
    assert utils.clip_grad_norm_([], 1.0).item() == 0.0
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((q for q in []), 1.0)


def test_half_precision_norms_do_not_overflow():
    p = mg.nn.Parameter(mg.zeros(4, dtype=mg.float16))
    p.grad = mg.full((4,), 300.0, dtype=mg.float16)
    assert utils.clip_grad_norm_(p, 60.0).item() == 600.0
    np.testing.assert_allclose(p.grad.numpy().astype(float), 30.0, rtol=1e-2)


def test_vectors():
    net = mg.nn.Linear(3, 2)
    v = utils.parameters_to_vector(net.parameters())
    assert v.shape == (8,) and v.requires_grad
    utils.vector_to_parameters(mg.arange(8.0), net.parameters())
    assert net.bias.detach().numpy().tolist() == [6.0, 7.0]
    with pytest.raises(RuntimeError, match="too few"):
        utils.vector_to_parameters(mg.zeros(3), net.parameters())
    with pytest.raises(TypeError, match="expected torch.Tensor"):
        utils.vector_to_parameters([1.0], net.parameters())
