"""Models split into stages that work as a pipeline on micro-batches, in processes or on devices.

    stages = pipeline(model, (x[:8],), split_spec=balanced_split_spec(model, 2, (x[:8],))).stages()
    with ScheduleGPipe(stages, n_microbatches=8, loss_fn=loss_fn, processes=True) as schedule:
        schedule.step(x, target=y)  # the gradients are in the model's parameters

Names are those of `torch.distributed.pipelining`. There each process runs the program and holds one
stage; here one process holds the model, and the schedule runs all of its stages.
"""

from .microbatch import TensorChunkSpec, merge_chunks, split_args_kwargs_into_chunks
from .schedules import Schedule1F1B, ScheduleGPipe
from .stage import Pipe, PipelineStage, SplitPoint, balanced_split_spec, pipeline

__all__ = [
    "Pipe",
    "PipelineStage",
    "Schedule1F1B",
    "ScheduleGPipe",
    "SplitPoint",
    "TensorChunkSpec",
    "balanced_split_spec",
    "merge_chunks",
    "pipeline",
    "split_args_kwargs_into_chunks",
]
