"""Layers that compute with integers, train for it, or are several layers in one."""

from . import intrinsic as intrinsic
from . import qat as qat
from . import quantized as quantized
