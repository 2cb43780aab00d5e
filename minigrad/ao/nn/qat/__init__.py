"""`torch.ao.nn.qat`: layers that train with the weights that they will have as integers."""

from .layers import *  # noqa: F403
