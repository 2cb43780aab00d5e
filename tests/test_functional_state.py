"""What the op table cannot say: running statistics, special gradients, masked rows."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def both(values: np.ndarray, dtype: str = "float32") -> tuple:
    array = np.asarray(values, dtype)
    return mg.Tensor._from_array(array.copy()), torch.from_numpy(array.copy())


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0])
def test_running_statistics_move_as_pytorchs(name: str, momentum: float) -> None:
    rng = np.random.default_rng(0)
    mean, torch_mean = both(rng.standard_normal(3))
    var, torch_var = both(rng.uniform(0.5, 2, 3))
    for _ in range(3):
        x, torch_x = both(rng.standard_normal((4, 3, 5)))
        got = getattr(ops, name)(x, mean, var, None, None, True, momentum)
        expected = getattr(functional, name)(
            torch_x, torch_mean, torch_var, None, None, True, momentum
        )
        np.testing.assert_allclose(got._array, expected.numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mean._array, torch_mean.numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(var._array, torch_var.numpy(), rtol=1e-5, atol=1e-6)


def test_evaluation_leaves_the_running_statistics() -> None:
    mean, _ = both(np.ones(3))
    var, _ = both(np.ones(3))
    x, _ = both(np.random.default_rng(0).standard_normal((4, 3)))
    ops.batch_norm(x, mean, var)
    np.testing.assert_array_equal(mean._array, 1)
    np.testing.assert_array_equal(var._array, 1)


def test_running_statistics_of_a_half_input_stay_float32() -> None:
    rng = np.random.default_rng(0)
    mean, torch_mean = both(np.zeros(3))
    var, torch_var = both(np.ones(3))
    x, torch_x = both(rng.standard_normal((8, 3)), "float16")
    ops.batch_norm(x, mean, var, training=True)
    functional.batch_norm(torch_x, torch_mean, torch_var, training=True)
    np.testing.assert_allclose(mean._array, torch_mean.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(var._array, torch_var.numpy(), rtol=1e-3, atol=1e-4)


def test_embedding_gradient_divided_by_frequency() -> None:
    rng = np.random.default_rng(0)
    ids, torch_ids = both(rng.integers(0, 4, 20), "int64")
    table, torch_table = both(rng.standard_normal((5, 3)), "float64")
    weight = rng.standard_normal((20, 3))
    y = ops.embedding(ids, table.requires_grad_(), 1, scale_grad_by_freq=True)
    y.backward(mg.Tensor._from_array(weight))
    expected = functional.embedding(
        torch_ids, torch_table.requires_grad_(), 1, scale_grad_by_freq=True
    )
    expected.backward(torch.from_numpy(weight))
    np.testing.assert_allclose(table.grad._array, torch_table.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("norm_type", [2.0, 1.0])
def test_embedding_shortens_the_rows_it_takes(norm_type: float) -> None:
    rng = np.random.default_rng(0)
    ids, torch_ids = both([0, 2, 2], "int64")
    table, torch_table = both(rng.standard_normal((4, 3)))
    got = ops.embedding(ids, table, max_norm=1.0, norm_type=norm_type)
    expected = functional.embedding(torch_ids, torch_table, max_norm=1.0, norm_type=norm_type)
    np.testing.assert_allclose(got._array, expected.numpy(), rtol=1e-5)
    np.testing.assert_allclose(table._array, torch_table.numpy(), rtol=1e-5)


def test_cross_entropy_ignores_rows_that_are_not_finite() -> None:
    values = np.array([[1.0, 2.0], [np.inf, np.nan], [0.5, 0.1]])
    x, torch_x = both(values)
    target, torch_target = both([0, -100, 1], "int64")
    ops.cross_entropy(x.requires_grad_(), target).backward()
    functional.cross_entropy(torch_x.requires_grad_(), torch_target).backward()
    np.testing.assert_allclose(x.grad._array[[0, 2]], torch_x.grad.numpy()[[0, 2]], rtol=1e-5)


def test_attention_of_a_row_that_is_masked_entirely_is_zero() -> None:
    rng = np.random.default_rng(0)
    mask = np.array([[True, False], [False, False]])
    leaves, torch_leaves = zip(*[both(rng.standard_normal((2, 3))) for _ in range(3)], strict=True)
    for t in (*leaves, *torch_leaves):
        t.requires_grad_()
    y = ops.scaled_dot_product_attention(*leaves, mg.Tensor._from_array(mask))
    z = functional.scaled_dot_product_attention(*torch_leaves, torch.from_numpy(mask))
    np.testing.assert_allclose(y._array, z.detach().numpy(), rtol=1e-5, atol=1e-6)
    y.sum().backward()
    z.sum().backward()
    for a, b in zip(leaves, torch_leaves, strict=True):
        np.testing.assert_allclose(a.grad._array, b.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_attention_dropout_uses_one_mask() -> None:
    mg.manual_seed(5)
    q = mg.Tensor._from_array(np.zeros((1, 4, 8)))
    v = mg.Tensor._from_array(np.eye(4)[None]).requires_grad_()
    p = ops.scaled_dot_product_attention(q, q, v, dropout_p=0.5)
    np.testing.assert_allclose(np.unique(p._array), [0, 0.5])
    p.backward(mg.Tensor._from_array(np.eye(4)[None]))
    # With identities for value and gradient, dv is the transpose of the masked probabilities.
    np.testing.assert_allclose(v.grad._array[0], p._array[0].T)
