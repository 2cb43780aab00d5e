"""`Embedding` and `EmbeddingBag` with `sparse=True`: gradients, sums of them, what uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

IDS = [[1, 3], [1, 0]]


def table(lib: Any, kind: str = "Embedding", **options: Any) -> Any:
    layer = getattr(lib.nn, kind)(5, 2, sparse=True, **options).double()
    with lib.no_grad():
        layer.weight.copy_(lib.arange(10.0).reshape(5, 2) / 10)
    return layer


def squares(layer: Any, lib: Any) -> Any:
    return (layer(lib.tensor(IDS)) ** 2).sum()


def plain(value: Any) -> Any:
    """What two libraries can be compared by."""
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if not isinstance(value, (mg.Tensor, torch.Tensor)):
        return value
    value = value.detach()
    dense = value.to_dense() if value.is_sparse else value
    return [value.is_sparse, str(value.layout), str(value.dtype), np.array(dense)]


def check(call: Callable) -> None:
    mine, theirs = plain(call(mg)), plain(call(torch))
    compare(mine, theirs)


def compare(mine: Any, theirs: Any) -> None:
    if isinstance(theirs, list):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs):
            compare(a, b)
    elif isinstance(theirs, np.ndarray):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14, strict=True)
    else:
        assert mine == theirs


@pytest.mark.parametrize(
    "options", [{}, {"padding_idx": 1}, {"padding_idx": -2}, {"max_norm": 0.5}]
)
def test_places_and_values(options: dict) -> None:
    def call(lib: Any) -> tuple:
        layer = table(lib, **options)
        squares(layer, lib).backward()
        g = layer.weight.grad
        c = g.coalesce()
        return (g, g._indices(), g._values(), g.is_coalesced(), c.indices(), c.values(), g._nnz(),
                g.sparse_dim(), g.dense_dim(), repr(g), str(layer))  # fmt: skip

    check(call)


def test_no_rows() -> None:
    def call(lib: Any) -> tuple:
        layer = table(lib)
        layer(lib.tensor([], dtype=lib.int64)).sum().backward()
        return layer.weight.grad, layer.weight.grad.is_coalesced(), layer.weight.grad._nnz()

    check(call)


def sparse_loss(layer: Any, lib: Any) -> Any:
    return layer(lib.tensor([2, 1])).sum()


def dense_loss(layer: Any, lib: Any) -> Any:
    return (layer.weight**3).sum()


ORDERS = {
    "sparse, sparse": [squares, sparse_loss],
    "the same rows": [squares, squares],
    "sparse, dense": [squares, dense_loss],
    "dense, sparse": [dense_loss, squares],
}


@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.filterwarnings("ignore:Using backward")
def test_sums(name: str, together: bool, create_graph: bool, hooks: bool) -> None:
    broken = together and name == "dense, sparse"  # PyTorch adds in the wrong order there

    def call(lib: Any) -> tuple:
        layer = table(lib)
        seen: list = []
        if hooks:
            layer.weight.register_hook(lambda g: seen.append(g) or g * 2)
        losses = [loss(layer, lib) for loss in ORDERS[name]]
        if together:
            recorded = create_graph and not (broken and lib is torch)
            (losses[0] + losses[1]).backward(create_graph=recorded)
        else:
            for loss in losses:
                loss.backward(create_graph=create_graph)
        return seen, layer.weight.grad, broken or layer.weight.grad.requires_grad

    check(call)


def test_gradients_are_kept_in_place_where_pytorch_keeps_them() -> None:
    def call(lib: Any) -> list:
        found = []
        for order in ORDERS.values():
            layer = table(lib)
            order[0](layer, lib).backward()
            before = layer.weight.grad
            order[1](layer, lib).backward()
            found.append(layer.weight.grad is before)
        return found

    check(call)


def test_grad_and_second_order() -> None:
    def call(lib: Any) -> list:
        layer = table(lib)
        w = layer.weight
        (first,) = lib.autograd.grad(squares(layer, lib), w)
        v = lib.ones(2, 2, 2, dtype=lib.float64)
        (second,) = lib.autograd.grad(layer(lib.tensor(IDS)), w, v)
        if lib is mg:
            v.zero_()  # the result is no view of it
        (third,) = lib.autograd.grad((layer(lib.tensor(IDS)) ** 3).sum(), w, create_graph=True)
        (third.to_dense() ** 2).sum().backward()
        squares(layer, lib).backward(inputs=[w])
        return [first, second, third, w.grad]

    check(call)


def test_seen_by_hooks_and_anomaly_detection() -> None:
    def call(lib: Any) -> list:
        layer = table(lib)
        seen: list = []
        out = layer(lib.tensor(IDS))
        out.grad_fn.register_hook(lambda given, grads: seen.extend([given[0], grads[0]]))
        layer.weight.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad))
        with lib.autograd.detect_anomaly(check_nan=True):
            (out**2).sum().backward()
        return seen

    with pytest.warns(UserWarning, match="Anomaly"):
        check(call)
    for lib in (mg, torch):
        layer = table(lib)
        with pytest.warns(UserWarning, match="Anomaly"), lib.autograd.detect_anomaly():
            loss = (layer(lib.tensor(IDS)) * lib.tensor(float("nan"))).sum()
            with pytest.raises(RuntimeError, match="returned nan"):
                loss.backward()


def test_not_of_leaves_and_frozen() -> None:
    """Behind other operations the gradient is a dense one here; its values are PyTorch's."""
    for lib in (mg, torch):
        w = lib.arange(10.0).reshape(5, 2).requires_grad_()
        lib.nn.functional.embedding(lib.tensor(IDS), w * 2, sparse=True).sum().backward()
        grad = w.grad.to_dense() if w.grad.is_sparse else w.grad
        assert grad.tolist() == [[2, 2], [4, 4], [0, 0], [2, 2], [0, 0]]
        frozen = lib.nn.Embedding.from_pretrained(w.detach(), sparse=True)
        assert not frozen(lib.tensor(IDS)).requires_grad and frozen.sparse


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(
    "options",
    [{"mode": "sum"}, {"mode": "mean"}, {"mode": "sum", "padding_idx": 1},
     {"mode": "mean", "padding_idx": 1}, {"mode": "sum", "max_norm": 0.5}],
)  # fmt: skip
def test_bags(options: dict, weights: bool) -> None:
    if weights and options["mode"] != "sum":
        options = {**options, "mode": "sum"}

    def call(lib: Any) -> list:
        layer = table(lib, "EmbeddingBag", **options)
        samples = lib.tensor([[0.5, 2.0], [3.0, 4.0]], dtype=lib.float64, requires_grad=True)
        given = samples if weights else None
        out = layer(lib.tensor(IDS), None, given)
        (out**2).sum().backward()
        (grad,) = lib.autograd.grad(
            (layer(lib.tensor(IDS), None, given) ** 3).sum(), layer.weight, create_graph=True
        )
        g = layer.weight.grad
        return [out, g, g._indices(), g._values(), samples.grad, grad, str(layer)]

    check(call)


