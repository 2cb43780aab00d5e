"""Functions of `torch` that differ from those of `nn.functional`, in both libraries."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pair import torch

import minigrad as mg


def arrays(lib: Any, *shapes: tuple, grad: bool = True) -> list:
    rng = np.random.default_rng(0)
    found = [lib.from_numpy(rng.standard_normal(shape)) for shape in shapes]
    return [t.requires_grad_(grad) for t in found]


def norm_arguments(lib: Any) -> tuple:
    """x (3, 4, 2, 5), weight, bias, running mean and variance."""
    x, w, b = arrays(lib, (3, 4, 2, 5), (4,), (4,))
    mean, var = arrays(lib, (4,), (4,), grad=False)
    return x, w, b, mean, var**2


def of_norm(name: str, *rest: Any, statistics: bool = True) -> Callable:
    def call(lib: Any) -> tuple:
        x, w, b, *stats = norm_arguments(lib)
        stats = stats if statistics else [None, None]
        return getattr(lib, name)(x, w, b, *stats, *rest), (x, w, b), stats

    return call


def with_arrays(name: str, shapes: list, *rest: Any, **options: Any) -> Callable:
    def call(lib: Any) -> tuple:
        given = arrays(lib, *shapes)
        return getattr(lib, name)(*given, *rest, **options), given, []

    return call


def signs(name: str, *rest: Any) -> Callable:
    def call(lib: Any) -> tuple:
        a, b, y = arrays(lib, (3, 4), (3, 4), (3,))
        return getattr(lib, name)(a, b, y.detach().sign(), *rest), [a, b], []

    return call


def ranked(lib: Any) -> tuple:
    a, b, y = arrays(lib, (3,), (3,), (3,))
    return lib.margin_ranking_loss(a, b, y.detach().sign(), 0.1, 2), [a, b], []


def hinged(lib: Any) -> tuple:
    a, y = arrays(lib, (3,), (3,))
    return lib.hinge_embedding_loss(a, y.detach().sign(), 1.5, 0), [a], []


def divergence(lib: Any) -> tuple:
    a, y = arrays(lib, (3, 4), (3, 4))
    return lib.kl_div(a, y.detach(), 2, log_target=True), [a], []


def aligned(lib: Any, **options: Any) -> tuple:
    (a,) = arrays(lib, (5, 2, 4))
    lengths = (lib.tensor([5, 4]), lib.tensor([2, 2]))
    targets = lib.tensor([[1, 2], [2, 3]])
    return lib.ctc_loss(a.log_softmax(2), targets, *lengths, **options), [a], []


def logits(lib: Any) -> tuple:
    a, y = arrays(lib, (3, 4), (3, 4))
    return lib.binary_cross_entropy_with_logits(a, y.detach(), None, y.detach() ** 2, 2), [a], []


def counts(lib: Any) -> tuple:
    a, y = arrays(lib, (3, 4), (3, 4))
    return lib.poisson_nll_loss(a, y.detach() ** 2, True, False, 1e-8, 0), [a], []


def moved(lib: Any) -> tuple:
    x, *_, mean, var = norm_arguments(lib)
    return lib.batch_norm_update_stats(x.detach(), mean, var, 0.3), [], [mean, var]


def table(lib: Any) -> tuple:
    (weight,) = arrays(lib, (5, 3))
    return lib.embedding(weight, lib.tensor([[1, 0, 4], [1, 1, 2]]), 1, True), [weight], []


LN = (2, 5)
CALLS = {
    "batch_norm": of_norm("batch_norm", True, 0.3, 1e-4, False),
    "batch_norm-eval": of_norm("batch_norm", False, 0.3, 1e-4, True),
    "instance_norm": of_norm("instance_norm", True, 0.3, 1e-4, False),
    "instance_norm-none": of_norm("instance_norm", True, 0.3, 1e-4, False, statistics=False),
    "native_batch_norm": of_norm("native_batch_norm", True, 0.3, 1e-4),
    "native_batch_norm-eval": of_norm("native_batch_norm", False, 0.3, 1e-4),
    "native_batch_norm-none": of_norm("native_batch_norm", True, 0.3, 1e-4, statistics=False),
    "layer_norm": with_arrays("layer_norm", [(3, 4, *LN)], LN, None, None, 1e-4, False),
    "native_layer_norm": with_arrays("native_layer_norm", [(3, 4, *LN)], LN, None, None, 1e-4),
    "group_norm": with_arrays("group_norm", [(3, 4, *LN)], 2, cudnn_enabled=False),
    "native_group_norm": with_arrays(
        "native_group_norm", [(3, 4, *LN), (4,), (4,)], 3, 4, 10, 2, 1e-4
    ),
    "batch_norm_update_stats": moved,
    "embedding": table,
    "max_pool1d_with_indices": with_arrays("max_pool1d_with_indices", [(2, 3, 7)], 3, (), 1),
    "max_pool1d": with_arrays("max_pool1d", [(2, 3, 7)], 3, 2, 1),
    "adaptive_max_pool1d": with_arrays("adaptive_max_pool1d", [(2, 3, 7)], 3),
    "cosine_embedding_loss": signs("cosine_embedding_loss", 0.1, 0),
    "margin_ranking_loss": ranked,
    "hinge_embedding_loss": hinged,
    "kl_div": divergence,
    "ctc_loss": aligned,
    "ctc_loss-mean": functools.partial(aligned, reduction=1),
    "ctc_loss-sum": functools.partial(aligned, reduction=2, zero_infinity=True),
    "flip": with_arrays("flip", [(3, 4)], (0, -1)),
    "binary_cross_entropy_with_logits": logits,
    "poisson_nll_loss": counts,
    "triplet_margin_loss": with_arrays("triplet_margin_loss", [(3, 4)] * 3, 1.0, 2, 1e-6, False, 0),
    "native_dropout-eval": with_arrays("native_dropout", [(3, 4)], 0.5, False),
    "native_dropout-0": with_arrays("native_dropout", [(3, 4)], 0.0, True),
    "native_dropout-1": with_arrays("native_dropout", [(3, 4)], 1.0, None),
    "dropout": with_arrays("dropout", [(3, 4)], p=0.5, train=False),
    "feature_dropout": with_arrays("feature_dropout", [(3, 4)], 1.0, True),
}  # fmt: skip


def same(ours: Any, theirs: Any) -> None:
    assert str(ours.dtype) == str(theirs.dtype)
    assert ours.requires_grad == theirs.requires_grad
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9, strict=True)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_values_and_gradients(call: Callable) -> None:
    found = []
    for lib in (mg, torch):
        result, leaves, changed = call(lib)
        results = list(result) if isinstance(result, tuple) else [result]
        total: Any = 0.0
        for r in results:
            if r.requires_grad:
                total = total + (r * lib.arange(r.numel(), dtype=r.dtype).reshape(r.shape)).sum()
        if leaves:
            total.backward()
        found.append([*results, *[t.grad for t in leaves], *[t for t in changed if t is not None]])
    assert len(found[0]) == len(found[1])
    for ours, theirs in zip(*found, strict=True):
        if theirs is None:
            assert ours is None
        else:
            same(ours, theirs)


def test_masks() -> None:
    """The mask says what stays, and the gradient goes through the same elements."""
    mg.manual_seed(0)
    x = mg.ones(50, 40, requires_grad=True)
    out, mask = mg.native_dropout(x, 0.25, True)
    kept = mask.numpy()
    assert mask.dtype == mg.bool
    assert 0.7 < kept.mean() < 0.8
    np.testing.assert_allclose(out.detach().numpy(), kept / np.float32(0.75))
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), kept / np.float32(0.75))


def test_native_dropout_follows_pytorchs_stream() -> None:
    before = mg.random.match_torch()
    mg.random.match_torch(True)
    try:
        masks = []
        for lib in (mg, torch):
            lib.manual_seed(3)
            masks.append(lib.native_dropout(lib.ones(100), 0.3, True)[1].numpy())
    finally:
        mg.random.match_torch(before)
    np.testing.assert_array_equal(*masks)


@pytest.mark.parametrize("name", ["dropout", "feature_dropout", "alpha_dropout"])
def test_dropouts_in_place_and_bad(name: str) -> None:
    for lib in (mg, torch):
        x = lib.ones(3, 4)
        assert getattr(lib, name + "_")(x, 1.0, True) is x
        assert float(abs(x).sum()) == 0 or name == "alpha_dropout"
        with pytest.raises(RuntimeError, match="between 0 and 1"):
            getattr(lib, name)(x, 1.5, True)
        with pytest.raises(TypeError):
            getattr(lib, name)(x, 0.5)


def test_reductions() -> None:
    """Without a number PyTorch's parser takes 0, and every number but 1 and 2 is none."""
    for name in ("cosine_embedding_loss", "margin_ranking_loss", "triplet_margin_loss", "kl_div",
                 "binary_cross_entropy_with_logits", "hinge_embedding_loss"):  # fmt: skip
        for options in ({}, *({"reduction": r} for r in (0, 1, 2, 3, -1))):
            results = []
            for lib in (mg, torch):
                a, b = (lib.linspace(0.1, end, 6).reshape(2, 3) for end in (0.9, 0.4))
                y = lib.tensor([1.0, -1.0])
                given = {
                    "cosine_embedding_loss": (a, b, y),
                    "hinge_embedding_loss": (a[:, 0], y),
                    "margin_ranking_loss": (a[:, 0], b[:, 0], y),
                    "triplet_margin_loss": (a, b, b * a),
                }.get(name, (a, b))
                results.append(getattr(lib, name)(*given, **options).numpy())
            np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6, strict=True)


