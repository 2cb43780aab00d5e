"""The modules under PyTorch's longer name for them, `torch.nn.modules`."""

from ..activation import *  # noqa: F403
from ..attention import *  # noqa: F403
from ..container import *  # noqa: F403
from ..conv import *  # noqa: F403
from ..dropout import *  # noqa: F403
from ..linear import *  # noqa: F403
from ..loss import *  # noqa: F403
from ..module import Module as Module
from ..normalization import *  # noqa: F403
from ..pooling import *  # noqa: F403
from ..shape import *  # noqa: F403
from ..sparse import *  # noqa: F403
from . import module as module