def test_second_order_of_bags() -> None:
    """PyTorch has none; the same as with dense gradients."""
    dense = mg.nn.EmbeddingBag(5, 2, mode="mean").double()
    with mg.no_grad():
        dense.weight.copy_(table(mg, "EmbeddingBag").weight)
    (expected,) = mg.autograd.grad(
        (dense(mg.tensor(IDS)) ** 3).sum(), dense.weight, create_graph=True
    )
    (expected**2).sum().backward()
    layer = table(mg, "EmbeddingBag", mode="mean")
    (grad,) = mg.autograd.grad((layer(mg.tensor(IDS)) ** 3).sum(), layer.weight, create_graph=True)
    (grad.to_dense() ** 2).sum().backward()
    assert layer.weight.grad.is_sparse
    np.testing.assert_allclose(layer.weight.grad.to_dense(), dense.weight.grad, rtol=1e-12)


def test_refusals() -> None:
    for lib in (mg, torch):
        for kind in ("Embedding", "EmbeddingBag"):
            layer = table(lib, kind, scale_grad_by_freq=True)
            with pytest.raises(RuntimeError, match="scale_grad_by_freq not supported with sparse"):
                squares(layer, lib).backward()
        with pytest.raises(ValueError, match="max mode does not support sparse"):
            squares(table(lib, "EmbeddingBag", mode="max"), lib)
        layer = table(lib)
        squares(layer, lib).backward()
        for clip in (lib.nn.utils.clip_grad_norm_, lib.nn.utils.clip_grad_value_):
            with pytest.raises(NotImplementedError):
                clip(layer.parameters(), 0.1)
        for options in ({"weight_decay": 0.1}, {"fused": True}):
            with pytest.raises(RuntimeError):
                lib.optim.SGD(layer.parameters(), lr=0.1, **options).step()


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}), ("SGD", {"lr": 0.1, "foreach": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.1}), ("Adagrad", {"lr": 0.1}),
    ("SparseAdam", {"lr": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize("to_none", [True, False])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_training(name: str, options: dict, to_none: bool) -> None:
    def call(lib: Any) -> Any:
        layer = table(lib)
        optimizer = getattr(lib.optim, name)(layer.parameters(), **options)
        for _ in range(4):
            optimizer.zero_grad(set_to_none=to_none)
            squares(layer, lib).backward()
            optimizer.step()
        layer.zero_grad(set_to_none=to_none)
        return layer.weight, layer.weight.grad

    check(call)


def test_scaled_gradients() -> None:
    def call(lib: Any) -> Any:
        layer = table(lib)
        optimizer = lib.optim.SGD(layer.parameters(), lr=0.1)
        scaler = lib.amp.GradScaler("cpu")
        for factor in (1.0, float("inf")):  # the second step is left out
            optimizer.zero_grad()
            scaler.scale(squares(layer, lib) * factor).backward()
            scaler.step(optimizer)
            scaler.update()
        return layer.weight, scaler.get_scale()

    check(call)


METHODS = {
    "mul_": lambda g: g.mul_(2), "div_": lambda g: g.div_(4), "zero_": lambda g: g.zero_(),
    "add_": lambda g: g.add_(g), "sub_": lambda g: g.sub_(g * 3), "neg_": lambda g: g.neg_(),
    "copy_": lambda g: g.clone().copy_(g), "norm": lambda g: g.norm(),
    "norm 1": lambda g: g.norm(1), "isnan": lambda g: g.coalesce().isnan(),
    "data": lambda g: g.data,
    "through data": lambda g: (g.data.mul_(2), g)[1], "detach_": lambda g: g.detach_(),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_the_gradient(name: str) -> None:
    def call(lib: Any) -> Any:
        layer = table(lib)
        squares(layer, lib).backward()
        return METHODS[name](layer.weight.grad), layer.weight.grad

    check(call)


def test_added_to_dense_tensors() -> None:
    def call(lib: Any) -> list:
        layer = table(lib)
        squares(layer, lib).backward()
        g = layer.weight.grad
        d = lib.ones(5, 2, dtype=lib.float64)
        d.add_(g, alpha=-0.1)
        e = lib.ones(5, 2, dtype=lib.float64)
        e += g
        layer.weight.data.add_(g, alpha=-0.1)
        with lib.no_grad():
            layer.weight -= 0.1 * g
        return [d, e, d + g, layer.weight]

    check(call)
