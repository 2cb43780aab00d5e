"""`torchvision.models.*_Weights`: names of published weights and the preprocessing they expect.

The weights are not here: a model that is asked for one of these says so (`_common.no_weights`).
"""

from __future__ import annotations

import enum
from functools import partial
from typing import Any, NoReturn

from ..transforms import functional

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _classification(image: Any, resize: int, crop: int, mean: tuple, std: tuple) -> Any:
    """An image as the classifier takes it: (..., 3, crop, crop), normalised."""
    image = functional.center_crop(functional.resize(image, [resize]), [crop, crop])
    if not hasattr(image, "dtype"):  # a PIL image
        image = functional.pil_to_tensor(image)
    return functional.normalize(functional.convert_image_dtype(image), mean, std)


class WeightsEnum(enum.Enum):
    """Published weights of one model; the value has the side that images are resized to."""

    @property
    def transforms(self) -> Any:
        """Makes the preprocessing: resize, crop to 224, scale to [0, 1], normalise."""
        numbers = {"resize": self.value[1], "crop": 224, "mean": _MEAN, "std": _STD}
        if self.name == "IMAGENET1K_FEATURES":  # trained on images that were only centred
            numbers.update(mean=(0.48235, 0.45882, 0.40784), std=(1 / 255,) * 3)
        return partial(partial, _classification, **numbers)

    def get_state_dict(self, *args: Any, **kwargs: Any) -> NoReturn:
        """ValueError: minigrad downloads no weights."""
        raise ValueError(
            f"{self}: minigrad downloads no trained weights; needed: a state_dict from a file, "
            "torch.load(path)"
        )

    def __repr__(self) -> str:
        return str(self)


def _define(name: str, *versions: str) -> Any:
    sides = {"IMAGENET1K_V1": 256, "IMAGENET1K_V2": 232, "IMAGENET1K_FEATURES": 256}
    members: dict[str, Any] = {version: (version, sides[version]) for version in versions}
    newest = "IMAGENET1K_V2" if "IMAGENET1K_V2" in versions else "IMAGENET1K_V1"
    made: Any = WeightsEnum  # Enum's functional form, which type checkers read as a look-up
    return made(name, {**members, "DEFAULT": members[newest]}, module=__name__)


_ONE, _TWO = ("IMAGENET1K_V1",), ("IMAGENET1K_V1", "IMAGENET1K_V2")

AlexNet_Weights = _define("AlexNet_Weights", *_ONE)
DenseNet121_Weights = _define("DenseNet121_Weights", *_ONE)
DenseNet161_Weights = _define("DenseNet161_Weights", *_ONE)
DenseNet169_Weights = _define("DenseNet169_Weights", *_ONE)
DenseNet201_Weights = _define("DenseNet201_Weights", *_ONE)
MobileNet_V2_Weights = _define("MobileNet_V2_Weights", *_TWO)
MobileNet_V3_Large_Weights = _define("MobileNet_V3_Large_Weights", *_TWO)
MobileNet_V3_Small_Weights = _define("MobileNet_V3_Small_Weights", *_ONE)
ResNet18_Weights = _define("ResNet18_Weights", *_ONE)
ResNet34_Weights = _define("ResNet34_Weights", *_ONE)
ResNet50_Weights = _define("ResNet50_Weights", *_TWO)
ResNet101_Weights = _define("ResNet101_Weights", *_TWO)
ResNet152_Weights = _define("ResNet152_Weights", *_TWO)
ResNeXt50_32X4D_Weights = _define("ResNeXt50_32X4D_Weights", *_TWO)
ResNeXt101_32X8D_Weights = _define("ResNeXt101_32X8D_Weights", *_TWO)
SqueezeNet1_0_Weights = _define("SqueezeNet1_0_Weights", *_ONE)
SqueezeNet1_1_Weights = _define("SqueezeNet1_1_Weights", *_ONE)
VGG11_Weights = _define("VGG11_Weights", *_ONE)
VGG11_BN_Weights = _define("VGG11_BN_Weights", *_ONE)
VGG13_Weights = _define("VGG13_Weights", *_ONE)
VGG13_BN_Weights = _define("VGG13_BN_Weights", *_ONE)
VGG16_Weights = _define("VGG16_Weights", *_ONE, "IMAGENET1K_FEATURES")
VGG16_BN_Weights = _define("VGG16_BN_Weights", *_ONE)
VGG19_Weights = _define("VGG19_Weights", *_ONE)
VGG19_BN_Weights = _define("VGG19_BN_Weights", *_ONE)
ViT_B_16_Weights = _define("ViT_B_16_Weights", *_ONE)
ViT_B_32_Weights = _define("ViT_B_32_Weights", *_ONE)
Wide_ResNet50_2_Weights = _define("Wide_ResNet50_2_Weights", *_TWO)
Wide_ResNet101_2_Weights = _define("Wide_ResNet101_2_Weights", *_TWO)
