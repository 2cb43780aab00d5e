"""`minigrad.compress`: smaller and faster models, and what they cost before and after."""

from . import channels as _channels
from . import flops as _flops
from . import plan as _plan
from . import report as _report
from . import structured as _structured
from .channels import *  # noqa: F403
from .flops import *  # noqa: F403
from .plan import *  # noqa: F403
from .structured import *  # noqa: F403

# isort: split
# The function has the name of its module.
from .report import *  # noqa: F403

__all__ = [
    *_channels.__all__, *_flops.__all__, *_plan.__all__, *_report.__all__, *_structured.__all__,
]  # fmt: skip
