"""compile, jit, hub and the like: programs run as they are, and what cannot be says so."""

from __future__ import annotations

import copy
import io
import warnings

import pytest

import minigrad as mg
from minigrad import compiler


def test_compile_returns_the_callable_and_says_so_once(monkeypatch):
    monkeypatch.setattr(compiler, "_noted", set())

    def f(x):
        return x + 1

    with pytest.warns(UserWarning, match="does not compile"):
        assert mg.compile(f) is f
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mg.compile(f, mode="max-autotune", fullgraph=True) is f
        assert mg.compile(mode="reduce-overhead")(f) is f

        @mg.compile
        def g(x):
            return x

        assert g(3) == 3
        model = mg.nn.Linear(2, 2)
        compiled = mg.compile(model)
        assert compiled is model and compiled._orig_mod is model
        assert list(compiled.state_dict()) == ["weight", "bias"]
        assert copy.deepcopy(compiled)._orig_mod is not model
        assert list(model.modules()) == [model]
    with pytest.raises(RuntimeError, match="mode or options"):
        mg.compile(f, mode="default", options={})
    with pytest.raises(TypeError):
        mg.compile(3)
    assert mg.compiler.disable(f) is f and mg.compiler.disable()(f) is f
    mg._dynamo.config.suppress_errors = True
    mg._dynamo.reset()
    mg._inductor.config.coordinate_descent_tuning = True
    mg._inductor.config.triton.cudagraphs = True


def test_scripting_and_tracing_are_the_identity():
    model = mg.nn.Sequential(mg.nn.Linear(2, 3), mg.nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert mg.jit.script(model) is model
        assert mg.jit.trace(model, mg.ones(1, 2)) is model
        stream = io.BytesIO()
        mg.jit.save(model, stream)
        stream.seek(0)
        back = mg.jit.load(stream)
    assert mg.equal(back(mg.ones(1, 2)), model(mg.ones(1, 2)))

    @mg.jit.ignore
    def f():
        return 1

    @mg.jit.ignore(drop=True)
    def g():
        return 2

    assert (f(), g()) == (1, 2) and mg.jit.export(f) is f and not mg.jit.is_scripting()
    assert mg.jit.isinstance([1], list)


def test_the_hub_reads_what_is_there_and_downloads_nothing(tmp_path):
    before = mg.hub.get_dir()
    mg.hub.set_dir(tmp_path)
    try:
        with pytest.raises(RuntimeError, match="downloads nothing"):
            mg.hub.load_state_dict_from_url("https://example.org/w-1.pth")
        (tmp_path / "checkpoints").mkdir()
        mg.save({"w": mg.ones(2)}, tmp_path / "checkpoints" / "w-1.pth")
        got = mg.utils.model_zoo.load_url("https://example.org/w-1.pth?x=1")
        assert got["w"].tolist() == [1, 1]
    finally:
        mg.hub.set_dir(before)
    with pytest.raises(RuntimeError, match="no code"):
        mg.hub.load("pytorch/vision", "resnet18")
    with pytest.raises(RuntimeError, match=r"autograd\.Function"):
        mg.utils.cpp_extension.load("name", [])


def test_what_is_saved_for_backward():
    x = mg.ones(3, requires_grad=True)
    with mg.autograd.graph.save_on_cpu():
        y = (x * x).sum()
    y.backward()
    assert x.grad.tolist() == [2, 2, 2]
    z = x * 2
    edge = mg.autograd.graph.get_gradient_edge(z)
    assert edge.node is z.grad_fn and edge.output_nr == 0
    w = z.exp()
    mg.autograd.graph.increment_version(w)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        w.sum().backward()


def test_overrides_monitor_and_types():
    assert mg.overrides.is_tensor_like(mg.ones(1)) and not mg.overrides.has_torch_function((1,))
    seen = []
    handle = mg.monitor.register_event_handler(seen.append)
    event = mg.monitor.Event("step", None, {"loss": 1.0})
    mg.monitor.log_event(event)
    mg.monitor.unregister_event_handler(handle)
    mg.monitor.log_event(event)
    assert seen == [event]
    assert mg.types.Device and mg.types.Number
    assert isinstance(mg.ones(2).untyped_storage(), mg.UntypedStorage)


def test_tensorboard_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"minigrad\[tensorboard\]"):
        from minigrad.utils.tensorboard import SummaryWriter  # noqa: F401


def test_timer():
    timer = mg.utils.benchmark.Timer("x + x", globals={"x": mg.ones(4)}, label="add")
    m = timer.timeit(100)
    assert m.number_per_run == 100 and 0 < m.median < 1 and "add" in repr(m)
    before = mg.get_num_threads()
    assert len(timer.blocked_autorange(min_run_time=0.01).times) >= 1
    assert mg.get_num_threads() == before


def test_device_module_of_the_environment_report():
    assert "minigrad" in mg.utils.collect_env.get_pretty_env_info()
    assert "threads" in mg.__config__.parallel_info() and "minigrad" in mg.__config__.show()


def test_choosing_an_attention():
    attention = mg.nn.attention
    q = mg.ones(1, 2, 3, 4)
    with attention.sdpa_kernel([attention.SDPBackend.MATH, attention.SDPBackend.FLASH_ATTENTION]):
        assert mg.nn.functional.scaled_dot_product_attention(q, q, q).shape == q.shape
    with pytest.raises(AssertionError), attention.sdpa_kernel("math"):
        pass


def test_capsules_share_memory():
    t = mg.arange(3.0)
    back = mg.utils.dlpack.from_dlpack(t)
    back[0] = 5
    assert t[0] == 5 and "dltensor" in repr(mg.utils.dlpack.to_dlpack(t))
