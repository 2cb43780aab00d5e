"""The kernels of neural networks in NumPy, one file for each family."""

from .numpy_attention import *  # noqa: F403
from .numpy_ctc import *  # noqa: F403
from .numpy_embedding import *  # noqa: F403
from .numpy_gathered import *  # noqa: F403
from .numpy_loss import *  # noqa: F403
from .numpy_norm import *  # noqa: F403
from .numpy_random import *  # noqa: F403
from .numpy_resample import *  # noqa: F403
from .numpy_softmax import *  # noqa: F403
