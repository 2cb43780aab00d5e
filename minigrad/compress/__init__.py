"""`minigrad.compress`: smaller and faster models, and what they cost before and after."""

from . import channels as _channels
from . import codebook as _codebook
from . import distillation as _distillation
from . import flops as _flops
from . import fusion as _fusion
from . import lowrank as _lowrank
from . import nm_sparsity as _nm_sparsity
from . import plan as _plan
from . import quantization as _quantization
from . import report as _report
from . import structured as _structured
from .channels import *  # noqa: F403
from .codebook import *  # noqa: F403
from .distillation import *  # noqa: F403
from .flops import *  # noqa: F403
from .fusion import *  # noqa: F403
from .lowrank import *  # noqa: F403
from .nm_sparsity import *  # noqa: F403
from .plan import *  # noqa: F403
from .quantization import *  # noqa: F403
from .structured import *  # noqa: F403

# isort: split
# The function has the name of its module.
from .report import *  # noqa: F403

__all__ = [
    *_channels.__all__,
    *_codebook.__all__,
    *_distillation.__all__,
    *_flops.__all__,
    *_fusion.__all__,
    *_lowrank.__all__,
    *_nm_sparsity.__all__,
    *_plan.__all__,
    *_quantization.__all__,
    *_report.__all__,
    *_structured.__all__,
]
