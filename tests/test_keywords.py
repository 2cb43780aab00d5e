"""Arguments by PyTorch's keywords, and `axis` for `dim` as NumPy says."""

from __future__ import annotations

from typing import Any

import pytest
from pair import both

X = "m.arange(24.0).view(2, 3, 4)"
CALLS = (
    "m.cat([x, x], axis=1)", "m.concat([x, x], axis=-1)", "m.concatenate([x, x], axis=0)",
    "m.stack([x, x], axis=2)", "m.chunk(x, 2, axis=2)", "x.chunk(2, axis=1)",
    "m.unbind(x, axis=1)", "m.split_with_sizes(x, [1, 2], axis=1)",
    "m.tensor_split(x, 2, axis=2)", "m.squeeze(x[:1], axis=0)", "x.unsqueeze(axis=1)",
    "m.unsqueeze(x, axis=-1)", "m.softmax(x, axis=1)", "x.softmax(axis=-1)",
    "m.log_softmax(x, axis=0)", "m.narrow(x, axis=1, start=1, length=2)",
    "m.select(x, axis=2, index=1)", "m.index_select(x, axis=1, index=m.tensor([0, 2]))",
    "m.gather(x, axis=2, index=m.tensor([[[0], [1], [2]]]))",
    "m.take_along_dim(x, m.tensor([[[0]], [[1]]]), axis=1)",
    "m.repeat_interleave(x, 2, axis=1)", "m.cross(x, x + 1, axis=1)",
    "m.cosine_similarity(x, x + 1, axis=2)", "m.sum(x, axis=1, keepdims=True)",
    "m.argmax(x, axis=1)", "m.sort(x, axis=1).values", "m.cumsum(x, axis=1)",
    "m.swapaxes(x, axis0=0, axis1=1)", "x.swapaxes(axis0=0, axis1=2)",
    "m.swapdims(x, dim0=0, dim1=1)",
    "m.moveaxis(x, source=0, destination=1)", "m.flip(x, dims=(0,))", "x.view(size=(6, 4))",
    "x.reshape(shape=(4, 6))", "x.permute(dims=(2, 0, 1))", "x.expand(size=(5, 2, 3, 4))",
    "x.repeat(repeats=(2, 1, 1))", "m.tile(x, dims=(2, 1))", "m.roll(x, shifts=1, dims=1)",
    "m.zeros(3).resize_(size=(1, 2))", "m.transpose(x, dim0=0, dim1=1)",
    "m.movedim(x, source=(0, 1), destination=(1, 0))", "x.sum(dim=(0, 2), keepdim=True)",
    "x.squeeze(axis=7)", "m.cat([x], axis='a')", "m.softmax(x)", "m.narrow(x)",
)  # fmt: skip


def _outcome(call: str, m: Any) -> Any:
    try:
        result = eval(call, {"m": m, "x": eval(X, {"m": m})})  # noqa: S307
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    several = result if isinstance(result, tuple) else (result,)
    return [(tuple(t.shape), t.tolist()) for t in several]


@pytest.mark.parametrize("call", CALLS)
def test_keywords(call: str) -> None:
    torch = pytest.importorskip("torch")
    import minigrad

    ours, theirs = _outcome(call, minigrad), _outcome(call, torch)
    if isinstance(theirs, str):
        assert ours == theirs
        return
    for (shape, values), (wanted, numbers) in zip(ours, theirs, strict=True):
        assert shape == wanted
        assert _flat(values) == pytest.approx(_flat(numbers), rel=1e-5, abs=1e-6)


def _flat(values: Any) -> list:
    if not isinstance(values, list):
        return [values]
    return [v for part in values for v in _flat(part)]


@both
def test_softmax_of_no_integers(m: Any) -> None:
    assert m.softmax(m.ones(5, 0, 0, dtype=m.int16), -1).dtype == m.int16
    assert m.log_softmax(m.ones(0, dtype=m.int64), 0).shape == (0,)


@both
def test_nonzero_as_tuple_has_no_out(m: Any) -> None:
    with pytest.raises(RuntimeError, match="out kwarg"):
        m.nonzero(m.ones(3), as_tuple=True, out=m.empty(0, dtype=m.int64))
