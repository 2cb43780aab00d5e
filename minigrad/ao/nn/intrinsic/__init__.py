"""`torch.ao.nn.intrinsic`: several layers in one."""

from . import qat as qat
from . import quantized as quantized
from .fused import *  # noqa: F403
