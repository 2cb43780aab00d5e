"""Layers against PyTorch: start values for a seed, keys, reprs, outputs and gradients."""

import itertools
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

torch = pytest.importorskip("torch")

F64 = "dtype=T.float64"
# A call of nn, and the shapes of its inputs ("i" shapes hold integers below 5).
LAYERS = """
Linear(4, 3) | 2,4 ; Linear(4, 3, bias=False) | 4 ; Linear(4, 3) | 2,3,4
Bilinear(3, 4, 2) | 5,3 5,4 ; Bilinear(3, 4, 2, bias=False) | 5,3 5,4 ; Identity(3, a=4) | 2,3
Conv1d(4, 6, 3) | 2,4,9 ; Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2) | 2,4,9
Conv1d(4, 6, 4, padding='same', bias=False) | 4,9 ; Conv1d(2, 3, 3, padding='valid') | 1,2,9
Conv1d(2, 3, 3, padding=2, padding_mode='circular') | 1,2,9
Conv2d(3, 4, 3) | 2,3,8,7 ; Conv2d(3, 4, (3, 2), (2, 1), (1, 0), groups=1) | 3,8,7
Conv2d(4, 4, 3, padding='same', dilation=2, groups=4) | 2,4,8,7
Conv2d(2, 3, 3, padding=1, padding_mode='reflect') | 1,2,6,5
Conv2d(2, 3, 3, padding=(2, 1), padding_mode='replicate') | 1,2,6,5
Conv2d(2, 3, 2, padding='same', padding_mode='circular') | 1,2,6,5
ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2) | 2,4,5
ConvTranspose2d(3, 4, 3) | 2,3,5,4 ; ConvTranspose2d(2, 4, 3, 2, 1, 1, 2, False, 2) | 2,2,4,3
MaxPool1d(2) | 2,3,8 ; MaxPool1d(3, 2, 1, ceil_mode=True) | 3,8 ; MaxPool2d(2) | 2,3,8,6
MaxPool2d((3, 2), stride=2, padding=1, dilation=1, ceil_mode=True) | 2,3,8,7
AvgPool1d(2) | 2,3,8 ; AvgPool1d(3, 2, 1, True, False) | 2,3,8 ; AvgPool2d(2) | 2,3,8,6
AvgPool2d((3, 2), 2, 1, True, False, None) | 2,3,8,7 ; AvgPool2d(2, divisor_override=3) | 3,8,6
AdaptiveAvgPool1d(3) | 2,3,8 ; AdaptiveAvgPool2d((3, None)) | 2,3,8,6 ; AdaptiveAvgPool2d(1) | 3,8,6
AdaptiveMaxPool1d(3) | 2,3,8 ; AdaptiveMaxPool2d((3, 2)) | 2,3,8,6
BatchNorm1d(4) | 5,4 ; BatchNorm1d(4, affine=False) | 5,4,3 ; BatchNorm2d(3) | 2,3,5,4
BatchNorm2d(3, momentum=None) | 2,3,5,4 ; BatchNorm2d(3, track_running_stats=False) | 2,3,5,4
InstanceNorm1d(4) | 5,4,3 ; InstanceNorm1d(4, affine=True) | 4,3
InstanceNorm2d(3, affine=True, track_running_stats=True) | 2,3,5,4
LayerNorm(4) | 5,4 ; LayerNorm((3, 4), bias=False) | 2,3,4 ; LayerNorm(4, 1e-3, False) | 5,4
RMSNorm(4) | 5,4 ; RMSNorm((3, 4), 1e-3, False) | 2,3,4
GroupNorm(2, 4) | 2,4,5 ; GroupNorm(2, 4, bias=False) | 2,4,5 ; BatchNorm1d(4, bias=False) | 5,4
GroupNorm(4, 4, affine=False) | 2,4,5,3
Dropout(0.0) | 2,3 ; Dropout(1.0) | 2,3 ; Dropout1d(0.0) | 2,3,4 ; Dropout2d(1.0) | 2,3,4,5
AlphaDropout(0.0) | 2,3
Embedding(5, 3) | i2,4 ; Embedding(5, 3, padding_idx=-1) | i7 ; Embedding(5, 3, max_norm=1.0) | i3
Embedding(5, 3, scale_grad_by_freq=True, norm_type=1.0) | i7
Flatten() | 2,3,4 ; Flatten(0, 1) | 2,3,4 ; Unflatten(1, (2, 3)) | 2,6
Unflatten(-1, (2, -1)) | 2,6
ReLU() | 3,4 ; ReLU6() | 3,4 ; SiLU() | 3,4 ; Mish() | 3,4 ; SELU() | 3,4 ; Hardswish() | 3,4
Hardsigmoid() | 3,4 ; Threshold(0.1, 20) | 3,4 ; Hardtanh(-0.5, 0.4) | 3,4 ; Sigmoid() | 3,4
Tanh() | 3,4 ; ELU(0.5) | 3,4 ; CELU(0.5) | 3,4 ; GLU() | 3,4 ; GLU(0) | 4,3 ; GELU() | 3,4
GELU('tanh') | 3,4 ; Hardshrink() | 3,4 ; Softshrink(0.3) | 3,4 ; LeakyReLU(0.2) | 3,4
LogSigmoid() | 3,4 ; Softplus(2.0, 1.0) | 3,4 ; PReLU() | 3,4 ; PReLU(4, 0.1) | 3,4,2
Softsign() | 3,4 ; Tanhshrink() | 3,4 ; Softmax(1) | 3,4 ; Softmin(0) | 3,4 ; LogSoftmax(-1) | 3,4
Softmax2d() | 2,3,4,5 ; RReLU(0.2, 0.2) | 3,4 ; RReLU(0.1, 0.4) | 7,4
ZeroPad1d(2) | 2,3,4 ; ZeroPad2d((1, 0, 2, 1)) | 2,3,4 ; ConstantPad1d(1, 2.5) | 2,3
ConstantPad2d(1, 2.5) | 2,3,4 ; ConstantPad3d(1, 2.5) | 2,3,4,2 ; ReflectionPad1d((1, 2)) | 2,3,4
ReflectionPad2d(1) | 2,3,4 ; ReplicationPad1d(3) | 2,3,4 ; ReplicationPad2d((1, 2, 3, 4)) | 2,3,4
CircularPad1d(2) | 2,3,4 ; CircularPad2d((1, 2, 0, 1)) | 2,3,4,3
ZeroPad3d(1) | 2,3,2,3,4 ; ReflectionPad3d(1) | 2,3,2,3,4 ; ReplicationPad3d(2) | 3,2,3,4
CircularPad3d((1, 0, 2, 1, 0, 1)) | 2,3,2,3,4 ; ChannelShuffle(2) | 2,4,3,3
BatchNorm3d(3) | 2,3,2,3,4 ; InstanceNorm3d(3, affine=True) | 3,2,3,4
LocalResponseNorm(2) | 2,4,3,3 ; LocalResponseNorm(3, 0.1, 0.5, 2.0) | 2,4,3
Dropout3d(0.0) | 2,3,4,2,2 ; FeatureAlphaDropout(0.0) | 2,3,4
PixelShuffle(2) | 2,8,3,4 ; PixelUnshuffle(2) | 2,2,4,6
CosineSimilarity() | 3,4 3,4 ; CosineSimilarity(0, 1e-3) | 3,4 3,4
PairwiseDistance(1, 0.1) | 3,4 3,4
PairwiseDistance(keepdim=True) | 3,4 3,4
"""
CASES = [
    tuple(part.strip() for part in case.split(" | "))
    for line in LAYERS.strip().splitlines()
    for case in line.split(" ; ")
]


