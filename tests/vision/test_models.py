"""Models: numbers of parameters, keys and shapes as torchvision publishes them; gradients."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad.vision import models

# The number of parameters of each model, and a few of its keys.
COUNTS = {
    "alexnet": 61100840, "densenet121": 7978856, "efficientnet_b0": 5288548,
    "mobilenet_v2": 3504872, "mobilenet_v3_large": 5483032, "mobilenet_v3_small": 2542856,
    "resnet18": 11689512, "resnet34": 21797672,
    "resnet50": 25557032, "resnet101": 44549160,
    "resnext50_32x4d": 25028904, "squeezenet1_0": 1248424,
    "squeezenet1_1": 1235496, "vgg11": 132863336, "vgg13": 133047848, "vgg16": 138357544,
    "vgg19": 143667240, "vgg11_bn": 132868840, "vgg16_bn": 138365992, "vgg19_bn": 143678248,
}  # fmt: skip
SMALL = ("efficientnet_b0", "mobilenet_v2", "mobilenet_v3_small", "resnet18", "squeezenet1_1")


@pytest.mark.parametrize("name", COUNTS)
def test_number_of_parameters(name: str) -> None:
    if name.startswith("vgg"):
        plan = models.vgg._PLANS[int(name[3:5])]
        features = models.vgg.make_layers(plan, name.endswith("bn"))
        classifier = 123642856  # 25088 x 4096, 4096 x 4096 and 4096 x 1000 with biases
        assert sum(p.numel() for p in features.parameters()) + classifier == COUNTS[name]
        return
    model = getattr(models, name)()
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]


def test_keys() -> None:
    keys = list(models.resnet50().state_dict())
    assert keys[:6] == [
        "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
        "bn1.num_batches_tracked",
    ]  # fmt: skip
    assert len(keys) == 320 and keys[-2:] == ["fc.weight", "fc.bias"]
    for key in (
        "layer1.0.downsample.0.weight",
        "layer3.5.bn3.running_var",
        "layer4.2.conv2.weight",
    ):
        assert key in keys
    keys = list(models.mobilenet_v2().state_dict())
    assert len(keys) == 314
    for key in (
        "features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.2.running_mean",
        "features.17.conv.3.bias", "features.18.1.weight", "classifier.1.weight",
    ):  # fmt: skip
        assert key in keys
    keys = list(models.mobilenet_v3_small().state_dict())
    assert len(keys) == 244
    for key in ("features.1.block.1.fc1.bias", "features.12.1.weight", "classifier.3.bias"):
        assert key in keys
    keys = list(models.densenet121().state_dict())
    assert len(keys) == 727 and keys[-1] == "classifier.bias"
    for key in (
        "features.conv0.weight", "features.denseblock1.denselayer6.norm2.running_var",
        "features.transition3.conv.weight", "features.norm5.bias",
    ):  # fmt: skip
        assert key in keys
    keys = list(models.efficientnet_b0().state_dict())
    assert len(keys) == 360
    for key in ("features.1.0.block.1.fc2.weight", "features.7.0.block.3.1.num_batches_tracked"):
        assert key in keys
    keys = list(models.squeezenet1_0().state_dict())
    assert keys[:4] == [
        "features.0.weight", "features.0.bias", "features.3.squeeze.weight",
        "features.3.squeeze.bias",
    ]  # fmt: skip
    assert "features.12.expand3x3.bias" in keys and "classifier.1.weight" in keys


def test_vgg_and_alexnet_keys(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(mg.nn.Linear, "reset_parameters", lambda self: None)  # it takes seconds
    monkeypatch.setattr(models.vgg, "initialise", lambda model: None)
    plan = models.vgg.make_layers([64, "M", 128], batch_norm=True)
    assert [k for k in plan.state_dict() if k.endswith("weight")] == [
        "0.weight", "1.weight", "4.weight", "5.weight",
    ]  # fmt: skip
    keys = models.VGG(models.vgg.make_layers([512, "M"]), num_classes=3).state_dict()
    assert list(keys) == [
        f"{where}.{kind}"
        for where in ("features.0", "classifier.0", "classifier.3", "classifier.6")
        for kind in ("weight", "bias")
    ]
    assert keys["classifier.0.weight"].shape == (4096, 25088)
    keys = models.alexnet(num_classes=7).state_dict()
    assert keys["classifier.6.weight"].shape == (7, 4096)
    assert keys["features.0.weight"].shape == (64, 3, 11, 11)


@pytest.mark.parametrize("name", SMALL)
def test_training_step(name: str) -> None:
    mg.manual_seed(0)
    model = getattr(models, name)(num_classes=5)
    x = mg.rand(2, 3, 64, 64)
    y = model(x)
    assert y.shape == (2, 5)
    mg.nn.functional.cross_entropy(y, mg.tensor([1, 2])).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_vision_transformer() -> None:
    model = models.VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=3, representation_size=5)
    keys = list(model.state_dict())
    assert keys[:3] == ["class_token", "conv_proj.weight", "conv_proj.bias"] and len(keys) == 34
    for key in (
        "encoder.pos_embedding", "encoder.layers.encoder_layer_1.self_attention.in_proj_weight",
        "encoder.layers.encoder_layer_0.mlp.3.bias", "encoder.ln.weight", "heads.pre_logits.bias",
    ):  # fmt: skip
        assert key in keys
    y = model(mg.rand(2, 3, 16, 16))
    assert y.shape == (2, 3) and (y == 0).all()  # the last layer begins with zeros
    y.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    with pytest.raises(AssertionError, match="Wrong image height"):
        model(mg.rand(2, 3, 20, 20))
    assert models.vit_b_32(image_size=32, num_classes=2).heads.head.out_features == 2


def test_dense_layers_computed_twice() -> None:
    mg.manual_seed(0)
    plain = models.DenseNet(4, (2, 2), 8, num_classes=3)
    again = models.DenseNet(4, (2, 2), 8, num_classes=3, memory_efficient=True)
    again.load_state_dict(plain.state_dict())
    x = mg.rand(2, 3, 32, 32)
    for model in (plain, again):
        model(x).sum().backward()
    for p, q in zip(plain.parameters(), again.parameters()):
        assert (p.grad - q.grad).abs().max() < 1e-5


def test_initialisation_of_a_seed() -> None:
    """The layers draw in the order in which they are made, then convolutions once more."""
    torch = pytest.importorskip("torch")
    mg.manual_seed(3)
    model = models.resnet18(num_classes=10)
    torch.manual_seed(3)
    sizes = [(64, 3, 7)]
    for stage, planes in enumerate((64, 128, 256, 512)):
        before = 64 if stage == 0 else planes // 2
        if stage:
            sizes.append((planes, before, 1))
        sizes += [(planes, before, 3), *[(planes, planes, 3)] * 3]
    for out, inside, k in sizes:
        torch.nn.Conv2d(inside, out, k, bias=False)
    fc = torch.nn.Linear(512, 10)
    assert (model.fc.weight.detach().numpy() == fc.weight.detach().numpy()).all()
    first = torch.empty(64, 3, 7, 7)
    torch.nn.init.kaiming_normal_(first, mode="fan_out", nonlinearity="relu")
    assert abs(model.conv1.weight.detach().numpy() - first.numpy()).max() < 1e-6


def test_options() -> None:
    with pytest.raises(ValueError, match="no trained weights"):
        models.resnet18(weights="DEFAULT")
    with (
        pytest.warns(UserWarning, match="'pretrained' is deprecated since 0.13"),
        pytest.raises(ValueError, match="no trained weights"),
    ):
        models.vgg16(pretrained=True)
    with pytest.warns(UserWarning, match="equivalent to passing `weights=None`"):
        made = models.resnet18(pretrained=False, zero_init_residual=True)
    assert (made.layer1[0].bn2.weight == 0).all()
    with pytest.warns(UserWarning, match="Using 'weights' as positional"):
        assert isinstance(models.squeezenet1_1(False), models.SqueezeNet)
    with pytest.warns(UserWarning, match="Using 'weights' and 'progress' as positional"):
        assert isinstance(models.mobilenet_v2(None, False), models.MobileNetV2)
    with pytest.raises(TypeError):
        models.alexnet(None, weights=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.squeezenet1_1(weights=None, progress=False)
    dilated = models.ResNet(
        models.resnet.Bottleneck, [1, 1, 1, 1], replace_stride_with_dilation=[False, True, True]
    )
    assert dilated.layer4[0].conv2.dilation == (2, 2) and dilated.layer4[0].conv2.stride == (1, 1)
    with pytest.raises(ValueError):
        models.ResNet(models.resnet.BasicBlock, [1] * 4, groups=2)


def test_names_of_weights() -> None:
    assert repr(models.ResNet18_Weights.DEFAULT) == "ResNet18_Weights.IMAGENET1K_V1"
    assert models.ResNet50_Weights.DEFAULT is models.ResNet50_Weights.IMAGENET1K_V2
    with pytest.raises(ValueError, match="no trained weights"):
        models.resnet18(weights=models.ResNet18_Weights.DEFAULT)
    with pytest.raises(ValueError, match="no trained weights"):
        models.VGG19_Weights.DEFAULT.get_state_dict(progress=True)
    image = mg.full((2, 3, 300, 400), 255, dtype=mg.uint8)
    made = models.VGG16_Weights.IMAGENET1K_V1.transforms()(image)
    assert made.shape == (2, 3, 224, 224)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(made[0, :, 100, 100].numpy(), expected, rtol=1e-5)
    features = models.VGG16_Weights.IMAGENET1K_FEATURES.transforms()(image)
    expected = (1 - np.array([0.48235, 0.45882, 0.40784])) * 255
    np.testing.assert_allclose(features[0, :, 100, 100].numpy(), expected, rtol=1e-5)
