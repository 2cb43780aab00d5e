"""`torch.ao.nn.quantized`: layers of integers."""

from . import dynamic as dynamic
from . import functional as functional
from .layers import *  # noqa: F403
from .sums import *  # noqa: F403
