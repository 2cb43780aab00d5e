"""`minigrad.cuda` with a device: the names of PyTorch's module, on the emulated GPU."""

import copy

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.kernels import cuda_library

two_devices = pytest.mark.two_devices


@two_devices
def test_devices() -> None:
    assert torch.cuda.is_available() and torch.cuda.device_count() == 2
    assert torch.cuda.current_device() == 0
    torch.cuda.set_device(1)
    try:
        assert torch.cuda.current_device() == 1
        assert torch.zeros(2, device="cuda").device == torch.device("cuda:1")
        assert torch.zeros(2).cuda().device.index == 1
    finally:
        torch.cuda.set_device("cuda:0")
    with torch.cuda.device(1):
        assert torch.cuda.current_device() == 1
    with torch.cuda.device_of(torch.zeros(1, device="cuda:1")):
        assert torch.cuda.current_device() == 1
    with torch.cuda.device_of(torch.zeros(1)):
        assert torch.cuda.current_device() == 0
    assert torch.cuda.get_device_name("cuda:1") == torch.cuda.get_device_properties(1).name


def test_what_devices_say() -> None:
    major, _ = torch.cuda.get_device_capability()
    free, total = torch.cuda.mem_get_info()
    assert torch.cuda.is_available() and major >= 7 and 0 < free <= total
    assert torch.cuda.is_bf16_supported(False) is (major >= 8)
    torch.cuda.synchronize()
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.cuda.set_device(torch.cuda.device_count())
    with pytest.raises(ValueError, match="Expected a cuda device"):
        torch.cuda.get_device_name("cpu")


def test_the_accelerator_is_cuda() -> None:
    assert torch.accelerator.is_available()
    assert torch.accelerator.device_count() == torch.cuda.device_count()
    assert torch.accelerator.current_accelerator() == torch.device("cuda")
    assert torch.accelerator.current_device_index() == 0
    torch.accelerator.synchronize()


def test_memory_is_counted() -> None:
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    x = torch.zeros(1024, device="cuda")
    y = torch.zeros(4096, device="cuda")
    assert torch.cuda.memory_allocated() == before + 4096 + 16384
    del y
    assert torch.cuda.memory_allocated() == before + 4096
    assert torch.cuda.max_memory_allocated() >= before + 4096 + 16384
    torch.cuda.reset_peak_memory_stats()
    assert torch.cuda.max_memory_allocated() == before + 4096
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() >= torch.cuda.memory_allocated()
    assert "allocated_bytes.all.current" in torch.cuda.memory_summary()
    del x
    assert torch.cuda.memory_allocated() == before


def test_streams_and_events() -> None:
    default = torch.cuda.current_stream()
    assert default == torch.cuda.default_stream()
    s = torch.cuda.Stream()
    with torch.cuda.stream(s):
        assert torch.cuda.current_stream() == s and s != default
        with torch.cuda.stream(None):
            assert torch.cuda.current_stream() == s
    assert torch.cuda.current_stream() == default
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    s.wait_stream(torch.cuda.current_stream())
    with s:
        x = torch.ones(3, device="cuda") * 2
        end.record(s)
    torch.cuda.current_stream().wait_event(end)
    end.synchronize()
    assert end.query() and s.query() and start.elapsed_time(end) >= 0
    assert x.tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="enable_timing"):
        torch.cuda.Event().elapsed_time(end)
    last = torch.cuda.device_count() - 1
    with torch.cuda.stream(torch.cuda.Stream(device=f"cuda:{last}")):
        assert torch.cuda.current_device() == last
    assert torch.cuda.current_device() == 0


def test_a_captured_training_step_gives_the_same_losses() -> None:
    rng = np.random.default_rng(0)
    batches = [torch.tensor(rng.normal(size=(6, 4)).astype(np.float32)) for _ in range(5)]
    losses = []
    for captured in (False, True):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).cuda()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x = batches[0].cuda()

        def step(model=model, optimizer=optimizer, x=x):
            optimizer.zero_grad(set_to_none=False)
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        found = [step().item()]  # makes gradients and the optimizer's state
        run = step
        if captured:
            kept = [[t, t.detach().clone()] for t in model.parameters()]
            kept += [[s["momentum_buffer"], s["momentum_buffer"].clone()]
                     for s in optimizer.state.values()]  # fmt: skip
            g = torch.cuda.CUDAGraph()
            with torch.cuda.graph(g):
                assert torch.cuda.is_current_stream_capturing()
                result = step()
            with torch.no_grad():  # the emulation has computed while it captured
                for t, before in kept:
                    t.copy_(before)

            def run(g=g, result=result):
                g.replay()
                return result

        for batch in batches[1:]:
            x.copy_(batch)
            found.append(run().item())
        losses.append(found)
    assert not torch.cuda.is_current_stream_capturing()
    assert losses[0] == losses[1] and len(set(losses[0])) == 5


