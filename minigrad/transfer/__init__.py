"""`minigrad.transfer`: trained models: loading, freezing, rates, LoRA, soups and ensembles."""

from . import ensembles as _ensembles
from . import freezing as _freezing
from . import loading as _loading
from . import lora as _lora
from . import merging as _merging
from .ensembles import *  # noqa: F403
from .freezing import *  # noqa: F403
from .loading import *  # noqa: F403
from .lora import *  # noqa: F403
from .merging import *  # noqa: F403

__all__ = [
    *_ensembles.__all__,
    *_freezing.__all__,
    *_loading.__all__,
    *_lora.__all__,
    *_merging.__all__,
]
