"""`minigrad.profiler`: how long operations take, measured while a program runs, and energy."""

from .costs import Peak as Peak
from .costs import measure_peak as measure_peak
from .events import EventList as EventList
from .events import FunctionEvent as FunctionEvent
from .meters import energy as energy
from .profile import ProfilerAction as ProfilerAction
from .profile import ProfilerActivity as ProfilerActivity
from .profile import profile as profile
from .profile import schedule as schedule
from .profile import supported_activities as supported_activities
from .profile import tensorboard_trace_handler as tensorboard_trace_handler
from .recorder import record_function as record_function
