"""Transformers against PyTorch: values, gradients, dropout-free training, masks, warnings."""

import itertools
import warnings

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
LIBS = (torch, mg)
E, HEADS, HIDDEN = 8, 2, 16


def both(compute):
    """The results of a computation with both libraries, each after the same seed."""
    found = []
    for lib in LIBS:
        lib.manual_seed(0)
        found.append(compute(lib))
    return found


def close(found, rtol=1e-9):
    theirs, ours = found
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol, strict=True)


def tensor(lib, shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return lib.tensor(values.tolist(), dtype=lib.float64).requires_grad_()


def grads(lib, out, *modules_and_tensors):
    """The output, and the gradients of sum(out * weights)."""
    weights = lib.linspace(-1, 1, out.numel(), dtype=lib.float64).reshape(out.shape)
    (out * weights).sum().backward()
    leaves = []
    for x in modules_and_tensors:
        leaves += list(x.parameters()) if isinstance(x, lib.nn.Module) else [x]
    return [out.detach().numpy(), *[x.grad.numpy() for x in leaves if x.grad is not None]]


@pytest.mark.parametrize(
    ("batch_first", "norm_first", "bias", "activation"),
    [(b, n, c, a) for b, n, c in itertools.product((0, 1), repeat=3) for a in ("relu", "gelu")],
)
@pytest.mark.filterwarnings("ignore")
def test_whole(batch_first, norm_first, bias, activation):
    def compute(lib):
        model = lib.nn.Transformer(
            E, HEADS, 2, 2, HIDDEN, 0.0, activation, batch_first=bool(batch_first),
            norm_first=bool(norm_first), bias=bool(bias), dtype=lib.float64,
        )  # fmt: skip
        src, tgt = tensor(lib, (3, 2, E)), tensor(lib, (4, 2, E), 1)
        if batch_first:
            src, tgt = tensor(lib, (2, 3, E)), tensor(lib, (2, 4, E), 1)
        mask = model.generate_square_subsequent_mask(4, dtype=lib.float64)
        padding = lib.tensor([[False, False, True], [False, True, True]])
        out = model(
            src, tgt, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
        )
        return grads(lib, out, model, src, tgt)

    close(both(compute))
    states = both(lambda lib: list(lib.nn.Transformer(E, HEADS, 1, 1, HIDDEN).state_dict()))
    assert states[0] == states[1]
    assert len(set(both(lambda lib: repr(lib.nn.Transformer(E, HEADS, 1, 1, HIDDEN))))) == 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("aligned", [True, False])
def test_encoder_padding(training, grad, aligned):
    """Evaluation without gradients sets what is padded at the end to 0, as nested tensors do."""
    rows = [[0, 0, 0, 0], [0, 0, 1, 1]] if aligned else [[0, 0, 0, 0], [0, 1, 1, 0]]

    def compute(lib):
        layer = lib.nn.TransformerEncoderLayer(
            E, HEADS, HIDDEN, 0.0, batch_first=True, dtype=lib.float64
        )
        norm = lib.nn.LayerNorm(E, dtype=lib.float64)
        encoder = lib.nn.TransformerEncoder(layer, 2, norm).train(training)
        mask = lib.tensor(rows).bool()
        with lib.set_grad_enabled(grad):
            return [encoder(tensor(lib, (2, 4, E)), src_key_padding_mask=mask).detach().numpy()]

    close(both(compute))


@pytest.mark.parametrize("kind", ["none", "float", "bool", "hint", "heads"])
def test_masks(kind):
    def compute(lib):
        layer = lib.nn.TransformerDecoderLayer(E, HEADS, HIDDEN, 0.0, dtype=lib.float64)
        decoder = lib.nn.TransformerDecoder(layer, 2)
        options = {}
        square = lib.nn.Transformer.generate_square_subsequent_mask(3)
        if kind in ("float", "hint"):
            options["tgt_mask"] = square.double()
        if kind == "hint":
            options["tgt_is_causal"] = True
        if kind == "bool":
            options["tgt_mask"] = square != 0
            options["tgt_key_padding_mask"] = lib.tensor([[False, False, True]] * 2)
        if kind == "heads":
            options["memory_mask"] = tensor(lib, (2 * HEADS, 3, 5), 3).detach()
        x, memory = tensor(lib, (3, 2, E)), tensor(lib, (5, 2, E), 1)
        return grads(lib, decoder(x, memory, **options), decoder, x, memory)

    close(both(compute))


@pytest.mark.parametrize("kind", ["module", "function", "lambda"])
def test_activations(kind):
    def activation(lib):
        if kind == "module":
            return lib.nn.PReLU(dtype=lib.float64)
        return lib.nn.functional.silu if kind == "function" else lambda x: x.tanh()

    def compute(lib):
        layer = lib.nn.TransformerEncoderLayer(
            E, HEADS, HIDDEN, 0.0, activation(lib), dtype=lib.float64
        )
        x = tensor(lib, (3, E))
        return [list(layer.state_dict()), repr(layer), grads(lib, layer(x), layer, x)]

    (keys, text, theirs), (own_keys, own_text, ours) = both(compute)
    assert own_keys == keys
    assert own_text == text
    close((theirs, ours))


def test_warnings_and_errors():
    def messages(lib, options):
        layer = lib.nn.TransformerEncoderLayer(6, **options)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lib.nn.TransformerEncoder(layer, 1)
        return [str(w.message) for w in caught]

    for options in (
        {"nhead": 2},
        {"nhead": 3, "batch_first": True},
        {"nhead": 2, "batch_first": True},
        {"nhead": 2, "batch_first": True, "norm_first": True},
        {"nhead": 2, "batch_first": True, "bias": False},
        {"nhead": 2, "batch_first": True, "activation": lambda x: x},
    ):
        theirs, ours = both(lambda lib: messages(lib, options))  # noqa: B023
        assert ours == theirs
    for lib in LIBS:
        model = lib.nn.Transformer(E, HEADS, 1, 1, HIDDEN)
        with pytest.raises(RuntimeError, match="batch number of src and tgt"):
            model(lib.zeros(3, 2, E), lib.zeros(3, 1, E))
        with pytest.raises(RuntimeError, match="feature number"):
            model(lib.zeros(3, 2, E - 1), lib.zeros(3, 2, E))
        with pytest.raises(RuntimeError, match="activation should be relu/gelu"):
            lib.nn.TransformerEncoderLayer(E, HEADS, activation="tanh")
