"""`ScheduleGPipe` and `Schedule1F1B`: in which order stages do their micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autograd.variable import Variable
from ..utils._pytree import tree_map
from .microbatch import merge_chunks, split_args_kwargs_into_chunks
from .stage import PipelineStage, _tuple_of
from .worker import do_forward
from .workers import Workers

__all__ = ["Schedule1F1B", "ScheduleGPipe"]

Action = tuple[str, int]  # "F" or "B", and the micro-batch


class _Schedule:
    """What the schedules share: cutting batches, running stages, putting results together."""

    def __init__(
        self,
        stage: PipelineStage | Sequence[PipelineStage],
        n_microbatches: int,
        loss_fn: Callable | None = None,
        args_chunk_spec: Any = None,
        kwargs_chunk_spec: Any = None,
        output_merge_spec: Any = None,
        scale_grads: bool = True,
        *,
        processes: bool = False,
        start_method: str | None = None,
        num_threads: int | None = None,
    ) -> None:
        stages = [stage] if isinstance(stage, PipelineStage) else list(stage)
        numbers = [s.stage_index for s in stages]
        if not stages or numbers != list(range(stages[0].num_stages)):
            count = stages[0].num_stages if stages else 0
            raise ValueError(
                f"{type(self).__name__}: stages {numbers} of {count} were given; needed: all "
                "stages of the model, in order"
            )
        if n_microbatches < 1:
            raise ValueError(f"n_microbatches is {n_microbatches}; needed: 1 or more")
        self._check(len(stages), n_microbatches)
        self._stages, self._n_microbatches, self._loss_fn = stages, n_microbatches, loss_fn
        self._args_spec, self._kwargs_spec = args_chunk_spec, kwargs_chunk_spec
        self._merge_spec, self.scale_grads = output_merge_spec, scale_grads
        self._orders = {
            learns: [self.order(i, len(stages), n_microbatches, learns) for i in range(len(stages))]
            for learns in (True, False)
        }
        self._workers = None
        if processes:
            self._workers = Workers(stages, self._orders, loss_fn, start_method, num_threads)

    def _check(self, num_stages: int, n_microbatches: int) -> None:
        """Refuses numbers that a schedule cannot do."""

    @staticmethod
    def order(stage: int, num_stages: int, n_microbatches: int, learns: bool) -> list[Action]:
        """What a stage does, in order."""
        raise NotImplementedError

    # -- running ---------------------------------------------------------------------------------

    def step(
        self,
        *args: Any,
        target: Any = None,
        losses: list | None = None,
        return_outputs: bool = True,
        loss_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Forward and backward of a batch: gradients are added to those of the parameters.

        `args` and `kwargs` go to the first stage, `target` and `loss_kwargs` (as it is) to
        `loss_fn(output, target)`, in micro-batches. `losses` becomes the list of their losses.
        Returns the model's output for the batch (None without `return_outputs`). With
        `scale_grads` a micro-batch's loss counts by its share of the batch's samples, so that the
        gradients of a mean loss are those of the unsplit model (if no layer looks at the batch as
        a whole, as batch norm does); else the losses add up. Without loss_fn: forward only.
        """
        learns = self._loss_fn is not None
        return self._run(args, kwargs, target, losses, return_outputs, loss_kwargs, learns)

    def eval(
        self, *args: Any, target: Any = None, losses: list | None = None, **kwargs: Any
    ) -> Any:
        """Forward of a batch in micro-batches, without recording; the modes of layers stay."""
        return self._run(args, kwargs, target, losses, True, None, False)

    def _run(
        self, args: tuple, kwargs: dict, target: Any, losses: list | None, wants_output: bool,
        loss_kwargs: dict[str, Any] | None, learns: bool,
    ) -> Any:  # fmt: skip
        n = self._n_microbatches
        inputs, named = split_args_kwargs_into_chunks(
            args, kwargs, n, self._args_spec, self._kwargs_spec
        )
        targets: list[Any] = [None] * n
        if target is not None:
            targets = [t[0] for t in split_args_kwargs_into_chunks((target,), {}, n)[0]]
        elif learns:
            raise ValueError("step: no target was given; needed: one for loss_fn")
        weights = [1.0] * n
        if self.scale_grads:
            sizes = [_samples(*chunk) for chunk in zip(inputs, named, targets)]
            weights = [size / sum(sizes) for size in sizes]
        batch = Batch(inputs, named, targets, weights, dict(loss_kwargs or {}), learns)
        run = self._here if self._workers is None else self._workers.run
        outputs, found = run(batch, wants_output)
        if losses is not None:
            losses[:] = found
        return merge_chunks(outputs, self._merge_spec) if wants_output else None

    def _here(self, batch: Batch, wants_output: bool) -> tuple[list[Any], list[Any]]:
        """All stages in this process, each micro-batch as soon as it can be."""
        stages = self._stages
        orders = self._orders[batch.learns]
        came: list[dict[Action, Any]] = [{} for _ in stages]
        came[0].update({("F", m): pair for m, pair in enumerate(zip(batch.args, batch.kwargs))})
        outputs: dict[int, Any] = {}
        losses: dict[int, Any] = {}
        places = [0] * len(stages)
        try:
            while any(place < len(order) for place, order in zip(places, orders)):
                for i, stage in enumerate(stages):
                    while places[i] < len(orders[i]):
                        kind, m = action = orders[i][places[i]]
                        if action not in came[i] and not (kind == "B" and stage.is_last):
                            break
                        places[i] += 1
                        if kind == "F":
                            args, kwargs = came[i].pop(action)
                            output, loss = do_forward(
                                stage, m, args, kwargs, batch.targets[m], self._loss_fn, batch
                            )
                            if stage.is_last:
                                outputs[m] = tree_map(_detached, output) if wants_output else None
                                losses[m] = None if loss is None else loss.detach()
                            else:
                                came[i + 1]["F", m] = (_tuple_of(output), {})
                        else:
                            grads = stage.backward_one(
                                m, came[i].pop(action, None), batch.weights[m]
                            )
                            if i:
                                came[i - 1]["B", m] = grads
        finally:
            for stage in stages:
                stage.forget()
        ordered = [outputs[m] for m in sorted(outputs)]
        return ordered, [losses[m] for m in sorted(losses) if losses[m] is not None]

    # -- processes -------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the processes; nothing happens without any, or the second time."""
        if self._workers is not None:
            self._workers.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Batch:
    """A batch in micro-batches, and how it is to be run."""

    def __init__(
        self, args: list[tuple], kwargs: list[dict], targets: list[Any], weights: list[float],
        loss_kwargs: dict[str, Any], learns: bool,
    ) -> None:  # fmt: skip
        self.args, self.kwargs, self.targets = args, kwargs, targets
        self.weights, self.loss_kwargs, self.learns = weights, loss_kwargs, learns


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Variable) else value