def test_wrong_sizes() -> None:
    for lib in (mg, torch):
        with pytest.raises(RuntimeError):
            lib.native_group_norm(lib.ones(2, 4, 3), None, None, 2, 4, 2, 2, 1e-5)
        with pytest.raises(TypeError, match=r"'reduction' (\(position 3\) )?must be int, not str"):
            lib.kl_div(lib.ones(2), lib.ones(2), "mean")
        with pytest.raises(TypeError, match="must be tuple of ints, not int"):
            lib.flip(lib.ones(2, 2), 0)


def test_of_other_libraries() -> None:
    """Functions that PyTorch has without gradients or for float32 only."""
    for shape, call in (
        ((2, 4, 3), lambda lib, x: lib.native_channel_shuffle(x, 2)),
        ((2, 4, 3, 5), lambda lib, x: lib.mkldnn_convolution(
            x, lib.ones(4, 2, 3, 3), None, [1, 0], [2, 1], [1, 1], 2)),
    ):  # fmt: skip
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        ours, theirs = (call(lib, lib.from_numpy(x)).numpy() for lib in (mg, torch))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert not mg.cudnn_is_acceptable(mg.ones(2))


def test_sampling_by_numbers() -> None:
    rng = np.random.default_rng(3)
    image, points = rng.standard_normal((2, 3, 4, 5)), rng.uniform(-1.3, 1.3, (2, 3, 2, 2))
    box, space = rng.standard_normal((1, 2, 3, 4, 5)), rng.uniform(-1.3, 1.3, (1, 2, 3, 2, 3))
    for name, x, at in (
        ("grid_sampler", image, points),
        ("grid_sampler", box, space),
        ("grid_sampler_2d", image, points),
        ("grid_sampler_3d", box, space),
    ):
        for mode in (0, 1, 2) if x.ndim == 4 else (0, 1):
            for outside in (0, 1, 2):
                found = []
                for lib in (mg, torch):
                    a, b = (lib.from_numpy(v.copy()).requires_grad_() for v in (x, at))
                    y = getattr(lib, name)(a, b, mode, outside, outside == 1)
                    (y * y).sum().backward()
                    found.append((y, a.grad, b.grad))
                for ours, theirs in zip(*found, strict=True):
                    np.testing.assert_allclose(
                        ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-9
                    )
    for lib in (mg, torch):
        a, b = lib.zeros(1, 1, 2, 2, 2), lib.zeros(1, 2, 2, 2, 3)
        with pytest.raises(RuntimeError, match="expected 4D input"):
            lib.grid_sampler_2d(a, b, 0, 0, False)
        with pytest.raises(RuntimeError, match="bicubic"):
            lib.grid_sampler(a, b, 2, 0, False)
    with pytest.raises(ValueError, match="given modes 5 and 0"):
        mg.grid_sampler(mg.zeros(1, 1, 2, 2), mg.zeros(1, 2, 2, 2), 5, 0, False)


@pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
def test_embedding_renorm(p: float) -> None:
    values = np.random.default_rng(4).standard_normal((6, 5)).astype(np.float32)
    found = []
    for lib in (mg, torch):
        w = lib.from_numpy(values.copy())
        assert lib.embedding_renorm_(w, lib.tensor([[1, 4], [1, 2]]), 1.0, p) is w
        found.append(w.numpy())
        with pytest.raises(IndexError):
            lib.embedding_renorm_(w, lib.tensor([7]), 1.0, p)
        with pytest.raises(RuntimeError, match="scalar types: Long, Int"):
            lib.embedding_renorm_(w, lib.tensor([1.0]), 1.0, p)
        with pytest.raises(RuntimeError, match="leaf Variable"):
            lib.embedding_renorm_(lib.ones(3, 2, requires_grad=True), lib.tensor([0]), 1.0, p)
    np.testing.assert_allclose(*found, rtol=1e-6)
    assert not np.array_equal(found[0], values)
