"""The modules under PyTorch's longer name for them, `torch.nn.modules`."""

from .. import activation as activation
from .. import container as container
from .. import conv as conv
from .. import distance as distance
from .. import dropout as dropout
from .. import lazy as lazy
from .. import linear as linear
from .. import loss as loss
from .. import normalization as normalization
from .. import padding as padding
from .. import pooling as pooling
from .. import rnn as rnn
from .. import sparse as sparse
from ..activation import *  # noqa: F403
from ..attention import *  # noqa: F403
from ..container import *  # noqa: F403
from ..conv import *  # noqa: F403
from ..distance import *  # noqa: F403
from ..dropout import *  # noqa: F403
from ..lazy import *  # noqa: F403
from ..linear import *  # noqa: F403
from ..loss import *  # noqa: F403
from ..module import Module as Module
from ..normalization import *  # noqa: F403
from ..padding import *  # noqa: F403
from ..pooling import *  # noqa: F403
from ..rnn import *  # noqa: F403
from ..rnn_cells import *  # noqa: F403
from ..shape import *  # noqa: F403
from ..sparse import *  # noqa: F403
from . import module as module

batchnorm = instancenorm = normalization
