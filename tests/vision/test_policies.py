"""Random transforms of values and of views, and learned policies, against torchvision's figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.vision import transforms as T
from minigrad.vision.transforms import functional as F

Image = pytest.importorskip("PIL.Image")
P = T.AutoAugmentPolicy
NUMBERS = np.random.RandomState(0)
PIXELS = NUMBERS.randint(0, 256, (3, 40, 50)).astype(np.uint8)
PIXELS[:, :10] = PIXELS[:, :10] // 3 + 40

# The mean of what torchvision 0.29.2 makes of PIXELS after the seeds 0, 1, 2 and 3.
MEANS = {
    "RandomPerspective(0.5, 1.0, fill=9)": [60.2, 61.39, 74.08, 69.36],
    "RandomPosterize(2, 1.0)": [83.66, 83.66, 83.66, 83.66],
    "RandomSolarize(100, 1.0)": [72.84, 72.84, 72.84, 72.84],
    "RandomAdjustSharpness(3, 1.0)": [115.63, 115.63, 115.63, 115.63],
    "RandomAutocontrast(1.0)": [116.02, 116.02, 116.02, 116.02],
    "RandomEqualize(1.0)": [140.56, 140.56, 140.56, 140.56],
    "ElasticTransform(60.0, 3.0)": [109.9, 108.82, 106.97, 110.55],
    "AutoAugment()": [140.56, 140.56, 113.83, 136.88],
    "AutoAugment(P.CIFAR10)": [116.02, 124.67, 140.56, 140.56],
    "AutoAugment(P.SVHN, fill=3)": [138.98, 54.78, 103.0, 152.72],
    "RandAugment()": [105.81, 99.18, 71.87, 115.52],
    "RandAugment(3, 20, fill=[1, 2, 3])": [85.24, 55.04, 70.13, 79.88],
    "TrivialAugmentWide()": [25.79, 116.24, 65.12, 116.02],
    "AugMix(6)": [113.37, 101.4, 109.67, 115.67],
}


@pytest.mark.parametrize("text", MEANS)
def test_means_are_torchvisions(text: str) -> None:
    transform = eval(f"T.{text}")
    for seed, mean in enumerate(MEANS[text]):
        mg.manual_seed(seed)
        made = transform(mg.from_numpy(PIXELS))
        assert made.dtype == mg.uint8 and made.shape == PIXELS.shape
        # A shear by a fifth reads between two pixels, where the last bit chooses one of them.
        assert made.double().mean().item() == pytest.approx(mean, abs=0.15)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("posterize", (3,)), ("solarize", (100,)), ("adjust_sharpness", (2.5,)),
        ("adjust_sharpness", (0.3,)), ("autocontrast", ()), ("equalize", ()), ("invert", ()),
        ("perspective", ([[0, 0], [49, 0], [49, 39], [0, 39]],
                         [[3, 2], [45, 5], [48, 35], [2, 38]])),
    ],
)  # fmt: skip
def test_images_and_tensors_agree(name: str, arguments: tuple) -> None:
    function = getattr(F, name)
    image = Image.fromarray(np.ascontiguousarray(PIXELS.transpose(1, 2, 0)))
    a = F.pil_to_tensor(function(image, *arguments)).int()
    b = function(mg.from_numpy(PIXELS), *arguments).int()
    inside = (slice(None), slice(7, -7), slice(7, -7))  # Pillow does not blend the rim
    assert (a - b)[inside].abs().max() <= 1
    batch = function(mg.from_numpy(PIXELS[None].repeat(2, 0)), *arguments)
    assert (batch[1].int() == b).all()


def test_a_displacement_by_a_pixel() -> None:
    x = mg.arange(12.0).reshape(1, 3, 4)
    shift = mg.tensor([2 / 4, 0.0]).expand(1, 3, 4, 2)
    assert (F.elastic_transform(x, shift)[..., :3] - x[..., 1:]).abs().max() < 1e-5
    assert F.elastic_transform(x, shift, fill=5)[0, 1, 3] == 5


def test_reprs() -> None:
    assert repr(T.RandomPerspective()) == "RandomPerspective(p=0.5)"
    assert repr(T.RandomPosterize(4)) == "RandomPosterize(bits=4,p=0.5)"
    assert repr(T.RandomEqualize(0.2)) == "RandomEqualize(p=0.2)"
    assert repr(T.AutoAugment(P.SVHN)) == "AutoAugment(policy=AutoAugmentPolicy.SVHN, fill=None)"
    assert repr(T.RandAugment()) == (
        "RandAugment(num_ops=2, magnitude=9, num_magnitude_bins=31, "
        "interpolation=InterpolationMode.NEAREST, fill=None)"
    )


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: F.posterize(x, 9), ValueError),
        (lambda x: F.posterize(x.float(), 2), TypeError),
        (lambda x: F.equalize(x.float()), TypeError),
        (lambda x: F.solarize(x.float(), 128), TypeError),
        (lambda x: F.autocontrast(x[:2]), TypeError),
        (lambda x: F.invert(x[0]), TypeError),
        (lambda x: F.adjust_sharpness(x, -1), ValueError),
        (lambda x: F.perspective(x, [[0, 0]], [[0, 0]]), ValueError),
        (lambda x: F.perspective(x, *[[[0, 0], [9, 0], [9, 9], [0, 9]]] * 2, 1), ValueError),
        (lambda x: F.elastic_transform(x, mg.zeros(1, 4, 4, 2)), ValueError),
        (lambda x: F.elastic_transform(x, 3), TypeError),
        (lambda x: T.ElasticTransform(3), TypeError),
        (lambda x: T.ElasticTransform([3.0]), ValueError),
        (lambda x: T.AugMix(11), ValueError),
        (lambda x: T.AutoAugment("imagenet"), ValueError),
        (lambda x: T.RandomPerspective(fill={}), TypeError),
    ],
)
def test_bad_arguments(call: Any, error: type) -> None:
    with pytest.raises(error):
        call(mg.from_numpy(PIXELS))


def test_whole_factors_do_not_wrap_around() -> None:
    x = mg.full((3, 4, 4), 200, dtype=mg.uint8)
    assert (F.adjust_brightness(x, 2) == 255).all() and (F.adjust_sharpness(x, 3) == 200).all()
