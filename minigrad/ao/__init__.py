"""`torch.ao`: quantized layers and what makes models of them."""

from . import nn as nn
from . import quantization as quantization