def test_what_waits_is_refused_in_a_capture() -> None:
    x = torch.ones(2, device="cuda")
    with pytest.raises(RuntimeError, match="capturing"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        x.sum().item()
    with pytest.raises(RuntimeError, match="without a preceding successful capture"):
        torch.cuda.CUDAGraph().replay()


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Adagrad"])
def test_counts_on_the_cpu_are_refused_in_a_capture(name: str) -> None:
    w = nn.Parameter(torch.ones(3, device="cuda"))
    optimizer = getattr(torch.optim, name)([w])
    w.grad = torch.ones(3, device="cuda")
    optimizer.step()
    before = w.tolist()
    with pytest.raises(RuntimeError, match="capture"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        optimizer.step()
    assert w.tolist() == before
    optimizer.step()


def test_seeds() -> None:
    torch.cuda.manual_seed(4)
    a = torch.randn(5, device="cuda")
    state = torch.cuda.get_rng_state()
    b = torch.randn(5, device="cuda")
    torch.cuda.set_rng_state(state)
    assert torch.equal(b, torch.randn(5, device="cuda"))
    torch.cuda.manual_seed_all(4)
    assert torch.equal(a, torch.randn(5, device="cuda"))
    count = torch.cuda.device_count()
    if count > 1:
        assert torch.equal(a.cpu(), torch.randn(5, device="cuda:1").cpu())
    assert torch.cuda.initial_seed() == 4
    assert len(torch.cuda.get_rng_state_all()) == len(torch.cuda.default_generators) == count


def test_classes_of_tensors() -> None:
    x = torch.ones(2, device="cuda")
    assert isinstance(x, torch.cuda.FloatTensor) and not isinstance(x, torch.cuda.LongTensor)
    assert not isinstance(torch.ones(2), torch.cuda.FloatTensor)
    assert torch.cuda.FloatTensor([1.0, 2.0]).device == torch.device("cuda:0")
    assert x.type() == "torch.cuda.FloatTensor"
    assert torch.ones(2).type("torch.cuda.LongTensor").tolist() == [1, 1]
    assert torch.ones(2).type("torch.cuda.LongTensor").is_cuda


def test_pinned_memory() -> None:
    x = torch.arange(6).reshape(2, 3)
    assert not x.is_pinned()
    y = x.pin_memory()
    assert y.is_pinned() and torch.equal(x, y) and y.pin_memory() is y
    z = y.to("cuda", non_blocking=True)
    back = z.to("cpu", non_blocking=True)
    torch.cuda.synchronize()
    assert torch.equal(back, x) and back.is_pinned()
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        z.pin_memory()


def test_why_there_is_no_device(monkeypatch) -> None:
    import cupy

    text = torch.config.described()
    assert f"CUDA devices: {torch.cuda.device_count()}" in text
    assert f"CuPy {cupy.__version__.split('.')[0]}" in text
    monkeypatch.setattr(cupy.cuda, "is_available", lambda: False)
    cuda_library.forget()
    try:
        assert not torch.cuda.is_available()
        assert "finds no CUDA device" in torch.config.described()
        with pytest.raises(AssertionError, match="finds no CUDA device"):
            torch.zeros(1, device="cuda")
        with pytest.raises(RuntimeError, match="finds no CUDA device"):
            torch.cuda.current_device()
        monkeypatch.undo()
        monkeypatch.setattr(cupy, "zeros", lambda *a: 1 / 0)
        cuda_library.forget()
        assert "first allocation on the CUDA device failed" in torch.config.described()
    finally:
        monkeypatch.undo()
        cuda_library.forget()
    assert torch.cuda.is_available()


@pytest.mark.compiled_kernels
def test_dropout_in_a_graph_draws_anew_at_each_launch() -> None:
    x = torch.ones(4, 25, device="cuda")
    g = torch.cuda.CUDAGraph()
    torch.cuda.manual_seed(5)
    with torch.cuda.graph(g):
        first = nn.functional.dropout(x, 0.5)
        second = nn.functional.dropout2d(x.reshape(2, 50, 1, 1), 0.5)
    torch.manual_seed(5)
    seen = []
    for _ in range(3):
        g.replay()
        assert torch.equal(first.cpu(), nn.functional.dropout(x.cpu(), 0.5))
        want = nn.functional.dropout2d(x.cpu().reshape(2, 50, 1, 1), 0.5)
        assert torch.equal(second.cpu(), want)
        seen.append(first.tolist())
        between = nn.functional.dropout(x, 0.5)  # takes the range after the graph's
        assert torch.equal(between.cpu(), nn.functional.dropout(x.cpu(), 0.5))
    assert seen[0] != seen[1] != seen[2]
    torch.cuda.manual_seed(6)
    with pytest.raises(RuntimeError, match="another seed"):
        g.replay()
    with pytest.raises(RuntimeError, match="capturing"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        torch.rand(3, device="cuda")


@pytest.mark.compiled_kernels
@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_capturable_steps_count_in_a_graph(name: str) -> None:
    def made() -> tuple:
        w = nn.Parameter(torch.tensor([1.0, -2.0, 3.0], device="cuda"))
        w.grad = torch.tensor([0.5, 0.25, -1.0], device="cuda")
        return w, getattr(torch.optim, name)([w], lr=0.1, capturable=True)

    (w, optimizer), (other, plain) = made(), made()
    for o in (optimizer, plain):
        o.step()
    assert optimizer.state[w]["step"].is_cuda
    before = [w.clone(), *(v.clone() for v in optimizer.state[w].values())]
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g):
        optimizer.step()
    with torch.no_grad():  # the emulation has computed while it captured
        for value, kept in zip([w, *optimizer.state[w].values()], before, strict=True):
            value.copy_(kept)
    for count in range(3):
        g.replay()
        plain.step()
        assert torch.equal(w.detach().cpu(), other.detach().cpu())
        assert optimizer.state[w]["step"].item() == count + 2


@pytest.mark.compiled_kernels
def test_numbers_out_of_range_are_told_when_results_are_read() -> None:
    table = torch.ones(5, 3, device="cuda")
    for wrong in (
        lambda: nn.functional.embedding(torch.tensor([1, 5], device="cuda"), table),
        lambda: nn.functional.embedding(torch.tensor([-1], device="cuda"), table),
        lambda: nn.functional.cross_entropy(table, torch.arange(5, device="cuda")),
        lambda: nn.functional.nll_loss(table, torch.full((5,), -1, device="cuda"), reduction="sum"),
    ):
        result = wrong()
        with pytest.raises(RuntimeError, match="CUDA error: an index was out of range"):
            result.cpu()
        assert table.sum().item() == 15
    ignored = torch.full((5,), -100, device="cuda")
    assert nn.functional.cross_entropy(table, ignored, reduction="sum").item() == 0


@pytest.mark.compiled_kernels
def test_graphed_callables_compute_as_the_plain_ones() -> None:
    torch.manual_seed(2)
    plain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).cuda()
    module = copy.deepcopy(plain)
    x = torch.randn(5, 4, device="cuda")
    graphed = torch.cuda.make_graphed_callables(module, (x.clone().requires_grad_(),))
    assert graphed is module
    for seed in range(3):
        torch.manual_seed(seed)
        found = []
        for model in (plain, graphed):
            model.zero_grad()
            leaf = (x * seed).requires_grad_()
            out = model(leaf)
            (out**2).sum().backward()
            grads = [p.grad for p in model.parameters()]
            found.append([t.cpu() for t in (out.detach(), leaf.grad, *grads)])
        for here, there in zip(*found, strict=True):
            assert torch.equal(here, there)
    assert not torch.equal(found[0][0], torch.zeros(5, 3))
    with pytest.raises(RuntimeError, match="it was captured with"):
        graphed(torch.ones(6, 4, device="cuda"))
    graphed.eval()
    assert graphed(torch.ones(6, 4, device="cuda")).shape == (6, 3)  # another mode: as it was

    first, second = torch.cuda.make_graphed_callables(
        (torch.exp, lambda a, b: (a * b, a + b)), ((x.clone(),), (x.clone(), x.clone()))
    )
    assert torch.equal(first(x * 2), torch.exp(x * 2))
    product, total = second(x * 2, x * 3)
    assert torch.equal(product, x * 2 * (x * 3)) and torch.equal(total, x * 2 + x * 3)
    with pytest.raises(RuntimeError, match="CUDA device"):
        torch.cuda.make_graphed_callables(torch.exp, (torch.ones(2),))


@pytest.mark.parametrize("draw", ["poisson", "binomial", "gamma"])
def test_what_has_no_form_on_a_gpu_says_so(draw) -> None:
    x = torch.ones(3, device="cuda")
    calls = {
        "poisson": lambda: torch.poisson(x),
        "binomial": lambda: torch.binomial(x, x / 2),
        "gamma": lambda: torch.distributions.Gamma(x, x).sample(),
    }
    with pytest.raises(NotImplementedError, match="no GPU form yet; needed: tensors on the CPU"):
        calls[draw]()