def make(lib, call, seed=0):
    lib.manual_seed(seed)
    return eval(f"lib.nn.{call}", {"lib": lib, "T": lib})


def inputs_of(shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    arrays = []
    for text in shapes.split():
        shape = tuple(int(n) for n in text.lstrip("i").split(","))
        if text[0] == "i":
            arrays.append(rng.integers(0, 5, shape))
        else:
            arrays.append(rng.standard_normal(shape).astype(dtype))
    return arrays


def tensors(lib, arrays):
    made = [lib.tensor(a.tolist(), dtype=getattr(lib, a.dtype.name)) for a in arrays]
    for t in made:
        if t.dtype.is_floating_point:
            t.requires_grad_()
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_start_values_keys_and_repr(case):
    ours, theirs = make(mg, case[0]), make(torch, case[0])
    assert repr(ours) == repr(theirs)
    a, b = ours.state_dict(), theirs.state_dict()
    assert list(a) == list(b)
    for key, value in b.items():
        assert str(a[key].dtype) == str(value.dtype)
        np.testing.assert_allclose(a[key].numpy(), value.numpy(), rtol=2e-7, atol=1e-9)
    np.testing.assert_array_equal(mg.rand(3).numpy(), torch.rand(3).numpy())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_outputs_and_gradients(case, training):
    arrays = inputs_of(case[1])
    results = []
    for lib in (mg, torch):
        layer = make(lib, case[0]).double().train(training)
        inputs = tensors(lib, arrays)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = layer(*inputs)
        found = [out]
        if out.requires_grad:
            weights = lib.linspace(-1, 1, out.detach().numpy().size, dtype=lib.float64).reshape(
                out.shape
            )
            (out * weights).sum().backward()
            found += [t.grad for t in inputs if t.requires_grad]
            found += [p.grad for p in layer.parameters()]
        results.append([f.detach().numpy() for f in found + list(layer.buffers())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)  # PyTorch keeps 1/6 in float32


LOSSES = """
L1Loss() | MSELoss(reduction='sum') | SmoothL1Loss(beta=0.5) | HuberLoss(delta=0.7)
MSELoss(reduction='none') | KLDivLoss(reduction='batchmean') | KLDivLoss(log_target=True)
SoftMarginLoss() | BCEWithLogitsLoss()
BCEWithLogitsLoss(pos_weight=T.full((4,), 2.0, dtype=T.float64))
HingeEmbeddingLoss(0.5) | MultiLabelSoftMarginLoss() | PoissonNLLLoss(full=False)
CrossEntropyLoss(label_smoothing=0.1)
"""


@pytest.mark.parametrize(
    "call", [c.strip() for line in LOSSES.strip().splitlines() for c in line.split(" | ")]
)
def test_losses(call):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 4)), rng.uniform(0.1, 0.9, (3, 4))
    check_loss(call, [x], [y])


