"""The state of a run: what it consists of, its checkpoint, and going on from one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..serialization import load, save
from .checkpoints import ModelCheckpoint
from .feed import Feed, Means
from .randomness import loader_generators, random_state, set_random_state

_VERSION = 1
_PLAIN = (
    "current_epoch", "global_step", "batch_in_epoch", "feed_ended", "_seconds", "should_stop",
    "stop_reason", "skipped_validation",
)  # fmt: skip


class StateOfRun:
    """The part of a trainer that saves and restores."""

    model: Any
    optimizer: Any
    lr_scheduler: Any
    update: Any
    callbacks: list
    generators: list
    train_dataloader: Any = None
    val_dataloader: Any = None

    def _begin_run(self) -> None:
        self.current_epoch = 0  # how many are done
        self.global_step = 0  # how many updates were made
        self.history: list[dict[str, Any]] = []
        self.should_stop, self.stop_reason = False, ""
        self.skipped_validation = False
        self.step_metrics: dict[str, Any] = {}
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.batch_in_epoch = 0  # how many batches of this epoch were used
        self.feed_ended = False
        self.means = Means()
        self._seconds = 0.0
        self._epoch_random: dict[str, Any] | None = None  # when this epoch's data were asked for
        self._resumed_random: dict[str, Any] | None = None

    # -- data ------------------------------------------------------------------------------------

    def _sources(self) -> list:
        """All generators, each once."""
        found = list(self.generators)
        for loader in (self.train_dataloader, self.val_dataloader):
            found += [g for g in loader_generators(loader) if all(g is not f for f in found)]
        return found

    def _open_feed(self, loader: Iterable) -> Feed:
        """The epoch's batches, from where the run is."""
        for name in ("sampler", "batch_sampler"):
            set_epoch = getattr(getattr(loader, name, None), "set_epoch", None)
            if set_epoch is not None:
                set_epoch(self.current_epoch)
        sources = self._sources()
        if not self.batch_in_epoch:
            self._epoch_random = random_state(*sources)
            return Feed(loader)
        # The order of the data is drawn again, then everything is as it was after these batches:
        # as saved, or, if an error or Ctrl-C has ended `fit` in between, as it is now.
        after = self._resumed_random or random_state(*sources)
        assert self._epoch_random is not None
        set_random_state(self._epoch_random, *sources)
        feed = Feed(loader)
        feed.skip(self.batch_in_epoch, self.feed_ended)
        set_random_state(after, *sources)
        self._resumed_random = None
        return feed

    # -- checkpoints -----------------------------------------------------------------------------

    def _named_callbacks(self) -> dict[str, Any]:
        """The callbacks by class, numbered where there are several."""
        named: dict[str, Any] = {}
        seen: Counter[str] = Counter()
        for callback in self.callbacks:
            name = type(callback).__name__
            seen[name] += 1
            named[name if seen[name] == 1 else f"{name} {seen[name]}"] = callback
        return named

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on, as plain values and tensors."""
        return {
            "version": _VERSION,
            **{name: getattr(self, name) for name in _PLAIN},
            "history": [dict(row) for row in self.history],
            "means": self.means.state_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": None if self.lr_scheduler is None else self.lr_scheduler.state_dict(),
            "scaler": None if self.update.scaler is None else self.update.scaler.state_dict(),
            "callbacks": {k: c.state_dict() for k, c in self._named_callbacks().items()},
            "random": random_state(*self._sources()),
            "epoch_random": self._epoch_random,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` gave, random numbers when `fit` begins.

        ValueError if the trainer has other parts than the one that was saved.
        """
        if state_dict.get("version") != _VERSION:
            raise ValueError(
                f"Trainer: the checkpoint is of version {state_dict.get('version')}; needed: "
                f"{_VERSION}, a file of Trainer.save_checkpoint"
            )
        named = self._named_callbacks()
        if set(named) != set(state_dict["callbacks"]):
            raise ValueError(
                f"Trainer: the checkpoint has the callbacks {sorted(state_dict['callbacks'])}; "
                f"given: {sorted(named)}; needed: the same"
            )
        for name, part in (("lr_scheduler", self.lr_scheduler), ("scaler", self.update.scaler)):
            if (part is None) != (state_dict[name] is None):
                has, given = ("a", "none") if part is None else ("no", "one")
                raise ValueError(f"Trainer: the checkpoint has {has} {name}; given: {given}")
        self.model.load_state_dict(state_dict["model"])
        self.optimizer.load_state_dict(state_dict["optimizer"])
        if self.lr_scheduler is not None:
            self.lr_scheduler.load_state_dict(state_dict["lr_scheduler"])
        if self.update.scaler is not None:
            self.update.scaler.load_state_dict(state_dict["scaler"])
        for key, callback in named.items():
            callback.load_state_dict(state_dict["callbacks"][key])
        self._begin_epoch()
        for name in _PLAIN:
            setattr(self, name, state_dict[name])
        self.history = [dict(row) for row in state_dict["history"]]
        self.means.load_state_dict(state_dict["means"])
        self._epoch_random = state_dict["epoch_random"]
        self._resumed_random = state_dict["random"]
        if self.train_dataloader is not None:
            set_random_state(self._resumed_random, *self._sources())

    def _restore_random(self) -> None:
        """Sets the random numbers of a loaded checkpoint: `fit` knows whose generators they are."""
        if self._resumed_random is not None:
            set_random_state(self._resumed_random, *self._sources())
            if not self.batch_in_epoch:  # else they are needed again after the used batches
                self._resumed_random = None

    def save_checkpoint(self, path: str | os.PathLike) -> None:
        """Writes `state_dict` to a file that is replaced at once."""
        save(self.state_dict(), path, format="mg")

    def load_checkpoint(self, path: str | os.PathLike) -> None:
        """Restores what `save_checkpoint` wrote."""
        self.load_state_dict(load(path))

    def _checkpoint_path(self, given: str | os.PathLike | None) -> str | os.PathLike | None:
        """The file that `fit` is to go on from; None: a fresh start."""
        if given != "last":
            return given
        for callback in self.callbacks:
            if isinstance(callback, ModelCheckpoint):
                path = callback.last_model_path
                return path if path.exists() else None
        raise ValueError(
            "Trainer.fit: ckpt_path is 'last'; needed: a ModelCheckpoint among the callbacks"
        )
