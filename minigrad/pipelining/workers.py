"""The caller's side of a pipeline of processes: starting them, handing out batches, ending them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import warnings
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

from .. import amp
from ..autograd import no_grad
from ..autograd.variable import Variable
from ..config import get_num_threads
from ..creation import from_numpy, zeros_like
from ..utils._pytree import tree_leaves, tree_map
from ..utils.data.sampler import draw_seed
from . import worker
from .links import Receiver, Sender
from .stage import PipelineStage
from .worker import Job, Wires

_JOIN_SECONDS = 5.0


class Workers:
    """One process for each stage, and the memory that they share with the caller."""

    def __init__(
        self,
        stages: list[PipelineStage],
        orders: dict[bool, list[list[tuple[str, int]]]],
        loss_fn: Callable | None,
        start_method: str | None,
        num_threads: int | None,
    ) -> None:
        methods = multiprocessing.get_all_start_methods()
        method = start_method or ("fork" if "fork" in methods else "spawn")
        context: Any = multiprocessing.get_context(method)
        self._stages, self._owner, self._step = stages, os.getpid(), 0
        self._parameters = [list(s.submod.parameters()) for s in stages]
        self._grads: list[list[Any]] = []
        self._share()
        wires, mine = _wired(context, len(stages))
        self._inputs, self._targets = Sender(mine.inputs), Sender(mine.targets)
        self._outputs = Receiver(mine.outputs)
        self._controls: list[Any] = mine.control
        self._processes: list[Any] = []
        threads = num_threads or max(1, get_num_threads() // len(stages))
        seed = draw_seed(None)
        ends = [c for w in wires for c in w.all()]
        callers = [*self._controls, mine.inputs, mine.targets, mine.outputs]
        for i, stage in enumerate(stages):
            own = {id(c) for c in wires[i].all()}
            others = [c for c in [*callers, *ends] if id(c) not in own] if method == "fork" else []
            process = context.Process(
                target=worker.run,
                args=(
                    stage, {k: order[i] for k, order in orders.items()}, loss_fn, self._grads[i],
                    wires[i], others, seed + i, threads,
                ),
                daemon=True,
            )  # fmt: skip
            with warnings.catch_warnings():  # of forking with threads: the kernels' survive it
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            self._processes.append(process)
        for connection in ends:
            connection.close()

    def _share(self) -> None:
        """Moves parameters and buffers to shared memory, beside them gradients."""
        for stage, parameters in zip(self._stages, self._parameters):
            if any(str(p.device) != "cpu" for p in parameters):
                raise ValueError(f"{stage}: its parameters are not on the CPU; needed: they are")
            for t in [*parameters, *stage.submod.buffers()]:
                t.share_memory_()
            self._grads.append([zeros_like(p.detach()).share_memory_() for p in parameters])
        self._places = [[p.data_ptr() for p in parameters] for parameters in self._parameters]

    # -- a batch ---------------------------------------------------------------------------------

    def run(self, batch: Any, wants_output: bool) -> tuple[list[Any], list[Any]]:
        """(outputs, losses) of the micro-batches; gradients are added to the parameters'."""
        self._check(batch)
        self._step += 1
        try:
            self._talk(lambda: self._hand_out(batch, wants_output))
            return self._collect(batch, wants_output)
        except BaseException:
            if self._processes and not self._abort():
                self.close()
            raise

    def _check(self, batch: Any) -> None:
        if not self._processes:
            raise RuntimeError("the pipeline's processes have ended; needed: a new schedule")
        if os.getpid() != self._owner:
            raise RuntimeError("the pipeline belongs to another process; needed: one of its own")
        for stage, known, places in zip(self._stages, self._parameters, self._places):
            now = list(stage.submod.parameters())
            if len(now) != len(known) or any(a is not b for a, b in zip(now, known)):
                raise RuntimeError(f"{stage} has other parameters than before; needed: a new "
                                   "schedule after a change of layers")  # fmt: skip
            if [p.data_ptr() for p in now] != places:
                raise RuntimeError(
                    f"{stage}: a parameter's memory was exchanged (p.data = ..., to(dtype)); "
                    "needed: writing in place (p.copy_(...)), or a new schedule"
                )
        if batch.learns and any(
            isinstance(v, Variable) and v.requires_grad
            for v in tree_leaves((batch.args, batch.kwargs))
        ):
            raise RuntimeError(
                "step: an input requires a gradient, which processes do not return; needed: "
                "processes=False, or inputs that do not"
            )

    def _hand_out(self, batch: Any, wants_output: bool) -> None:
        has_target = batch.targets[0] is not None
        autocast = amp.is_autocast_enabled("cpu"), amp.get_autocast_dtype("cpu")
        for stage, parameters, control in zip(self._stages, self._parameters, self._controls):
            job = Job(
                batch.learns, batch.weights, batch.loss_kwargs, has_target, wants_output, autocast,
                [m.training for m in stage.submod.modules()], [p.requires_grad for p in parameters],
            )  # fmt: skip
            control.send(("batch", self._step, job))
        for m, (args, kwargs, target) in enumerate(zip(batch.args, batch.kwargs, batch.targets)):
            if has_target:
                self._targets.send(self._step, "T", m, target)
            self._inputs.send(self._step, "F", m, (args, kwargs))

    def _collect(self, batch: Any, wants_output: bool) -> tuple[list[Any], list[Any]]:
        outputs: dict[int, Any] = {}
        answers: dict[int, Any] = {}
        count, last = len(self._stages), self._outputs.connection
        while len(answers) < count or (wants_output and len(outputs) < len(batch.args)):
            waiting = [c for i, c in enumerate(self._controls) if i not in answers]
            sentinels = [p.sentinel for p in self._processes]
            ready = wait([*waiting, last, *sentinels])
            if last in ready:
                step, _, m, output = self._talk(self._outputs.receive)
                if step == self._step:
                    outputs[m] = tree_map(_own, output)
            for i, control in enumerate(self._controls):
                if control not in ready or i in answers:
                    continue
                kind, step, what = self._talk(control.recv)
                if kind == "error":
                    what.reraise()
                if kind == "done" and step == self._step:
                    answers[i] = what
            if not any(c in ready for c in [*waiting, last]):
                self._died()
        if batch.learns:
            for i, (parameters, grads) in enumerate(zip(self._parameters, self._grads)):
                _add(parameters, grads, answers[i][1])
        losses = [from_numpy(v) for v in answers[count - 1][0]]
        return [outputs[m] for m in sorted(outputs)], losses

    def _talk(self, exchange: Callable[[], Any]) -> Any:
        try:
            return exchange()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._died()

    def _died(self) -> None:
        """Raises what is known of a process that ended by itself."""
        wait([p.sentinel for p in self._processes], _JOIN_SECONDS)
        for stage, process in zip(self._stages, self._processes):
            process.join(0)
            if process.exitcode is not None:
                code, pid = process.exitcode, process.pid
                self.close()
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                raise RuntimeError(
                    f"stage {stage.stage_index} of the pipeline: its process ({pid}) ended with "
                    f"{how}; needed: a new schedule"
                )

    def _abort(self) -> bool:
        """Ends the present batch in all processes; False if they do not answer."""
        try:
            for control in self._controls:
                control.send(("abort", self._step, None))
            for control in self._controls:
                while True:
                    if not control.poll(_JOIN_SECONDS):
                        return False
                    if control.recv()[:2] == ("aborted", self._step):
                        break
        except (OSError, EOFError):
            return False
        return True

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the processes."""
        processes, self._processes = self._processes, []
        if not processes or os.getpid() != self._owner:
            return
        for control in self._controls:
            with contextlib.suppress(OSError):
                control.send(("close", 0, None))
        for process in processes:
            process.join(_JOIN_SECONDS)
            if process.is_alive():
                process.terminate()
                process.join()
        for end in (*self._controls, self._inputs, self._targets, self._outputs):
            getattr(end, "connection", end).close()

    def __del__(self) -> None:
        if getattr(self, "_processes", None):
            self.close()


def _wired(context: Any, count: int) -> tuple[list[Wires], Wires]:
    """The connections of each of `count` processes, and the caller's (with all controls)."""
    mine = Wires(control=[])
    wires = []
    for _ in range(count):
        here, there = context.Pipe()
        mine.control.append(here)
        wires.append(Wires(control=there))
    wires[0].inputs, mine.inputs = context.Pipe(duplex=False)
    wires[-1].targets, mine.targets = context.Pipe(duplex=False)
    mine.outputs, wires[-1].outputs = context.Pipe(duplex=False)
    for a, b in zip(wires, wires[1:]):
        b.inputs, a.outputs = context.Pipe(duplex=False)
        a.grads_in, b.grads_out = context.Pipe(duplex=False)
    return wires, mine


def _own(value: Any) -> Any:
    """A copy that the next batch does not write to."""
    return value.clone() if isinstance(value, Variable) else value


def _add(parameters: list[Any], grads: list[Any], have: list[bool]) -> None:
    with no_grad():
        for p, grad, has in zip(parameters, grads, have):
            if has and p.grad is None:
                p.grad = grad.clone()
            elif has:
                p.grad += grad
