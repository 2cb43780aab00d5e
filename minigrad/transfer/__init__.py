"""`minigrad.transfer`: starting from a trained model: loading, freezing, rates, LoRA adapters."""

from . import freezing as _freezing
from . import loading as _loading
from . import lora as _lora
from .freezing import *  # noqa: F403
from .loading import *  # noqa: F403
from .lora import *  # noqa: F403

__all__ = [*_freezing.__all__, *_loading.__all__, *_lora.__all__]
