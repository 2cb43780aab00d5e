"""Recurrent layers, cells and packed sequences beside PyTorch's."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.ops.recurrent import MODES, recurrent

torch = pytest.importorskip("torch")

KINDS = ["RNN", "LSTM", "GRU"]
TOLERANCE = {"float64": (1e-9, 1e-10), "float32": (1e-4, 1e-5)}


def array(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def layer(lib: Any, kind: str, *args: Any, **options: Any) -> Any:
    """A layer with the same parameters in both libraries."""
    made = getattr(lib.nn, kind)(*args, dtype=lib.float64, **options)
    with lib.no_grad():
        for i, p in enumerate(made.parameters()):
            p.copy_(lib.from_numpy(array(*p.shape, seed=i) * 0.4))
    return made


def leaves(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [] if value is None else [value]


def results(lib: Any, made: Any, inputs: list[Any], outputs: Any) -> list[Any]:
    """Outputs, and the gradients of a weighted sum of them, as NumPy arrays."""
    floats = [t for t in leaves(outputs) if t.dtype.is_floating_point]
    total = sum(
        (t * lib.linspace(-1, 1, t.numel()).to(t.dtype).reshape(t.shape)).sum() for t in floats
    )
    total.backward()
    found = [t.detach() for t in leaves(outputs)]
    found += [t.grad for t in inputs] + [p.grad for p in made.parameters()]
    return [None if t is None else np.asarray(t.double().numpy()) for t in found]


def same(ours: list[Any], theirs: list[Any], dtype: str = "float64") -> None:
    rtol, atol = TOLERANCE[dtype]
    for a, b in itertools.zip_longest(ours, theirs):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, strict=True)


OPTIONS = [
    {},
    {"num_layers": 2},
    {"bias": False},
    {"bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "batch_first": True},
    {"batch_first": True, "bias": False},
]


def states(lib: Any, kind: str, options: dict, batch: tuple, hidden: int) -> Any:
    count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    width = options.get("proj_size", 0) or hidden
    h = lib.from_numpy(array(count, *batch, width, seed=11)).requires_grad_()
    c = lib.from_numpy(array(count, *batch, hidden, seed=12)).requires_grad_()
    return (h, c) if kind == "LSTM" else h


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states"])
@pytest.mark.parametrize("batched", [False, True], ids=["unbatched", "batched"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", [*KINDS, "relu", "projection"])
def test_layers(kind: str, options: dict, batched: bool, given: bool, dtype: str) -> None:
    extra: dict = {}
    if kind == "relu":
        kind, extra = "RNN", {"nonlinearity": "relu"}
    if kind == "projection":
        kind, extra = "LSTM", {"proj_size": 2}
    found = []
    for lib in (mg, torch):
        made = layer(lib, kind, 4, 5, **options, **extra).to(getattr(lib, dtype))
        shape = ((3, 6) if options.get("batch_first") else (6, 3)) if batched else (6,)
        x = lib.from_numpy(array(*shape, 4, seed=10)).to(getattr(lib, dtype)).requires_grad_()
        hx = states(lib, kind, {**options, **extra}, (3,) if batched else (), 5) if given else None
        used = hx
        if hx is not None:
            to = getattr(lib, dtype)
            used = tuple(t.to(to) for t in hx) if kind == "LSTM" else hx.to(to)
        found.append(results(lib, made, [x, *leaves(hx)], made(x, used)))
    same(*found, dtype)


@pytest.mark.parametrize("sorted_here", [False, True])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", [*KINDS, "projection"])
def test_packed(kind: str, options: dict, given: bool, sorted_here: bool) -> None:
    extra = {}
    if kind == "projection":
        kind, extra = "LSTM", {"proj_size": 2}
    lengths = [2, 7, 5, 5, 1] if sorted_here else [7, 5, 5, 2, 1]
    found = []
    for lib in (mg, torch):
        made = layer(lib, kind, 4, 5, **options, **extra)
        first = options.get("batch_first", False)
        x = lib.from_numpy(array(*((5, 7) if first else (7, 5)), 4, seed=10)).requires_grad_()
        hx = states(lib, kind, {**options, **extra}, (5,), 5) if given else None
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, lengths, first, enforce_sorted=not sorted_here)
        out, last = made(packed, hx)
        padded = rnn.pad_packed_sequence(out, batch_first=first, padding_value=2.5, total_length=9)
        found.append(results(lib, made, [x, *leaves(hx)], [padded, last, out]))
    same(*found)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell", "relu"])
def test_cells(kind: str, batched: bool, bias: bool, given: bool) -> None:
    extra = {}
    if kind == "relu":
        kind, extra = "RNNCell", {"nonlinearity": "relu"}
    found = []
    for lib in (mg, torch):
        made = layer(lib, kind, 4, 5, bias=bias, **extra)
        batch = (3,) if batched else ()
        x = lib.from_numpy(array(*batch, 4, seed=10)).requires_grad_()
        h = lib.from_numpy(array(*batch, 5, seed=11)).requires_grad_()
        c = lib.from_numpy(array(*batch, 5, seed=12)).requires_grad_()
        hx = ((h, c) if kind == "LSTMCell" else h) if given else None
        found.append(results(lib, made, [x, *leaves(hx)], made(x, hx)))
    same(*found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half(kind: str, dtype: str) -> None:
    made = layer(mg, kind, 4, 5, bidirectional=True)
    x = mg.from_numpy(array(6, 3, 4))
    exact, _ = made(x)
    out, _ = made.to(getattr(mg, dtype))(x.to(getattr(mg, dtype)))
    assert out.dtype == getattr(mg, dtype)
    out.sum().backward()
    np.testing.assert_allclose(out.detach().double().numpy(), exact.detach().numpy(), atol=0.03)


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states"])
@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 2, 2, 1)], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", [*MODES, "projection"])
def test_gradients_of_gradients(mode: str, reverse: bool, sizes: tuple, given: bool) -> None:
    hidden, width, gates = 3, 3, {"LSTM": 4, "GRU": 3}.get(mode, 1) * 3
    projection = []
    if mode == "projection":
        mode, width, gates, projection = "LSTM", 2, 12, [(2, 3)]
    shapes = [(sum(sizes), 2), (gates, 2), (gates, width), (gates,), (gates,), *projection]
    if given:
        shapes += [(sizes[0], width)] + [(sizes[0], hidden)] * (mode == "LSTM")
    tensors = [
        mg.from_numpy(array(*shape, seed=i) * 0.7).requires_grad_()
        for i, shape in enumerate(shapes)
    ]

    def function(x: Any, *rest: Any) -> Any:
        weights, state = rest[: 4 + len(projection)], rest[4 + len(projection) :]
        weights += (None,) * (5 - len(weights))
        h, c = (*state, None, None)[:2]
        return recurrent(mode, reverse, np.array(sizes), x, h, c, weights)

    assert gradcheck(function, tensors)
    assert gradgradcheck(function, tensors)


def test_only_the_last_state() -> None:
    """Gradients that reach some outputs alone."""
    for pick in range(3):
        found = []
        for lib in (mg, torch):
            made = layer(lib, "LSTM", 4, 5)
            x = lib.from_numpy(array(6, 3, 4)).requires_grad_()
            out, (h, c) = made(x)
            found.append(results(lib, made, [x], [(out, h, c)[pick]]))
        same(*found)


def test_frozen_parameters_and_inputs() -> None:
    for frozen in ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0"):
        found = []
        for lib in (mg, torch):
            made = layer(lib, "GRU", 4, 5)
            getattr(made, frozen).requires_grad_(False)
            x = lib.from_numpy(array(6, 3, 4))
            found.append(results(lib, made, [x], made(x)))
        same(*found)


def test_retain_graph() -> None:
    made = layer(mg, "LSTM", 4, 5, proj_size=3)
    out, _ = made(mg.from_numpy(array(6, 3, 4)))
    out.sum().backward(retain_graph=True)
    once = [p.grad.numpy().copy() for p in made.parameters()]
    made.zero_grad()
    out.sum().backward()
    for p, g in zip(made.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)


def test_backward_frees_the_gates() -> None:
    made = layer(mg, "LSTM", 4, 5)
    out, _ = made(mg.from_numpy(array(6, 3, 4)))
    gates = weakref.ref(out.grad_fn.next_functions[0][0].saved[8][0])
    out.sum().backward()
    assert gates() is None


@pytest.mark.parametrize("kind", KINDS)
def test_no_sequences(kind: str) -> None:
    found = []
    for lib in (mg, torch):
        made = layer(lib, kind, 4, 5)
        x = lib.zeros(6, 0, 4, dtype=lib.float64, requires_grad=True)
        found.append([t.detach().numpy() for t in leaves(made(x))])
    same(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_start_values_and_state_dict(kind: str) -> None:
    options = {"num_layers": 2, "bidirectional": True}
    if kind == "LSTM":
        options["proj_size"] = 3
    made = []
    for lib in (mg, torch):
        lib.manual_seed(3)
        made.append(getattr(lib.nn, kind)(4, 5, **options))
    ours, theirs = (m.state_dict() for m in made)
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name].numpy(), value.numpy())
    assert [[tuple(p.shape) for p in group] for group in made[0].all_weights] == [
        [tuple(p.shape) for p in group] for group in made[1].all_weights
    ]
    assert repr(made[0]) == repr(made[1])
    made[0].flatten_parameters()
    again = pickle.loads(pickle.dumps(copy.deepcopy(made[0])))
    x = mg.from_numpy(array(6, 3, 4)).float()
    np.testing.assert_array_equal(again(x)[0].detach().numpy(), made[0](x)[0].detach().numpy())


def test_dropout_between_layers() -> None:
    made = layer(mg, "LSTM", 4, 5, num_layers=2, dropout=1.0)
    x = mg.from_numpy(array(6, 3, 4))
    plain = layer(mg, "LSTM", 4, 5, num_layers=2)
    made.eval()
    np.testing.assert_array_equal(made(x)[0].detach().numpy(), plain(x)[0].detach().numpy())
    made.train()
    other = made(x * 3)[1][0][1]
    np.testing.assert_array_equal(made(x)[1][0][1].detach().numpy(), other.detach().numpy())
    assert not np.array_equal(made(x)[0].detach().numpy(), plain(x)[0].detach().numpy())


def test_a_write_to_a_saved_output_is_found() -> None:
    made = layer(mg, "GRU", 4, 5)
    out, _ = made(mg.from_numpy(array(6, 3, 4)))
    out.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def ones(lib: Any, *shape: int, **options: Any) -> Any:
    return lib.ones(*shape, **options)


ERRORS = [
    lambda t: t.nn.LSTM(5, 6)(ones(t, 0, 3, 5)),
    lambda t: t.nn.LSTM(5, 6)(ones(t, 4, 3, 4)),
    lambda t: t.nn.LSTM(5, 6)(ones(t, 4)),
    lambda t: t.nn.GRU(5, 6)(ones(t, 4, 4, 4, 4)),
    lambda t: t.nn.RNN(5, 6)(ones(t, 4)),
    lambda t: t.nn.RNN(5, 6)(ones(t, 4, 5), ones(t, 1, 1, 6)),
    lambda t: t.nn.RNN(5, 6)(ones(t, 4, 3, 5), ones(t, 1, 6)),
    lambda t: t.nn.GRU(5, 6)(ones(t, 4, 3, 5), ones(t, 1, 2, 6)),
    lambda t: t.nn.GRU(5, 6)(ones(t, 4, 3, 5), ones(t, 1, 3, 6, dtype=t.float64)),
    lambda t: t.nn.LSTM(5, 6)(ones(t, 4, 3, 5), (ones(t, 1, 3, 6), ones(t, 1, 3, 5))),
    lambda t: t.nn.LSTM(5, 6)(ones(t, 4, 3, 5), (ones(t, 1, 3, 5), ones(t, 1, 3, 6))),
    lambda t: t.nn.LSTM(5, 6)(ones(t, 4, 3, 5), (ones(t, 1, 6), ones(t, 1, 3, 6))),
    lambda t: t.nn.LSTM(5, 6)(ones(t, 4, 5), (ones(t, 1, 1, 6), ones(t, 1, 1, 6))),
    lambda t: t.nn.RNN(5, 6, 1, "x"),
    lambda t: t.nn.RNNBase("x", 5, 6),
    lambda t: t.nn.GRU(5, 6, proj_size=3),
    lambda t: t.nn.RNN(5, 6, proj_size=3),
    lambda t: t.nn.LSTM(5, 6, proj_size=-1),
    lambda t: t.nn.LSTM(5, 6, proj_size=6),
    lambda t: t.nn.LSTM(5, 6, dropout=1.5),
    lambda t: t.nn.LSTM(5, 6, dropout=True),
    lambda t: t.nn.LSTM(5, 6, num_layers=0),
    lambda t: t.nn.LSTM(0, 6),
    lambda t: t.nn.LSTM(5, 0),
    lambda t: t.nn.LSTM(5.0, 6),
    lambda t: t.nn.LSTM(5, 6.0),
    lambda t: t.nn.LSTM(5, 6, bias=1),
    lambda t: t.nn.LSTM(5, 6, batch_first=1),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 3, 4)),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 3, 5), (ones(t, 2, 6), ones(t, 3, 6))),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 3, 5), (ones(t, 3, 6), ones(t, 2, 6))),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 3, 5), (ones(t, 3, 6), ones(t, 3, 5))),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 3, 5), (ones(t, 3, 6), ones(t, 3, 6, 1))),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 3, 5), ones(t, 3, 6)),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 5), (ones(t, 1, 6), ones(t, 1, 6))),
    lambda t: t.nn.LSTMCell(5, 6)(ones(t, 3, 5, dtype=t.float64)),
    lambda t: t.nn.GRUCell(5, 6)(ones(t, 3, 5), ones(t, 6)),
    lambda t: t.nn.GRUCell(5, 6)(ones(t, 1, 3, 5)),
    lambda t: t.nn.GRUCell(5, 6)(ones(t, 3, 5), ones(t, 1, 3, 6)),
    lambda t: t.nn.RNNCell(5, 6)(ones(t, 3, 5), ones(t, 3, 5)),
    lambda t: t.nn.RNNCell(5, 6, nonlinearity="x")(ones(t, 3, 5)),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 5), [4, 3]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 5), []),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 5), [4, 3, 0]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 5), [3, 4, 2]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 0, 5), []),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 5), [[4, 3, 2]]),
    lambda t: t.nn.utils.rnn.pad_packed_sequence(
        t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 5), [4, 3, 2]), total_length=3
    ),
    lambda t: t.nn.utils.rnn.pad_sequence(3),
    lambda t: t.nn.utils.rnn.pad_sequence([]),
    lambda t: t.nn.utils.rnn.pad_sequence([1, 2]),
    lambda t: t.nn.utils.rnn.pad_sequence([ones(t, 2)], padding_side="x"),
    lambda t: t.nn.utils.rnn.pad_sequence([ones(t, 2, 3), ones(t, 3, 2)]),
    lambda t: t.nn.utils.rnn.pack_sequence([ones(t, 2), ones(t, 3)]),
    lambda t: t.nn.utils.rnn.PackedSequence(ones(t, 3)),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number: int) -> None:
    messages = []
    for lib in (mg, torch):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            ERRORS[number](lib)
        text = str(caught.value).replace("minigrad.", "torch.")
        messages.append((type(caught.value).__name__, text))
    assert messages[0] == messages[1]


def test_wrong_dtype() -> None:
    messages = []
    for lib in (mg, torch):
        with pytest.raises(ValueError, match="RNN input dtype") as caught:
            lib.nn.GRU(5, 6)(lib.ones(4, 3, 5, dtype=lib.float64))
        messages.append(str(caught.value).replace("minigrad.", "torch."))
    assert messages[0] == messages[1]


def test_warning_about_dropout() -> None:
    texts = []
    for lib in (mg, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lib.nn.LSTM(5, 6, dropout=0.5)
        texts.append([(w.category, str(w.message)) for w in caught])
    assert texts[0] == texts[1]


LISTS = [
    ([(3, 2), (5, 2), (1, 2)], False), ([(4,), (4,)], True), ([(1, 2, 3)], True),
    ([(2, 0), (3, 0)], False),
]  # fmt: skip


@pytest.mark.parametrize("shapes", [shapes for shapes, _ in LISTS])
def test_sequences(shapes: list) -> None:
    found = []
    for lib in (mg, torch):
        rnn = lib.nn.utils.rnn
        given = [lib.from_numpy(array(*s, seed=i)).requires_grad_() for i, s in enumerate(shapes)]
        made = [
            rnn.pad_sequence(given, first, 1.5, side)
            for first, side in itertools.product((False, True), ("left", "right"))
        ]
        lengths = lib.tensor([s[0] for s in shapes])
        made += rnn.unpad_sequence(made[3], lengths, batch_first=True)
        if all(np.prod(s) for s in shapes):
            packed = rnn.pack_sequence(given, enforce_sorted=False)
            made += [packed, *rnn.unpack_sequence(packed)]
            made += list(rnn.pad_packed_sequence(packed, batch_first=True, total_length=8))
        found.append(results(lib, lib.nn.Identity(), given, made))
    same(*found)


def test_packed_sequence() -> None:
    texts = []
    for lib in (mg, torch):
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_sequence([lib.arange(2), lib.arange(3)], enforce_sorted=False)
        halves = packed.double().float().half().long().int().short().char().byte()
        assert halves.data.dtype == lib.uint8
        assert packed.to(lib.int64) is packed
        assert packed.cpu() is packed
        assert not packed.is_cuda
        same_one = rnn.PackedSequence((packed.data, packed.batch_sizes))
        texts.append([repr(packed), repr(halves), repr(same_one), len(packed)])
        inverse = rnn.invert_permutation(lib.tensor([2, 0, 1]))
        texts[-1].append(inverse.tolist())
    assert [str(t).replace("minigrad.", "torch.") for t in texts[0]] == [str(t) for t in texts[1]]
