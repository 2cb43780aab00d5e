"""Augmentation of batches: each image as the transform of one image does it, and draws for each."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.vision import augment as A
from minigrad.vision import transforms as T
from minigrad.vision.augment import functional as F
from minigrad.vision.augment._policies import RAND_AUGMENT, apply_operations, magnitudes
from minigrad.vision.transforms import functional as one

RNG = np.random.default_rng(0)
N = 12
PIXELS = mg.from_numpy(RNG.integers(0, 256, (N, 3, 10, 14), np.uint8))
FLOATS = PIXELS.float() / 255
# Equalizing needs more pixels than levels.
LARGE = mg.from_numpy((RNG.beta(2, 4, (N, 3, 40, 30)) * 255).astype(np.uint8))
GRAY = FLOATS[:, :1].contiguous()
NEAREST, BILINEAR = T.InterpolationMode.NEAREST, T.InterpolationMode.BILINEAR
LABELS = mg.arange(N) % 4


def seeded(seed: int = 0) -> Any:
    return mg.Generator().manual_seed(seed)


def drawn(low: float, high: float, seed: int = 0) -> Any:
    return mg.from_numpy(np.random.default_rng(seed).uniform(low, high, N).astype(np.float32))


def close(made: Any, expected: Any, levels: int = 0, share: float = 0.01) -> None:
    """Equal floats up to rounding; integers but for so many levels at a share of the places."""
    assert made.dtype == expected.dtype and made.shape == expected.shape
    if made.dtype.is_floating_point:
        np.testing.assert_allclose(made.numpy(), expected.numpy(), atol=2e-5)
    else:
        gap = np.abs(made.numpy().astype(int) - expected.numpy().astype(int))
        assert gap.max() <= levels and (gap > 0).mean() < share


ALL = [
    lambda g: A.RandomCrop(8, padding=3, generator=g),
    lambda g: A.RandomCrop((10, 9), padding=2, padding_mode="reflect", generator=g),
    lambda g: A.RandomResizedCrop(9, generator=g),
    lambda g: A.RandomHorizontalFlip(generator=g),
    lambda g: A.RandomVerticalFlip(0.4, generator=g),
    lambda g: A.RandomRotation(40, fill=0.5, generator=g),
    lambda g: A.RandomAffine(10, (0.2, 0.2), (0.8, 1.2), (-5, 5, -5, 5), BILINEAR, generator=g),
    lambda g: A.ColorJitter(0.4, 0.4, 0.4, 0.3, generator=g),
    lambda g: A.RandomGrayscale(0.5, generator=g),
    lambda g: A.RandomInvert(generator=g),
    lambda g: A.GaussianNoise(sigma=(0.05, 0.2), generator=g),
    lambda g: A.GaussianBlur((3, 5), generator=g),
    lambda g: A.RandomErasing(0.9, generator=g),
    lambda g: A.RandomErasing(1.0, value="random", generator=g),
    lambda g: A.Cutout(5, 2, generator=g),
    lambda g: A.RandAugment(generator=g),
    lambda g: A.TrivialAugmentWide(generator=g),
    lambda g: A.AugMix(generator=g),
]


@pytest.mark.parametrize("x", [PIXELS, FLOATS, GRAY, FLOATS.double()])
@pytest.mark.parametrize("make", ALL)
def test_seeded_and_of_each_image(make: Any, x: Any) -> None:
    t = make(seeded())
    before = x.clone()
    made = t(x)
    assert made.dtype == x.dtype and made.shape[:2] == x.shape[:2]
    assert (x == before).all()
    assert (make(seeded())(x) == made).all()
    if isinstance(t, A.RandomGrayscale) and x is GRAY:
        assert (made == x).all()
        return
    assert not (t(x) == made).all()  # the generator has moved on
    # One image many times: its copies differ.
    same = x[:1].expand(x.shape).contiguous()
    copies = make(seeded(3))(same).numpy()
    assert len({c.tobytes() for c in copies}) > 1
    assert repr(t).startswith(type(t).__name__ + "(")
    assert t(x[:0]).shape[0] == 0
    if x.dtype.is_floating_point:
        low, high = (0, 1) if not isinstance(t, A.RandomErasing) else (-9, 9)
        assert low - 1e-5 <= made.min().item() and made.max().item() <= high + 1e-5


@pytest.mark.parametrize("x", [PIXELS, FLOATS])
@pytest.mark.parametrize("mode", [NEAREST, BILINEAR])
@pytest.mark.parametrize("fill", [0, 3.0, (0.1, 0.9, 0.4)])
@pytest.mark.parametrize("center", [None, (2, 3)])
def test_affine(x: Any, mode: Any, fill: Any, center: Any) -> None:
    angle, tx, ty = drawn(-90, 90), drawn(-4, 4, 1).round(), drawn(-4, 4, 2).round()
    scale, sx, sy = drawn(0.6, 1.6, 3), drawn(-20, 20, 4), drawn(-20, 20, 5)
    made = F.affine(x, angle, (tx, ty), scale, (sx, sy), mode, fill, center)
    turned = F.rotate(x, angle, mode, fill, center)
    colour = list(fill) if isinstance(fill, tuple) else [float(fill)] * 3
    for i in range(N):
        shear = [sx[i].item(), sy[i].item()]
        shift = [tx[i].item(), ty[i].item()]
        expected = one.affine(
            x[i], angle[i].item(), shift, scale[i].item(), shear, mode, colour, center
        )
        close(made[i], expected, 1)
        close(turned[i], one.rotate(x[i], angle[i].item(), mode, False, center, colour), 1)


@pytest.mark.parametrize("x", [PIXELS, FLOATS, GRAY])
@pytest.mark.parametrize(
    "name, low, high",
    [("brightness", 0, 2), ("contrast", 0, 2), ("saturation", 0, 2), ("hue", -0.5, 0.5)],
)
def test_colours(x: Any, name: str, low: float, high: float) -> None:
    factor = drawn(low, high)
    made = getattr(F, f"adjust_{name}")(x, factor)
    for i in range(N):
        close(made[i], getattr(one, f"adjust_{name}")(x[i], factor[i].item()), 1)
    flat = mg.full_like(x, 0.5 if x.dtype.is_floating_point else 100)
    close(getattr(F, f"adjust_{name}")(flat, 1.0 if name != "hue" else 0.3), flat)


def test_crops_and_flips() -> None:
    top, left = mg.arange(N) % 4, mg.arange(N) % 5
    for x in (PIXELS, FLOATS.clone().requires_grad_()):
        made = F.crop(x, top, left, 7, 10)
        for i in range(N):
            a, b = int(top[i]), int(left[i])
            assert (made[i] == x[i, :, a : a + 7, b : b + 10]).all()
    made.sum().backward()
    assert x.grad.sum().item() == N * 3 * 70
    with pytest.raises(IndexError, match="must lie inside"):
        F.crop(PIXELS, 4, 0, 7, 10)
    chosen = mg.arange(N) % 3 == 0
    made = F.horizontal_flip(PIXELS, chosen)
    assert (made[::3] == PIXELS[::3].flip(-1)).all() and (made[1::3] == PIXELS[1::3]).all()
    assert (F.vertical_flip(PIXELS) == PIXELS.flip(-2)).all()
    with pytest.raises(ValueError, match="for 12 images"):
        F.adjust_hue(PIXELS, [0.1, 0.2])
    with pytest.raises(ValueError, match="larger than input"):
        A.RandomCrop(99)(PIXELS)
    assert A.RandomCrop(20, pad_if_needed=True)(PIXELS).shape == (N, 3, 20, 20)
    # All places are reached, each alike often.
    marks = mg.arange(25.0).reshape(1, 1, 5, 5).expand(4000, 1, 5, 5)
    counts = np.bincount(A.RandomCrop(3, generator=seeded())(marks)[:, 0, 0, 0].long().numpy())
    places = counts[[0, 1, 2, 5, 6, 7, 10, 11, 12]]
    assert places.sum() == 4000 and abs(places - 4000 / 9).max() < 5 * (4000 / 9) ** 0.5


def test_resized_crop() -> None:
    t = A.RandomResizedCrop((6, 7), generator=seeded())
    box = t.boxes(N, 10, 14)
    for x in (PIXELS, FLOATS):
        made = F.resized_crop(x, *box, (6, 7), BILINEAR)
        for i in range(N):
            at = [int(v[i]) for v in box]
            # Halves between two levels are exact in one, and a last bit off in the other.
            close(made[i], one.resized_crop(x[i], *at, [6, 7], antialias=False), 1, share=0.2)
    top, left, h, w = t.boxes(2000, 10, 14)
    assert (top >= 0).all() and (top + h <= 10).all() and (left + w <= 14).all()
    wide = A.RandomResizedCrop(5, scale=(0.9, 1.0), ratio=(9.0, 9.5)).boxes(3, 10, 14)
    assert wide[2].tolist() == [2, 2, 2] and wide[3].tolist() == [14, 14, 14]  # none fits
    with pytest.raises(ValueError, match="antialias"):
        A.RandomResizedCrop(5, antialias=True)


def test_blur_and_sharpness() -> None:
    for x in (PIXELS, FLOATS):
        made = A.GaussianBlur((3, 5), sigma=0.8)(x)
        for i in range(N):
            close(made[i], one.gaussian_blur(x[i], [3, 5], [0.8, 0.8]), 1)
    # Factor 0 of sharpness is the smoothed image inside, and the image at its rim.
    smooth = F.adjust_sharpness(FLOATS, 0.0)
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    at = (FLOATS[2, 1, 3:6, 4:7].numpy() * kernel).sum()
    assert smooth[2, 1, 4, 5].item() == pytest.approx(at, abs=1e-6)
    assert (smooth[..., 0] == FLOATS[..., 0]).all()
    close(F.adjust_sharpness(PIXELS, 1.0), PIXELS)


def test_levels_against_pillow() -> None:
    ops = pytest.importorskip("PIL.ImageOps")
    image = pytest.importorskip("PIL.Image")
    flat = LARGE.clone()
    flat[3] = 77
    flat[4, 0] = 200
    cases = [
        (F.equalize(flat), ops.equalize, 0),
        (F.autocontrast(flat), ops.autocontrast, 1),
        (F.posterize(flat, 3), lambda im: ops.posterize(im, 3), 0),
        (F.solarize(flat, 100), lambda im: ops.solarize(im, 100), 0),
        (F.invert(flat), ops.invert, 0),
    ]
    assert (F.equalize(flat) != flat).float().mean().item() > 0.5
    for made, function, levels in cases:
        for i in range(N):
            picture = image.fromarray(flat[i].permute(1, 2, 0).contiguous().numpy())
            expected = np.asarray(function(picture)).transpose(2, 0, 1).astype(int)
            assert np.abs(made[i].numpy().astype(int) - expected).max() <= levels, function
    floats = flat.float() / 255
    np.testing.assert_allclose(
        F.equalize(floats).numpy() * 255, F.equalize(flat).numpy(), atol=1e-3
    )
    assert F.posterize(mg.full((1, 1, 1, 1), 0.6), 1).item() == 0.5


def test_erased_parts() -> None:
    x = mg.ones(3000, 1, 20, 30)
    made = A.RandomErasing(0.7, scale=(0.1, 0.2), generator=seeded())(x)
    share = (made == 0).float().mean((1, 2, 3))
    erased = share > 0
    assert erased.float().mean().item() == pytest.approx(0.7, abs=0.04)
    assert share[erased].min().item() > 0.07 and share[erased].max().item() < 0.23
    rows = (made == 0).any(-1).sum(-1) * (made == 0).any(-2).sum(-1)
    assert (rows.reshape(-1) == (made == 0).sum((1, 2, 3))).all()  # rectangles
    kept = x.clone()
    assert A.RandomErasing(1.0, inplace=True)(kept) is kept and (kept == 0).any()
    with pytest.raises(ValueError, match="input channels"):
        A.RandomErasing(1.0, value=(1, 2))(x)
    holes = A.Cutout(6, generator=seeded())(x)
    counts = (holes == 0).sum((1, 2, 3))
    assert counts.max().item() == 36 and counts.min().item() >= 9
    assert (A.Cutout(6, p=0.0)(x) == 1).all()


def test_noise() -> None:
    x = mg.full((400, 1, 16, 16), 0.5)
    made = A.GaussianNoise(0.1, (0.02, 0.08), generator=seeded())(x)
    spread = made.std((1, 2, 3))
    assert made.mean().item() == pytest.approx(0.6, abs=1e-3)
    assert 0.015 < spread.min().item() < 0.03 and 0.07 < spread.max().item() < 0.1
    levels = A.GaussianNoise(sigma=0.1, generator=seeded())(mg.full((64, 1, 16, 16), 128).byte())
    assert levels.float().std().item() == pytest.approx(25.5, rel=0.05)
    with pytest.raises(ValueError, match="negative"):
        A.GaussianNoise(sigma=-1)


@pytest.mark.parametrize("kind", [A.MixUp, A.CutMix])
def test_mixing(kind: Any) -> None:
    # Images that show their class: the shares of the labels are those of the picture.
    x = LABELS.float().reshape(N, 1, 1, 1).expand(N, 1, 20, 20) / 4
    for per_image in (True, False):
        mix = kind(num_classes=4, per_image=per_image, generator=seeded())
        made, shares = mix(x, LABELS)
        assert shares.shape == (N, 4)
        np.testing.assert_allclose(shares.sum(1).numpy(), 1, rtol=1e-6)
        np.testing.assert_allclose(
            made.mean((1, 2, 3)).numpy(), (shares @ (mg.arange(4.0) / 4)).numpy(), atol=1e-5
        )
        own = shares[mg.arange(N), LABELS].numpy()
        assert len(set(np.round(own, 4))) > (1 if per_image else 0)
        assert per_image or np.ptp(own) < 1e-6
        again, same = kind(num_classes=4, per_image=per_image, generator=seeded())((x, LABELS))
        assert (again == made).all() and (same == shares).all()
    made, shares = kind()(PIXELS, mg.nn.functional.one_hot(LABELS, 4))
    assert made.dtype == mg.uint8 and shares.dtype == mg.float32
    with pytest.raises(ValueError, match="num_classes must be passed"):
        kind()(x, LABELS)
    with pytest.raises(ValueError, match="labels should be"):
        kind(num_classes=4)(x, LABELS.float())
    with pytest.raises(TypeError, match="images and labels"):
        kind(num_classes=4)(x)
    with pytest.raises(ValueError, match="alpha"):
        kind(alpha=0.0)


def test_beta_shares() -> None:
    mix = A.MixUp(alpha=0.4, num_classes=2, generator=seeded())
    x = mg.zeros(20000, 1, 1, 1)
    x[::2] = 1
    made, _ = mix(x, mg.zeros(20000).long())
    share = mg.where(x == 1, made, 1 - made).numpy()
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert share.var() == pytest.approx(0.25 / 1.8, rel=0.05)  # of Beta(a, a): 1 / (4 (2a + 1))


def one_operation(name: str, image: Any, value: float) -> Any:
    """An operation of a policy on one image."""
    corner = {"center": [0, 0], "interpolation": BILINEAR, "fill": [0.0] * 3}
    degrees = float(np.degrees(np.arctan(value)))
    bound = 1 if image.dtype.is_floating_point else 255
    operations: dict[str, Any] = {
        "Identity": lambda: image,
        "ShearX": lambda: one.affine(image, 0.0, [0, 0], 1.0, [degrees, 0.0], **corner),
        "ShearY": lambda: one.affine(image, 0.0, [0, 0], 1.0, [0.0, degrees], **corner),
        "TranslateX": lambda: one.affine(image, 0.0, [int(value), 0], 1.0, [0.0, 0.0]),
        "TranslateY": lambda: one.affine(image, 0.0, [0, int(value)], 1.0, [0.0, 0.0]),
        "Rotate": lambda: one.rotate(image, value, BILINEAR, fill=[0.0] * 3),
        "Brightness": lambda: one.adjust_brightness(image, 1 + value),
        "Color": lambda: one.adjust_saturation(image, 1 + value),
        "Contrast": lambda: one.adjust_contrast(image, 1 + value),
        "Sharpness": lambda: F.adjust_sharpness(image[None], 1 + value)[0],
        "Posterize": lambda: F.posterize(image[None], 7)[0],
        "Solarize": lambda: F.solarize(image[None], bound * 0.7)[0],
        "AutoContrast": lambda: F.autocontrast(image[None])[0],
        "Equalize": lambda: F.equalize(image[None])[0],
    }
    return operations[name]()


@pytest.mark.parametrize("x", [PIXELS, FLOATS])
@pytest.mark.parametrize("name", RAND_AUGMENT)
def test_policy_operations_are_the_functions(x: Any, name: str) -> None:
    names = list(RAND_AUGMENT)
    m = magnitudes(name, RAND_AUGMENT[name][0], mg.full((N,), 0.3))
    m = m * 14 if name.startswith("Translate") else m
    made = apply_operations(x, names, mg.full((N,), names.index(name)), m, BILINEAR, 0)
    for k in (0, 5):
        close(made[k], one_operation(name, x[k], m[k].item()), 1)
    none = apply_operations(x, ["Identity"], mg.full((N,), -1), m, BILINEAR, 0)
    assert (none == x).all()


@pytest.mark.parametrize("mode", [NEAREST, BILINEAR])
def test_without_a_colour_outside_is_black(mode: Any) -> None:
    angle = drawn(-90, 90)
    made = F.rotate(FLOATS, angle, mode, None)
    for i in range(N):
        close(made[i], one.rotate(FLOATS[i], angle[i].item(), mode))
    assert (F.rotate(mg.ones(1, 1, 9, 9), 45.0, mode, None)[0, 0, 0, 0] == 0).item()


def test_magnitudes() -> None:
    ends = mg.tensor([0.0, 1.0])
    assert magnitudes("Posterize", (8, 4), ends).tolist() == [8, 4]
    assert magnitudes("Solarize", 1.0, ends).tolist() == [1, 0]
    assert magnitudes("Rotate", 30.0, ends).tolist() == [0, 30]


def test_augmix_weights() -> None:
    # Chains that change nothing leave the image: the weights add up to 1.
    t = A.AugMix(severity=1, mixture_width=4, all_ops=False, generator=seeded())
    t.table = {"Identity": (None, False)}
    close(t(FLOATS), FLOATS)
    assert "Color" not in A.AugMix(all_ops=False).table and "Color" in A.AugMix().table
    assert (A.RandAugment(num_ops=0)(PIXELS) == PIXELS).all()
    for bad in ({"severity": 11}, {"severity": 0}, {"alpha": 0.0}):
        with pytest.raises(ValueError):
            A.AugMix(**bad)
    with pytest.raises(ValueError):
        A.RandAugment(magnitude=31)


def test_compose_and_inputs() -> None:
    chain = A.Compose(
        [A.RandomCrop(8, padding=1), T.Normalize([0.5] * 3, [0.5] * 3), A.MixUp(num_classes=4)],
        generator=seeded(),
    )
    made, shares, extra = chain(FLOATS, LABELS, "kept")
    assert made.shape == (N, 3, 8, 8) and shares.shape == (N, 4) and extra == "kept"
    batch = chain([FLOATS, LABELS])
    assert isinstance(batch, list) and batch[0].shape == (N, 3, 8, 8)
    assert A.Compose([A.RandomInvert(1.0)])(FLOATS).shape == FLOATS.shape
    assert "RandomCrop(size=(8, 8), padding=1)" in repr(chain)
    flip = A.RandomHorizontalFlip(1.0)
    pair = flip((PIXELS, LABELS))
    assert isinstance(pair, tuple) and pair[1] is LABELS
    for bad in (PIXELS[0], PIXELS.int(), PIXELS.numpy()):
        with pytest.raises(TypeError, match="needed: "):
            flip(bad)
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="interval"):
            A.RandomHorizontalFlip(p)(PIXELS)
    with pytest.raises(ValueError, match="different sizes"):
        A.RandomRotation(10, expand=True)
    with pytest.raises(ValueError, match="nearest or bilinear"):
        F.rotate(PIXELS, 10.0, T.InterpolationMode.BICUBIC)


def test_levels_of_some_images() -> None:
    cases = [
        (A.RandomAutocontrast, (), F.autocontrast),
        (A.RandomEqualize, (), F.equalize),
        (A.RandomSolarize, (90,), lambda x: F.solarize(x, 90)),
        (A.RandomPosterize, (2,), lambda x: F.posterize(x, 2)),
        (A.RandomAdjustSharpness, (0.3,), lambda x: F.adjust_sharpness(x, 0.3)),
    ]
    for kind, arguments, function in cases:
        dark = (LARGE // 2 + 20).to(mg.uint8)
        made, expected = kind(*arguments, generator=seeded())(dark), function(dark)
        whole = [(made[i] == expected[i]).all().item() for i in range(N)]
        kept = [(made[i] == dark[i]).all().item() for i in range(N)]
        assert all(a or b for a, b in zip(whole, kept)) and 0 < sum(whole) < N
        assert (kind(*arguments, p=1.0)(dark) == expected).all()
        assert "p=0.5" in repr(kind(*arguments))
    for bad in (lambda: A.RandomPosterize(9), lambda: A.RandomAdjustSharpness(-1)):
        with pytest.raises(ValueError):
            bad()


def test_random_apply() -> None:
    inner = [A.RandomInvert(1.0), A.GaussianNoise(sigma=0.0)]
    made = A.RandomApply(inner, 0.5, generator=seeded())(PIXELS)
    inverted = [(made[i] == 255 - PIXELS[i]).all().item() for i in range(N)]
    assert 0 < sum(inverted) < N
    assert all(a or (made[i] == PIXELS[i]).all() for i, a in enumerate(inverted))
    g = seeded(4)
    chain = A.Compose([A.RandomApply([A.ColorJitter(0.5)], 0.8), A.GaussianNoise()], generator=g)
    first = chain(FLOATS)
    g.manual_seed(4)
    assert (chain(FLOATS) == first).all()  # nested ones draw from it, too
    with pytest.raises(ValueError, match="needed: the same"):
        A.RandomApply([A.RandomCrop(3)], 1.0)(PIXELS)


def test_gradients_reach_the_images() -> None:
    x = FLOATS.clone().requires_grad_()
    chain = A.Compose(
        [A.RandomCrop(8), A.RandomHorizontalFlip(), A.RandomRotation(20, BILINEAR),
         A.ColorJitter(0.2, 0.2, 0.2, 0.1)], generator=seeded(),
    )  # fmt: skip
    chain(x).sum().backward()
    assert x.grad is not None and (x.grad != 0).any()


def test_albumentations() -> None:
    library = pytest.importorskip("albumentations")
    t = A.Albumentations(
        [library.HorizontalFlip(p=0.5), library.RandomBrightnessContrast(p=1.0)], generator=seeded()
    )
    for x in (PIXELS, FLOATS):
        t.generator.manual_seed(1)
        made = t(x)
        assert made.shape == x.shape and made.dtype == x.dtype
        t.generator.manual_seed(1)
        assert (t(x) == made).all() and not (t(x) == made).all()
    flip = A.Albumentations(library.HorizontalFlip(p=1.0))
    assert (flip(PIXELS) == PIXELS.flip(-1)).all()
    assert flip(GRAY).shape == GRAY.shape


def test_without_albumentations() -> None:
    code = (
        "import sys; sys.modules['albumentations'] = None\n"
        "from minigrad.vision import augment\n"
        "try: augment.Albumentations(None)\n"
        "except ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "minigrad[albumentations]"' in done.stdout
