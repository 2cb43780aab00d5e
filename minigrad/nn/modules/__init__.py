"""The modules under PyTorch's longer name for them, `torch.nn.modules`."""

from .. import activation as activation
from .. import batchnorm as batchnorm
from .. import container as container
from .. import conv as conv
from .. import distance as distance
from .. import dropout as dropout
from .. import instancenorm as instancenorm
from .. import lazy as lazy
from .. import linear as linear
from .. import loss as loss
from .. import normalization as normalization
from .. import padding as padding
from .. import pooling as pooling
from .. import rnn as rnn
from .. import shape as shape
from .. import sparse as sparse
from .. import transformer as transformer
from .. import upsampling as upsampling
from ..activation import *  # noqa: F403
from ..batchnorm import *  # noqa: F403
from ..container import *  # noqa: F403
from ..conv import *  # noqa: F403
from ..deprecated import *  # noqa: F403
from ..distance import *  # noqa: F403
from ..dropout import *  # noqa: F403
from ..instancenorm import *  # noqa: F403
from ..lazy import *  # noqa: F403
from ..linear import *  # noqa: F403
from ..loss import *  # noqa: F403
from ..module import Module as Module
from ..multihead import *  # noqa: F403
from ..normalization import *  # noqa: F403
from ..padding import *  # noqa: F403
from ..pooling import *  # noqa: F403
from ..rnn import *  # noqa: F403
from ..rnn_cells import *  # noqa: F403
from ..shape import *  # noqa: F403
from ..sparse import *  # noqa: F403
from ..transformer import *  # noqa: F403
from ..upsampling import *  # noqa: F403
from . import module as module
from . import utils as utils

# Files of PyTorch whose classes stand in one of ours.
channelshuffle = flatten = pixelshuffle = shape
fold = upsampling
