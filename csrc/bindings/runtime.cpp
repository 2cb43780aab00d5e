// Settings of the compiled module: instruction set, threads, denormals, what was built.
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>

#include "bindings/array.h"
#include "bindings/families.h"
#include "dispatch.h"
#include "runtime/denormal.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace py = pybind11;

namespace mg {
namespace {

void choose_isa(const std::string& name) {
  if (set_isa(name)) return;
  std::string available;
  for (const std::string& isa : available_isas()) available += " " + isa;
  throw py::value_error("set_isa: '" + name + "' was given; this machine can run:" + available);
}

void choose_threads(int64_t count) {
  if (count < 1 || count > kMaxThreads) {
    throw py::value_error("set_num_threads: " + std::to_string(count) +
                          " was given; it must be from 1 to " + std::to_string(kMaxThreads));
  }
  set_num_threads(static_cast<int>(count));
}

// For the tests: marks every chunk that ran, optionally from a nested call, and reads the
// denormals' switch as a chunk sees it. Returns how often each index of [0, n) was visited.
py::dict stats() {
  const PoolStats s = pool_stats();
  py::dict result;
  result["allocated"] = s.allocated;
  result["reserved"] = s.reserved;
  result["peak"] = s.peak;
  result["hits"] = s.hits;
  result["misses"] = s.misses;
  result["limit"] = s.limit;
  return result;
}

void choose_limit(int64_t bytes) {
  if (bytes < 0) {
    throw py::value_error("set_pool_limit: " + std::to_string(bytes) +
                          " bytes were given; it must be 0 or more");
  }
  set_pool_limit(bytes);
}

py::list test_parallel_for(int64_t n, int64_t grain, bool nested) {
  if (n < 0 || grain < 1) throw py::value_error("_test_parallel_for: n >= 0, grain >= 1 needed");
  std::vector<int> visits(static_cast<size_t>(n), 0);
  {
    KernelScope scope(1e9);
    parallel_for(n, grain, [&](int64_t begin, int64_t end) {
      const auto mark = [&](int64_t b, int64_t e) {
        for (int64_t i = begin + b; i < begin + e; ++i) ++visits[static_cast<size_t>(i)];
      };
      if (nested) {
        parallel_for(end - begin, 3, mark);
      } else {
        mark(0, end - begin);
      }
    });
  }
  return py::cast(visits);
}

// For the tests: half of the smallest normal float, computed in each of `chunks` chunks.
py::list test_denormals(int64_t chunks) {
  if (chunks < 0) throw py::value_error("_test_denormals: chunks >= 0 needed");
  std::vector<float> halves(static_cast<size_t>(chunks), 1.0f);
  volatile float smallest = 0x1p-126f;
  {
    KernelScope scope(0);
    parallel_for(chunks, 1, [&](int64_t begin, int64_t) {
      halves[static_cast<size_t>(begin)] = smallest * 0.5f;
    });
  }
  return py::cast(halves);
}

}  // namespace

void bind_runtime(PyObject* module) {
  auto m = py::reinterpret_borrow<py::module_>(module);
  m.attr("cuda_status") = MG_CUDA_STATUS;
  m.def("isa", &current_isa, "Name of the instruction set in use");
  m.def("available_isas", &available_isas, "Names that this machine can run, slowest first");
  m.def("set_isa", &choose_isa, py::arg("name"), "Switches every later kernel call");
  m.def("get_num_threads", &get_num_threads, "Threads that a kernel may use");
  m.def("set_num_threads", &choose_threads, py::arg("count"), "Takes effect at the next call");
  m.def("default_num_threads", &default_num_threads, "Physical cores this process may use");
  m.def(
      "set_flush_denormal", [](bool on) { g_flush_denormal = on; }, py::arg("on"),
      "Whether kernels flush denormals to zero (they do by default)");
  m.def(
      "get_flush_denormal", [] { return g_flush_denormal.load(); },
      "Whether kernels flush denormals to zero");
  m.def("empty_cache", &empty_pool_cache, "Returns the pool's cached blocks to the system");
  m.def("pool_stats", &stats, "Bytes allocated, reserved, peak and limit; hits and misses");
  m.def("reset_pool_peak", &reset_pool_peak, "Sets the peak to what is allocated now");
  m.def("set_pool_limit", &choose_limit, py::arg("bytes"), "Bound of the cached bytes");
  m.def("_test_parallel_for", &test_parallel_for, py::arg("n"), py::arg("grain"), py::arg("nested"),
        "For the tests: how often each index was visited");
  m.def("_test_denormals", &test_denormals, py::arg("chunks"),
        "For the tests: 2**-126 / 2 as each chunk computes it");
}

}  // namespace mg
