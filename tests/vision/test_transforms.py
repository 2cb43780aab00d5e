"""Transforms: values against Pillow and NumPy, draws against PyTorch's generator, reprs, errors."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.vision import transforms as T
from minigrad.vision.transforms import functional as F

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (9, 12, 3), np.uint8)
GRAY = RNG.integers(0, 256, (9, 12), np.uint8)


@pytest.fixture
def rgb() -> Any:
    return Image.fromarray(PIXELS)


def tensor_of(array: np.ndarray) -> Any:
    return mg.from_numpy(np.ascontiguousarray(array))


def test_to_tensor(rgb: Any) -> None:
    x = T.ToTensor()(rgb)
    assert x.dtype == mg.float32 and x.shape == (3, 9, 12) and x.is_contiguous()
    expected = PIXELS.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(x.numpy(), expected)
    np.testing.assert_array_equal(F.to_tensor(PIXELS).numpy(), expected)
    assert F.to_tensor(GRAY).shape == (1, 9, 12)
    assert F.to_tensor(GRAY.astype(np.float64)).dtype == mg.float64
    assert F.to_tensor(Image.fromarray(GRAY.astype(np.int32))).dtype == mg.int32
    bits = Image.fromarray(GRAY).convert("1")
    assert set(F.to_tensor(bits).unique().tolist()) == {0.0, 1.0}
    for bad, error in ((3, TypeError), (np.ones(3), ValueError), (mg.ones(3), TypeError)):
        with pytest.raises(error):
            F.to_tensor(bad)


def test_pil_images_and_back(rgb: Any) -> None:
    assert (T.PILToTensor()(rgb).numpy() == PIXELS.transpose(2, 0, 1)).all()
    assert (np.asarray(T.ToPILImage()(T.ToTensor()(rgb))) == PIXELS).all()
    assert (np.asarray(F.to_pil_image(PIXELS)) == PIXELS).all()
    assert F.to_pil_image(mg.rand(1, 4, 5)).mode == "L"
    assert F.to_pil_image(mg.rand(4, 5)).size == (5, 4)
    assert F.to_pil_image(mg.rand(4, 5), mode="F").mode == "F"
    assert F.to_pil_image(mg.rand(4, 3, 3)).mode == "RGBA"
    assert F.to_pil_image(mg.rand(4, 3, 3), mode="CMYK").mode == "CMYK"
    for bad, mode, error in (
        (mg.rand(5, 3, 3), None, ValueError),
        (mg.rand(3), None, ValueError),
        (mg.rand(1, 3, 3), "RGB", ValueError),
        ([1], None, TypeError),
    ):
        with pytest.raises(error):
            F.to_pil_image(bad, mode)


@pytest.mark.parametrize("inplace", [True, False])
def test_normalize_needs_the_channels(inplace: bool) -> None:
    """An image of one channel does not become one of three."""
    with pytest.raises(RuntimeError, match="broadcast shape"):
        T.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4), inplace)(mg.ones(1, 4, 5))
    with pytest.raises(RuntimeError, match="broadcast shape"):
        T.Normalize((0.5,), (0.2, 0.3), inplace)(mg.ones(1, 4, 5))
    assert T.Normalize((0.5,), (0.5,), inplace)(mg.ones(3, 4, 5)).shape == (3, 4, 5)


def test_normalize(rgb: Any) -> None:
    x = T.ToTensor()(rgb)
    t = T.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    mean, std = (np.array(v, np.float32)[:, None, None] for v in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    np.testing.assert_array_equal(t(x).numpy(), (x.numpy() - mean) / std)
    batch = x.expand(2, 3, 9, 12)
    assert (t(batch)[1] == t(x)).all()
    y = x.clone()
    assert F.normalize(y, [0.5], [0.5], inplace=True) is y
    for bad, std, error in (
        (mg.ones(3, 2, 2, dtype=mg.uint8), (1, 1, 1), TypeError),
        (mg.ones(2, 2), (1,), ValueError),
        (x, (1, 0, 1), ValueError),
        (PIXELS, (1,), TypeError),
    ):
        with pytest.raises(error):
            F.normalize(bad, (0, 0, 0), std)


def test_convert_image_dtype() -> None:
    x = mg.tensor([[[0, 127, 255]]], dtype=mg.uint8)
    floats = F.convert_image_dtype(x)
    assert floats.dtype == mg.float32 and floats.max() == 1
    assert F.convert_image_dtype(floats, mg.uint8).tolist() == x.tolist()
    assert F.convert_image_dtype(x, mg.int16).tolist() == [[[0, 127 * 128, 255 * 128]]]
    assert F.convert_image_dtype(mg.tensor([[32767]], dtype=mg.int16), mg.uint8).item() == 255
    with pytest.raises(RuntimeError, match="safely"):
        F.convert_image_dtype(floats, mg.int32)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("hflip", ()), ("vflip", ()), ("crop", (2, 3, 4, 5)), ("crop", (-2, 8, 6, 9)),
        ("center_crop", (5,)), ("center_crop", ((4, 7),)), ("center_crop", ((14, 5),)),
        ("pad", (2,)), ("pad", ((1, 2),)), ("pad", ((1, 2, 3, 4), 7)), ("pad", (2, 0, "edge")),
        ("pad", (2, 0, "reflect")), ("pad", (2, 0, "symmetric")), ("invert", ()),
        ("five_crop", (4,)), ("ten_crop", ((3, 4),)),
    ],
)  # fmt: skip
def test_images_and_tensors_agree(name: str, arguments: tuple, rgb: Any) -> None:
    image = getattr(F, name)(rgb, *arguments)
    x = getattr(F, name)(F.pil_to_tensor(rgb), *arguments)
    if not isinstance(image, tuple):
        image, x = (image,), (x,)
    for a, b in zip(image, x):
        np.testing.assert_array_equal(F.pil_to_tensor(a).numpy(), b.numpy())


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("adjust_brightness", 0.6), ("adjust_brightness", 1.7), ("adjust_contrast", 0.5),
        ("adjust_contrast", 1.5), ("adjust_saturation", 0.3), ("adjust_saturation", 2.0),
        ("adjust_hue", 0.25), ("adjust_gamma", 2.0), ("rgb_to_grayscale", 1),
        ("rgb_to_grayscale", 3),
    ],
)  # fmt: skip
def test_colours_of_images_and_tensors_agree(name: str, factor: float, rgb: Any) -> None:
    """Pillow rounds luma and HSV to 8 bits on the way: to some levels of 255."""
    image = F.pil_to_tensor(getattr(F, name)(rgb, factor)).numpy().astype(int)
    x = getattr(F, name)(F.pil_to_tensor(rgb), factor)
    assert x.dtype == mg.uint8
    difference = np.abs(image - x.numpy().astype(int))
    assert difference.max() <= (16 if name == "adjust_hue" else 3) and difference.mean() < 3
    floats = getattr(F, name)(F.to_tensor(rgb), factor)
    assert np.abs(floats.numpy() * 255 - x.numpy()).max() < 2


@pytest.mark.parametrize("size", [6, (5, 16), [20], (18, 24)])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_resize(size: Any, mode: str) -> None:
    smooth = np.add.outer(np.arange(30) * 4, np.arange(40) * 3).astype(np.uint8)
    image = Image.fromarray(smooth)
    mode = T.InterpolationMode(mode)
    a = F.resize(image, size, mode)
    b = F.resize(F.pil_to_tensor(image), size, mode)
    wanted = {6: (8, 6), (5, 16): (16, 5)}.get(size if isinstance(size, int) else tuple(size))
    assert a.size == (b.shape[-1], b.shape[-2])
    if wanted:
        assert a.size == wanted
    difference = np.abs(np.asarray(a).astype(int) - b[0].numpy().astype(int))
    if mode.value == "nearest":  # Pillow reads at the centres of pixels, tensors at their corners
        rows, columns = (np.arange(m) * n // m for m, n in zip(b.shape[1:], smooth.shape))
        np.testing.assert_array_equal(b[0].numpy(), smooth[rows][:, columns])
    else:
        assert difference.max() <= 2


def test_resize_arguments(rgb: Any) -> None:
    assert F.resize(rgb, 20, max_size=24).size == (24, 18)
    assert F.resize(rgb, (9, 12)) is rgb
    with pytest.raises(ValueError):
        F.resize(rgb, 20, max_size=20)
    with pytest.raises(ValueError):
        F.resize(rgb, (20, 20), max_size=30)
    with pytest.raises(ValueError):
        F.resize(rgb, (1, 2, 3))
    with pytest.raises(TypeError):
        F.resize(rgb, 20, interpolation="bilinear")
    assert F.resize(rgb, 20, interpolation=3).size == (26, 20)


@pytest.mark.parametrize("angle", [0, 90, 180, -90, 30.5])
@pytest.mark.parametrize("expand", [False, True])
def test_rotate(angle: float, expand: bool) -> None:
    image = Image.fromarray(RNG.integers(0, 256, (15, 15), np.uint8))
    a = F.pil_to_tensor(F.rotate(image, angle, expand=expand))
    b = F.rotate(F.pil_to_tensor(image), angle, expand=expand)
    assert a.shape == b.shape
    assert (a.numpy() != b.numpy()).mean() < 0.02
    fill = F.rotate(F.to_tensor(image), 45, T.InterpolationMode.BILINEAR, fill=[0.5])
    assert fill[0, 0, 0] == 0.5


def test_affine() -> None:
    x = mg.arange(25.0).reshape(1, 5, 5)
    moved = F.affine(x, 0, [1, 2], 1.0, [0.0, 0.0])
    assert (moved[0, 2:, 1:] == x[0, :3, :4]).all() and (moved[0, :2] == 0).all()
    image = Image.fromarray(RNG.integers(0, 256, (21, 21), np.uint8))
    a = F.pil_to_tensor(F.affine(image, 20, [2, 1], 1.2, [5.0, 3.0]))
    b = F.affine(F.pil_to_tensor(image), 20, [2, 1], 1.2, [5.0, 3.0])
    assert (a.numpy() != b.numpy()).mean() < 0.02
    for bad in ((0, [1], 1.0, 0.0), (0, [1, 1], 0.0, 0.0), (0, [1, 1], 1.0, [1, 2, 3])):
        with pytest.raises(ValueError):
            F.affine(x, *bad)


def test_gaussian_blur(rgb: Any) -> None:
    x = F.to_tensor(rgb)
    at = np.arange(-2, 3)
    taps = np.exp(-0.5 * (at / 0.7) ** 2)
    taps /= taps.sum()
    wide = np.pad(x.numpy().astype(np.float64), ((0, 0), (2, 2), (2, 2)), mode="reflect")
    rows = sum(t * wide[:, i : i + 9, :] for i, t in enumerate(taps))
    expected = sum(t * rows[:, :, i : i + 12] for i, t in enumerate(taps))
    np.testing.assert_allclose(F.gaussian_blur(x, 5, 0.7).numpy(), expected, atol=1e-6)
    assert F.gaussian_blur(rgb, [3, 5]).size == rgb.size
    for bad in (2, (3, 3, 3)):
        with pytest.raises(ValueError):
            F.gaussian_blur(x, bad)
    with pytest.raises(ValueError):
        F.gaussian_blur(x, 3, -1.0)


def test_erase() -> None:
    x = mg.ones(3, 4, 4)
    y = F.erase(x, 1, 1, 2, 2, mg.tensor([[[0.0]]]))
    assert y.sum() == 36 and x.sum() == 48
    assert F.erase(x, 0, 0, 1, 1, mg.tensor([[[0.0]]]), inplace=True) is x and x.sum() == 45


# -- what is drawn --------------------------------------------------------------------------------


def test_draws_are_those_of_pytorch() -> None:
    """The parameters that torchvision's formulas give with PyTorch's generator."""
    torch = pytest.importorskip("torch")
    x = mg.zeros(3, 20, 30)

    def uniform(a: float, b: float) -> float:
        return torch.empty(1).uniform_(a, b).item()

    for seed in range(5):
        torch.manual_seed(seed)
        mg.manual_seed(seed)
        i, j = (torch.randint(0, n, (1,)).item() for n in (20 - 8 + 1, 30 - 9 + 1))
        assert T.RandomCrop.get_params(x, (8, 9)) == (i, j, 8, 9)
        assert T.RandomRotation.get_params([-10.0, 20.0]) == uniform(-10, 20)
        angle, dx, dy = uniform(-5, 5), uniform(-3.0, 3.0), uniform(-4.0, 4.0)
        scale, shear = uniform(0.5, 2), uniform(-1, 1)
        expected = (angle, (round(dx), round(dy)), scale, (shear, 0.0))
        drawn = T.RandomAffine.get_params([-5, 5], (0.1, 0.2), (0.5, 2), [-1, 1], (30, 20))
        assert drawn == expected
        order, *factors = T.ColorJitter.get_params((0.5, 1.5), None, (0.1, 2.0), (-0.1, 0.1))
        assert order.tolist() == torch.randperm(4).tolist()
        assert factors == [uniform(0.5, 1.5), None, uniform(0.1, 2), uniform(-0.1, 0.1)]
        area, ratio = 600 * uniform(0.08, 1.0), torch.log(torch.tensor((0.75, 4 / 3)))
        box = T.RandomResizedCrop.get_params(x, (0.08, 1.0), (0.75, 4 / 3))
        aspect = torch.exp(torch.empty(1).uniform_(ratio[0], ratio[1])).item()
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if w <= 30 and h <= 20:
            assert box[2:] == (h, w)
        torch.manual_seed(seed)
        mg.manual_seed(seed)
        flipped = T.RandomHorizontalFlip(0.5)(mg.arange(2.0).reshape(1, 1, 2))
        assert (flipped[0, 0, 0] == 1) == bool(torch.rand(1) < 0.5)
        assert T.GaussianBlur.get_params(0.1, 2.0) == uniform(0.1, 2.0)


def test_random_transforms_give_images_of_their_size(rgb: Any) -> None:
    mg.manual_seed(0)
    for make, size in (
        (T.RandomCrop(5), (5, 5)),
        (T.RandomCrop(9, padding=2), (9, 9)),
        (T.RandomCrop((20, 20), pad_if_needed=True), (20, 20)),
        (T.RandomResizedCrop(7), (7, 7)),
        (T.RandomRotation(30), (9, 12)),
        (T.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5), (9, 12)),
        (T.ColorJitter(0.5, 0.5, 0.5, 0.1), (9, 12)),
        (T.RandomGrayscale(1.0), (9, 12)),
        (T.GaussianBlur(3), (9, 12)),
        (T.RandomInvert(1.0), (9, 12)),
    ):
        for image in (rgb, F.pil_to_tensor(rgb)):
            assert tuple(F.get_dimensions(make(image))) == (3, *size), make
    with pytest.raises(ValueError, match="larger than input"):
        T.RandomCrop(50)(rgb)
    erased = T.RandomErasing(1.0, value="random")(F.to_tensor(rgb))
    assert (erased != F.to_tensor(rgb)).any()
    assert T.RandomErasing(0.0)(F.to_tensor(rgb)).equal(F.to_tensor(rgb))


def test_choices_and_orders(rgb: Any) -> None:
    random.seed(0)
    plus, times = T.Lambda(lambda x: x + 1), T.Lambda(lambda x: x * 3)
    assert {T.RandomChoice([plus, times])(2) for _ in range(20)} == {3, 6}
    assert {T.RandomChoice([plus, times], p=[0, 1])(2) for _ in range(5)} == {6}
    assert {T.RandomOrder([plus, times])(2) for _ in range(20)} == {7, 9}
    assert T.RandomApply([plus, times], p=1.0)(2) == 9 and T.RandomApply([plus], p=0.0)(2) == 2
    assert T.Compose([plus, times])(2) == 9
    with pytest.raises(TypeError):
        T.Lambda(3)


def test_reprs() -> None:
    for t, text in (
        (T.Compose([T.ToTensor(), T.Normalize((0.5,), (0.5,))]),
         "Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.5,))\n)"),
        (T.Resize(32), "Resize(size=32, interpolation=bilinear, max_size=None, antialias=True)"),
        (T.CenterCrop(10), "CenterCrop(size=(10, 10))"),
        (T.RandomCrop(32, padding=4), "RandomCrop(size=(32, 32), padding=4)"),
        (T.RandomHorizontalFlip(), "RandomHorizontalFlip(p=0.5)"),
        (T.RandomResizedCrop(24), "RandomResizedCrop(size=(24, 24), scale=(0.08, 1.0), "
         "ratio=(0.75, 1.3333), interpolation=bilinear, antialias=True)"),
        (T.RandomRotation(10), "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, "
         "expand=False, fill=0)"),
        (T.RandomAffine(5, shear=2), "RandomAffine(degrees=[-5.0, 5.0], shear=[-2.0, 2.0])"),
        (T.ColorJitter(0.5), "ColorJitter(brightness=(0.5, 1.5), contrast=None, "
         "saturation=None, hue=None)"),
        (T.Grayscale(), "Grayscale(num_output_channels=1)"),
        (T.Pad(2), "Pad(padding=2, fill=0, padding_mode=constant)"),
        (T.RandomErasing(), "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, "
         "inplace=False)"),
        (T.GaussianBlur(3), "GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))"),
        (T.RandomApply([T.ToTensor()]), "RandomApply(\n    p=0.5\n    ToTensor()\n)"),
        (T.RandomChoice([T.ToTensor()]), "RandomChoice(\n    ToTensor()\n)(p=None)"),
        (T.ConvertImageDtype(mg.float32), "ConvertImageDtype()"),
        (T.ToPILImage("L"), "ToPILImage(mode=L)"),
        (T.Lambda(abs), "Lambda()"),
        (T.FiveCrop(3), "FiveCrop(size=(3, 3))"),
    ):  # fmt: skip
        assert repr(t) == text


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: T.RandomRotation(-1), ValueError), (lambda: T.RandomRotation((1,)), ValueError),
        (lambda: T.ColorJitter(-1), ValueError), (lambda: T.ColorJitter(hue=0.7), ValueError),
        (lambda: T.RandomAffine(1, (2, 0)), ValueError),
        (lambda: T.RandomAffine(1, scale=(0, 1)), ValueError),
        (lambda: T.RandomErasing(2.0), ValueError),
        (lambda: T.RandomErasing(value="x"), ValueError),
        (lambda: T.GaussianBlur(2), ValueError), (lambda: T.GaussianBlur(3, -1), ValueError),
        (lambda: T.Resize("a"), TypeError), (lambda: T.Pad("a"), TypeError),
        (lambda: T.Pad(1, padding_mode="x"), ValueError),
        (lambda: T.CenterCrop((1, 2, 3)), ValueError),
        (lambda: F.adjust_hue(mg.ones(3, 2, 2), 0.7), ValueError),
        (lambda: F.adjust_gamma(mg.ones(3, 2, 2), -1), ValueError),
        (lambda: F.adjust_brightness(mg.ones(3, 2, 2), -1), ValueError),
        (lambda: F.pad(mg.ones(3, 2, 2), (1, 2, 3)), ValueError),
        (lambda: F.hflip(3), TypeError),
    ],
)  # fmt: skip
def test_bad_arguments(make: Any, error: type) -> None:
    with pytest.raises(error):
        make()
