// One bind_ function for each file of csrc/bindings/; csrc/bindings.cpp calls them all.
#pragma once

#include <Python.h>

namespace mg {

void bind_answers(PyObject* module);
void bind_attention(PyObject* module);
void bind_attributes(PyObject* module);
void bind_blend(PyObject* module);
void bind_cast(PyObject* module);
void bind_conv(PyObject* module);
void bind_conv_record(PyObject* module);
void bind_copy(PyObject* module);
void bind_creation(PyObject* module);
void bind_ctc(PyObject* module);
void bind_data(PyObject* module);
void bind_distance(PyObject* module);
void bind_draw(PyObject* module);
void bind_dropout(PyObject* module);
void bind_elementwise(PyObject* module);
void bind_operators_family(PyObject* module);
void bind_engine(PyObject* module);
void bind_extrema(PyObject* module);
void bind_factor(PyObject* module);
void bind_gemm(PyObject* module);
void bind_graph(PyObject* module);
void bind_grid_sample(PyObject* module);
void bind_in_place(PyObject* module);
void bind_index(PyObject* module);
void bind_index_numbers(PyObject* module);
void bind_index_record(PyObject* module);
void bind_int8(PyObject* module);
void bind_loss(PyObject* module);
void bind_memory(PyObject* module);
void bind_movement(PyObject* module);
void bind_moved_tensors(PyObject* module);
void bind_nll(PyObject* module);
void bind_norm(PyObject* module);
void bind_optim(PyObject* module);
void bind_optim_factored(PyObject* module);
void bind_overrides(PyObject* module);
void bind_patches(PyObject* module);
void bind_pieces(PyObject* module);
void bind_pool(PyObject* module);
void bind_products(PyObject* module);
void bind_quantize(PyObject* module);
void bind_random(PyObject* module);
void bind_record(PyObject* module);
void bind_reduce(PyObject* module);
void bind_resample(PyObject* module);
void bind_rnn(PyObject* module);
void bind_samplers(PyObject* module);
void bind_scan(PyObject* module);
void bind_softmax(PyObject* module);
void bind_sort(PyObject* module);
void bind_sparse(PyObject* module);
void bind_view_index(PyObject* module);
void bind_views(PyObject* module);

}  // namespace mg