CLASS_LOSSES = """
NLLLoss() | NLLLoss(T.arange(4, dtype=T.float64), ignore_index=1) | CrossEntropyLoss()
CrossEntropyLoss(T.arange(4, dtype=T.float64), reduction='sum', ignore_index=2, label_smoothing=0.2)
MultiMarginLoss(p=2, margin=0.5) | CrossEntropyLoss(reduction='none')
"""


@pytest.mark.parametrize(
    "call", [c.strip() for line in CLASS_LOSSES.strip().splitlines() for c in line.split(" | ")]
)
def test_class_losses(call):
    rng = np.random.default_rng(0)
    check_loss(call, [rng.standard_normal((5, 4))], [np.array([0, 1, 2, 3, 1])])


def test_losses_of_several_inputs():
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal((3, 4)) for _ in range(3))
    sign = np.array([1.0, -1.0, 1.0])
    check_loss("CosineEmbeddingLoss(0.1)", [a, b], [sign])
    check_loss("MarginRankingLoss(0.3)", [a[0], b[0]], [np.sign(c[0])])
    check_loss("TripletMarginLoss(swap=True)", [a, b, c], [])
    check_loss("TripletMarginWithDistanceLoss(margin=0.5)", [a, b, c], [])
    check_loss("GaussianNLLLoss(full=True)", [a], [b, np.abs(c) + 0.1])
    check_loss("BCELoss()", [1 / (1 + np.exp(-a))], [np.abs(np.sin(b))])


def check_loss(call, inputs, targets):
    results = []
    for lib in (mg, torch):
        loss = make(lib, call)
        xs = tensors(lib, inputs)
        out = loss(*xs, *[t.detach() for t in tensors(lib, targets)])
        out.sum().backward()
        results.append([out.detach().numpy(), *[x.grad.numpy() for x in xs]])
        results[-1].append(repr(loss))
    *ours, our_repr = results[0]
    *theirs, their_repr = results[1]
    assert our_repr == their_repr
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_batch_norm_counts_and_averages():
    x = inputs_of("6,3,4 6,3,4 6,3,4", np.float32)
    for options in ("", ", momentum=None", ", momentum=0.3"):
        ours, theirs = make(mg, f"BatchNorm1d(3{options})"), make(torch, f"BatchNorm1d(3{options})")
        for a in x:
            ours(mg.from_numpy(a)), theirs(torch.from_numpy(a))
        assert ours.num_batches_tracked.item() == 3
        for name in ("running_mean", "running_var"):
            np.testing.assert_allclose(
                getattr(ours, name).numpy(), getattr(theirs, name).numpy(), rtol=1e-5
            )


def test_first_version_of_batch_norm_files():
    layer = nn.BatchNorm2d(2)
    state = layer.state_dict()
    del state["num_batches_tracked"]
    state._metadata[""]["version"] = 1
    assert str(layer.load_state_dict(state)) == "<All keys matched successfully>"
    state._metadata[""]["version"] = 2
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        layer.load_state_dict(state)


