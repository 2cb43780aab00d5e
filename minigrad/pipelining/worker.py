"""A stage's process: it does its micro-batches, and tells how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from multiprocessing.connection import wait
from typing import Any

from .. import amp, random
from ..autograd import no_grad
from ..config import set_num_threads
from ..utils.data.worker import WorkerError
from .links import Receiver, Sender
from .stage import PipelineStage, _tuple_of

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


class Aborted(Exception):
    """Another stage failed: this batch is over."""


@dataclass
class Wires:
    """A process's connections: with the caller, and one-way links with its neighbours."""

    control: Any
    inputs: Any = None  # of the stage before, or of the caller
    grads_out: Any = None  # to the stage before
    outputs: Any = None  # to the stage after, or to the caller
    grads_in: Any = None  # of the stage after
    targets: Any = None  # of the caller, for the last stage

    def all(self) -> list[Any]:
        """Those that are there."""
        ends = [getattr(self, field.name) for field in fields(self)]
        return [end for end in ends if end is not None]


@dataclass
class Job:
    """What a stage has to know of a batch beforehand."""

    learns: bool
    weights: list[float]
    loss_kwargs: dict[str, Any]
    has_target: bool
    wants_output: bool
    autocast: tuple[bool, Any]
    training: list[bool]
    requires_grad: list[bool]


def run(
    stage: PipelineStage, orders: dict, loss_fn: Callable | None, grads: list[Any], wires: Wires,
    others: list[Any], seed: int, num_threads: int,
) -> None:  # fmt: skip
    """The life of a stage's process: it ends when it is told to, or when the caller is gone."""
    for connection in others:  # a forked process has them all, and would keep them open
        connection.close()
    set_num_threads(num_threads)
    random.manual_seed(seed)
    work = _Work(stage, orders, loss_fn, grads, wires)
    try:
        while True:
            kind, step, job = wires.control.recv()
            if kind == "close":
                return
            if kind == "abort":
                wires.control.send(("aborted", step, None))
            else:
                work.batch(step, job)
    except (*_GONE, KeyboardInterrupt):
        pass  # the caller is gone, or says so itself


class _Work:
    def __init__(
        self, stage: PipelineStage, orders: dict, loss_fn: Callable | None, grads: list[Any],
        wires: Wires,
    ) -> None:  # fmt: skip
        self.stage, self.orders, self.loss_fn, self.grads = stage, orders, loss_fn, grads
        self.control = wires.control
        self.sources = {
            kind: Receiver(connection)
            for kind, connection in (
                ("F", wires.inputs), ("B", wires.grads_in), ("T", wires.targets),
            )
            if connection is not None
        }  # fmt: skip
        self.outputs = Sender(wires.outputs)
        self.grads_out = Sender(wires.grads_out)
        self.parameters = list(stage.submod.parameters())
        self.modules = list(stage.submod.modules())
        self.came: dict[tuple, Any] = {}

    def batch(self, step: int, job: Job) -> None:
        """Does a batch, and answers "done" with its losses, or "error" with the exception."""
        try:
            for module, training in zip(self.modules, job.training):
                module.training = training
            for p, learns in zip(self.parameters, job.requires_grad):
                p.requires_grad_(learns)
                p.grad = None
            with amp.autocast("cpu", job.autocast[1], enabled=job.autocast[0]):
                losses = self._actions(step, job)
            self.control.send(("done", step, (losses, self._hand_over())))
        except Aborted:
            self.control.send(("aborted", step, None))
        except _GONE:
            # A neighbour ended, which the caller sees, too, and says what follows.
            if self.control.recv()[0] == "close":
                raise
            self.control.send(("aborted", step, None))
        except Exception:
            where = f"stage {self.stage.stage_index} of the pipeline"
            self.control.send(("error", step, WorkerError(where)))
        finally:
            self.stage.forget()
            self.came.clear()

    def _actions(self, step: int, job: Job) -> list[Any]:
        stage, losses = self.stage, []
        for kind, m in self.orders[job.learns]:
            if self.control.poll():
                self._interrupted()
            if kind == "B":
                grads = None if stage.is_last else self._next("B", m, step)
                made = stage.backward_one(m, grads, job.weights[m])
                if not stage.is_first:
                    self.grads_out.send(step, "B", m, made)
                continue
            args, kwargs = self._next("F", m, step)
            target = self._next("T", m, step) if stage.is_last and job.has_target else None
            output, loss = do_forward(stage, m, args, kwargs, target, self.loss_fn, job)
            if loss is not None:
                losses.append(loss.detach().numpy())
            if not stage.is_last:
                self.outputs.send(step, "F", m, (_tuple_of(output), {}))
            elif job.wants_output:
                self.outputs.send(step, "O", m, output)
        return losses

    def _next(self, kind: str, m: int, step: int) -> Any:
        """What came for a micro-batch, as soon as it is there. Aborted if the batch is over."""
        source = self.sources[kind]
        while (kind, m) not in self.came:
            ready = wait([source.connection, self.control])
            if self.control in ready:
                self._interrupted()
            number, what, which, value = source.receive()
            if number == step:  # else of a batch that was broken off
                self.came[what, which] = value
        return self.came.pop((kind, m))

    def _interrupted(self) -> None:
        if self.control.recv()[0] == "close":
            raise KeyboardInterrupt
        raise Aborted

    def _hand_over(self) -> list[bool]:
        """Writes the gradients where the caller reads them; says which parameters have one."""
        with no_grad():
            for p, shared in zip(self.parameters, self.grads):
                if p.grad is not None:
                    shared.copy_(p.grad)
        have = [p.grad is not None for p in self.parameters]
        for p in self.parameters:
            p.grad = None
        return have


def do_forward(
    stage: PipelineStage, m: int, args: tuple, kwargs: dict[str, Any], target: Any,
    loss_fn: Callable | None, job: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """A stage's output for a micro-batch, and its loss if it is the last one."""
    loss_of = None
    if stage.is_last and loss_fn is not None and target is not None:
        here = stage._here(target)
        loss_of = lambda output: loss_fn(output, here, **job.loss_kwargs)  # noqa: E731
    if job.learns:
        return stage.forward_one(m, args, kwargs, loss_of, True)
    with no_grad():
        return stage.forward_one(m, args, kwargs, loss_of, False)