def _samples(args: tuple, kwargs: dict, target: Any) -> int:
    """How many samples a micro-batch has: the first dimension of its first tensor."""
    for value in (target, *args, *kwargs.values()):
        if isinstance(value, Variable) and value.dim():
            return value.shape[0]
    return 1


class ScheduleGPipe(_Schedule):
    """All forward passes of a batch's micro-batches, then all backward passes (Huang et al., 2019).

    `stage`: all stages of a model, in order. With `processes` each runs in a process of its own
    (on the CPU): parameters and buffers move to memory that the processes share, activations and
    gradients travel through such memory, and after `step` the gradients are in the parameters'
    `.grad`, so that any optimizer goes on in this process. Layers' modes, `requires_grad` and
    autocast are those of this process at each call; random numbers of stage i come from a seed
    drawn here. An error in a stage is raised here, in its class, and the next batch can follow; a
    process that dies is a RuntimeError. `start_method` ("fork" where there is): with "spawn"
    modules and loss_fn have to be picklable. `num_threads` of each process (default: an equal
    share). Close it (`with`, or `close()`) when it is done. Without `processes` the stages run
    here, on their devices.

    ValueError for stages that are not all of a model's.
    """

    @staticmethod
    def order(stage: int, num_stages: int, n_microbatches: int, learns: bool) -> list[Action]:
        return [(kind, m) for kind in ("FB" if learns else "F") for m in range(n_microbatches)]


class Schedule1F1B(_Schedule):
    """As `ScheduleGPipe`, but a stage does backward as soon as it can (Narayanan et al., 2019).

    The same gradients; at most as many micro-batches as there are stages wait for their backward,
    and take memory. ValueError for fewer micro-batches than stages.
    """

    def _check(self, num_stages: int, n_microbatches: int) -> None:
        if n_microbatches < num_stages:
            raise ValueError(
                f"Number of microbatches ({n_microbatches}) must be greater than or equal to the "
                f"number of stages ({num_stages})."
            )

    @staticmethod
    def order(stage: int, num_stages: int, n_microbatches: int, learns: bool) -> list[Action]:
        if not learns:
            return [("F", m) for m in range(n_microbatches)]
        ahead = min(n_microbatches, num_stages - stage)
        made: list[Action] = [("F", m) for m in range(ahead)]
        for m in range(n_microbatches):
            made.append(("B", m))
            if m + ahead < n_microbatches:
                made.append(("F", m + ahead))
        return made
