"""`utils.benchmark`: timing statements."""

from .timer import Measurement as Measurement
from .timer import Timer as Timer
