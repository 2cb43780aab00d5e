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


@pytest.mark.parametrize("create_graph", [False, True])
def test_smoothed_cross_entropy_of_ignored_samples_has_no_gradient(create_graph: bool) -> None:
    logits = mg.rand(3, 4, requires_grad=True)
    ignored = mg.full((3,), 1, dtype=mg.int64)
    loss = ops.cross_entropy(logits, ignored, ignore_index=1, label_smoothing=0.2)
    loss.backward(create_graph=create_graph)
    assert np.isnan(loss.item())
    np.testing.assert_array_equal(logits.grad.detach().numpy(), np.zeros((3, 4), np.float32))


def test_minus_one_in_unsigned_targets() -> None:
    x = mg.tensor([0.3, 0.9, 2.0])
    signs = mg.tensor([1, 255, 255], dtype=mg.uint8)
    loss = ops.hinge_embedding_loss(x, signs, margin=1.0, reduction="none")
    np.testing.assert_allclose(loss.numpy(), [0.3, 0.1, 0.0], rtol=1e-6, atol=1e-7)


def test_attention_gradients_of_large_scores_are_exact() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(-9, 9, (4, n, 8)) for n in (3, 6, 6, 3)]
    found = []
    for dtype in (mg.float32, mg.float64):
        q, k, v = (mg.tensor(a, dtype=dtype).requires_grad_() for a in arrays[:3])
        out = ops.scaled_dot_product_attention(q, k, v)
        found.append(mg.autograd.grad(out, (q, k, v), mg.tensor(arrays[3][..., :8], dtype=dtype)))
    for single, double in zip(*found, strict=True):
        size = np.abs(double.numpy()).max()
        assert np.abs(single.numpy() - double.numpy()).max() < 2e-6 * max(size, 1)


@pytest.mark.parametrize("value", [300, -1, 1e9])
def test_padding_with_what_the_type_cannot_hold(value: float) -> None:
    with pytest.raises(RuntimeError, match="without overflow"):
        ops.pad(mg.zeros(3, dtype=mg.uint8), (1, 1), value=value)
    padded = ops.pad(mg.zeros(2), (1, 0), value=mg.tensor(2.5))
    assert padded.tolist() == [2.5, 0.0, 0.0]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"stride": -1, "groups": 5}, RuntimeError, "non-positive stride"),
        ({"padding": -1}, RuntimeError, "negative padding"),
        ({"dilation": 0}, RuntimeError, "dilation should be greater than zero"),
        ({"groups": 2.0}, TypeError, "'groups' must be int, not float"),
        ({"padding": "same", "stride": 2}, RuntimeError, "not supported for strided"),
    ],
)
def test_convolutions_of_bad_steps(given: dict, error: type[Exception], message: str) -> None:
    x, w = mg.zeros(1, 2, 5), mg.zeros(3, 2, 2)
    with pytest.raises(error, match=message):
        ops.conv1d(x, w, **given)
    with pytest.raises(error, match=message):
        ops.conv2d(x[:, :, None], w[:, :, None], **given)


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
