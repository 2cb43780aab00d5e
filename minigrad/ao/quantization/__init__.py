"""`torch.ao.quantization`, eager mode: observers, fake quantization, and making models of integers.

Graph mode (`quantize_fx`, `quantize_pt2e`) is not here: `minigrad.compress.quantize` needs no
changes to a model.
"""

from . import fake_quantize as _fake_quantize
from . import fuse_modules as _fuse_modules
from . import observer as _observer
from . import qconfig as _qconfig
from . import quantize as _quantize
from . import stubs as _stubs
from .observer import *  # noqa: F403
from .qconfig import *  # noqa: F403
from .stubs import *  # noqa: F403

# isort: split
# Functions that have the names of their modules.
from .fake_quantize import *  # noqa: F403
from .fuse_modules import *  # noqa: F403
from .quantize import *  # noqa: F403

__all__ = [
    *_fake_quantize.__all__,
    *_fuse_modules.__all__,
    *_observer.__all__,
    *_qconfig.__all__,
    *_quantize.__all__,
    *_stubs.__all__,
]
