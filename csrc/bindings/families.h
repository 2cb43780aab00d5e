// One bind_ function for each file of csrc/bindings/; csrc/bindings.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace mg {

void bind_attention(pybind11::module_& m);
void bind_cast(pybind11::module_& m);
void bind_conv(pybind11::module_& m);
void bind_dropout(pybind11::module_& m);
void bind_elementwise(pybind11::module_& m);
void bind_engine(pybind11::module_& m);
void bind_gemm(pybind11::module_& m);
void bind_graph(pybind11::module_& m);
void bind_index(pybind11::module_& m);
void bind_index_record(pybind11::module_& m);
void bind_loss(pybind11::module_& m);
void bind_memory(pybind11::module_& m);
void bind_norm(pybind11::module_& m);
void bind_optim(pybind11::module_& m);
void bind_pool(pybind11::module_& m);
void bind_random(pybind11::module_& m);
void bind_record(pybind11::module_& m);
void bind_reduce(pybind11::module_& m);
void bind_runtime(pybind11::module_& m);
void bind_softmax(pybind11::module_& m);
void bind_views(pybind11::module_& m);

}  // namespace mg