def test_pools_give_indices():
    (x,) = inputs_of("2,3,8,6")
    for call in ("MaxPool2d(2, return_indices=True)", "AdaptiveMaxPool2d(3, return_indices=True)"):
        a = make(mg, call)(mg.from_numpy(x))
        b = make(torch, call)(torch.from_numpy(x))
        for mine, theirs in zip(a, b, strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_unpooling_puts_the_maxima_back():
    (x,) = inputs_of("2,3,8,6")
    for d, size in ((1, None), (2, None), (2, (9, 7))):
        values = x if d == 2 else x[0]
        results = []
        for lib in (mg, torch):
            pooled, indices = getattr(lib.nn, f"MaxPool{d}d")(2, return_indices=True)(
                lib.tensor(values.tolist(), dtype=lib.float64)
            )
            layer = getattr(lib.nn, f"MaxUnpool{d}d")(2)
            options = {} if size is None else {"output_size": size}
            results.append((repr(layer), layer(pooled, indices, **options).numpy()))
        assert results[0][0] == results[1][0]
        np.testing.assert_array_equal(results[0][1], results[1][1])


def test_transposed_convolutions_reach_a_wanted_size():
    (x,) = inputs_of("1,2,4,5", np.float32)
    ours, theirs = (make(lib, "ConvTranspose2d(2, 3, 3, stride=2)") for lib in (mg, torch))
    for size in ((10, 11), (1, 3, 9, 12)):
        a = ours(mg.from_numpy(x), output_size=size)
        b = theirs(torch.from_numpy(x), output_size=list(size))
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="valid sizes range from"):
        ours(mg.from_numpy(x), output_size=(20, 20))
    with pytest.raises(ValueError, match="output_size must have 2 or 4 elements"):
        ours(mg.from_numpy(x), output_size=(20,))


def test_embedding_from_pretrained():
    table = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad
    assert layer(mg.tensor([1, 0])).numpy().tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


BAD = [
    ("Conv2d(3, 4, 3, groups=2)", ValueError, "in_channels must be divisible by groups"),
    ("Conv2d(2, 3, 3, groups=2)", ValueError, "out_channels must be divisible by groups"),
    ("Conv2d(2, 3, 3, groups=0)", ValueError, "groups must be a positive integer"),
    ("Conv2d(2, 3, 3, padding='full')", ValueError, "Invalid padding string 'full'"),
    ("Conv2d(2, 3, 3, 2, padding='same')", ValueError, "not supported for strided"),
    ("Conv2d(2, 3, 3, padding_mode='wrap')", ValueError, "padding_mode must be one of"),
    ("ConvTranspose2d(2, 3, 3, padding_mode='reflect')", ValueError, 'Only "zeros" padding'),
    ("Dropout(1.5)", ValueError, "has to be between 0 and 1, but got 1.5"),
    ("GroupNorm(3, 4)", ValueError, r"num_channels \(4\) must be divisible by num_groups \(3\)"),
    ("Embedding(3, 4, padding_idx=3)", AssertionError, "Padding_idx must be within"),
    ("Bilinear(0, 1, 2)", ValueError, r"in1_features must be > 0, but got \(in1"),
    ("Hardtanh(1.0, -1.0)", AssertionError, "must be greater than min_val"),
    ("HuberLoss(delta='a')", TypeError, "delta must be a float or int"),
    ("TripletMarginLoss(margin=0)", ValueError, "expected margin to be greater than 0"),
    ("MultiMarginLoss(p=3)", ValueError, "only p == 1 and p == 2"),
    ("MultiheadAttention(5, 2)", AssertionError, "embed_dim must be divisible by num_heads"),
    ("MultiheadAttention(0, 2)", ValueError, "must be greater than 0"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_arguments_are_pytorchs_errors(call, error, message):
    for lib in (mg, torch):
        with pytest.raises(error, match=message):
            make(lib, call)


def test_wrong_dimensions():
    for call, shape, message in [
        ("BatchNorm1d(3)", (3,), "expected 2D or 3D input"),
        ("BatchNorm2d(3)", (3, 3), "expected 4D input"),
        ("InstanceNorm1d(3, affine=True)", (2, 4, 5), "to match num_features"),
        ("Softmax2d()", (2, 3), "expected input to be 3D or 4D"),
    ]:
        for lib in (mg, torch):
            with pytest.raises(ValueError, match=message):
                make(lib, call)(lib.zeros(shape))


def test_a_linear_layer_names_the_types_as_pytorch() -> None:
    dtypes = ("float32", "float64", "int64")
    for bias, (x, w, b) in itertools.product((False, True), itertools.product(dtypes, repeat=3)):
        if len({x, w, b if bias else w}) == 1:
            continue
        texts = []
        for lib in (mg, torch):
            given = [lib.ones(s, dtype=getattr(lib, d)) for s, d in (((2, 3), x), ((4, 3), w))]
            if bias:
                given.append(lib.ones(4, dtype=getattr(lib, b)))
            with pytest.raises(RuntimeError) as caught:
                lib.nn.functional.linear(*given)
            texts.append(str(caught.value))
        assert texts[0] == texts[1]
