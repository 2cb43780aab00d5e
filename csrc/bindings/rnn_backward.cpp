// Groups of rows go back through all steps each on its own thread, leaving the gradients of all
// gates, which then give those of the weights in one product each.
#include "bindings/rnn_products.h"

namespace mg {
namespace {

// Weights of the hidden state of more bytes do not stay in the L2 from step to step: as panels of
// columns, one behind the other, they come from beyond it as fast as they can.
constexpr int64_t kNearWeights = 512 << 10;

template <class T>
void to_panels(T* out, const T* w, int64_t rows, int64_t columns) {
  for (int64_t j = 0; j < columns; j += kPanel) {
    for (int64_t i = 0; i < rows; ++i, out += kPanel) {
      memcpy(out, w + i * columns + j, kPanel * sizeof(T));
    }
  }
}

template <class T>
struct Backward {
  const RnnSequence<T>& s;
  Shape<T> shape;
  T *dgates, *dinner;   // (rows, gates); (rows, width), with a projection
  T *bias, *projected;  // of a group: (gates); (group, hidden)
  T* panels;            // the weights of the hidden state, if in_panels
  char* space;
  int64_t bytes;
  bool in_panels;

  Product<T> to_hidden(int64_t row, int64_t first, int64_t rows) const {
    Product<T> p = {s.dh + first * s.width,
                    s.width,
                    dgates + row * shape.gates + shape.own_at,
                    shape.gates,
                    1,
                    s.w_hh,
                    s.width,
                    1,
                    rows,
                    s.width,
                    shape.own};
    p.beta = s.mode == RnnMode::kGru;
    if (in_panels) {
      p.b = panels;
      p.b_rs = p.n = kPanel;
      p.panels = s.width / kPanel;
    }
    return p;
  }
  Product<T> to_inputs(int64_t row, int64_t rows) const {
    return {s.dx + row * s.inputs,
            s.inputs,
            dgates + row * shape.gates,
            shape.gates,
            1,
            s.w_ih,
            s.inputs,
            1,
            rows,
            s.inputs,
            shape.gates};
  }
  Product<T> to_inner(int64_t row, int64_t rows) const {
    return {projected, s.hidden, dinner + row * s.width, s.width, 1, s.w_hr, s.hidden, 1, rows,
            s.hidden,  s.width};
  }

  void part(int64_t row, int64_t first, int64_t rows, const T* h, const T* c, T* dh) const {
    if (rows == 0) return;
    RnnCell<T> cell = {};
    cell.mode = s.mode;
    cell.rows = rows;
    cell.hidden = s.hidden;
    cell.gates = at(s.gates, row * shape.gates);
    cell.h = s.out + row * s.width;
    cell.c = at(s.cells, row * s.hidden);
    cell.h_prev = h;
    cell.c_prev = c;
    cell.grad = s.inner ? nullptr : at(s.grad, row * s.width);
    cell.dh = dh;
    cell.dc = at(s.dc, first * s.hidden);
    cell.dgates = dgates + row * shape.gates;
    cell.dbias = bias;
    typed(T{}).backward(cell);
  }

  void group(int64_t first, int64_t last) const {
    const Walk<T> walk(s);
    for (int64_t j = 0; j < shape.gates; ++j) bias[j] = 0;
    for (int64_t i = s.steps - 1; i >= 0; --i) {
      const Place p = walk.place(i, first, last);
      if (p.rows == 0) continue;
      T* dh = s.dh + first * s.width;
      if (s.inner) {
        T* sums = dinner + p.row * s.width;
        const T* grad = at(s.grad, p.row * s.width);
        for (int64_t j = 0; j < p.rows * s.width; ++j) sums[j] = grad ? dh[j] + grad[j] : dh[j];
        Products<T>::run(to_inner(p.row, p.rows), space, bytes);
        dh = projected;
      }
      part(p.row, first, p.continued, s.out + p.before * s.width,
           at<const T>(s.cells, p.before * s.hidden), dh);
      const int64_t from = first + p.continued;
      part(p.row + p.continued, from, p.rows - p.continued, at(s.h0, from * s.width),
           at(s.c0, from * s.hidden), dh + p.continued * s.hidden);
      Products<T>::run(to_hidden(p.row, first, p.rows), space, bytes);
      if (shape.beside && s.dx) Products<T>::run(to_inputs(p.row, p.rows), space, bytes);
    }
  }
};

// The hidden states that the steps start from times the gradients of the gates.
template <class T>
bool weights_of_hidden(const RnnSequence<T>& s, const Shape<T>& shape, const T* dgates) {
  Product<T> p = {
      s.dw_hh, s.width, dgates + shape.own_at, 1, shape.gates, s.out, s.width, 1, shape.own,
      s.width, 0};
  if (s.sizes[s.steps - 1] ==
      s.batch) {  // the states of one step lie where those of the next start
    const int64_t inner = s.rows - s.batch;
    p.k = inner;
    p.a += s.reverse ? 0 : s.batch * shape.gates;
    p.b += s.reverse ? s.batch * s.width : 0;
    if (!Products<T>::once(p)) return false;
    if (!s.h0) return true;
    p.a = dgates + shape.own_at + (s.reverse ? inner * shape.gates : 0);
    p.b = s.h0;
    p.k = s.batch;
    p.beta = 1;
    return Products<T>::once(p);
  }
  Workspace space(static_cast<size_t>(s.rows * s.width) * sizeof(T));
  if (space.failed()) return false;
  T* before = static_cast<T*>(space.data());
  const Walk<T> walk(s);
  for (int64_t i = 0; i < s.steps; ++i) {
    const Place q = walk.place(i, 0, s.batch);
    const size_t row_bytes = static_cast<size_t>(s.width) * sizeof(T);
    memcpy(before + q.row * s.width, s.out + q.before * s.width,
           static_cast<size_t>(q.continued) * row_bytes);
    T* fresh = before + (q.row + q.continued) * s.width;
    const size_t left = static_cast<size_t>(q.rows - q.continued) * row_bytes;
    if (s.h0 && left) {
      memcpy(fresh, s.h0 + q.continued * s.width, left);
    } else {
      memset(fresh, 0, left);
    }
  }
  p.b = before;
  p.k = s.rows;
  return Products<T>::once(p);
}

// What the gradients of the gates give the inputs and their weights.
template <class T>
bool gradients_of_inputs(const RnnSequence<T>& s, const Shape<T>& shape, const T* dgates) {
  const int64_t h = s.hidden;
  const bool gru = s.mode == RnnMode::kGru;  // n stands first there, but last in the weights
  const int64_t parts = gru ? 2 : 1;
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t count = !gru ? shape.gates : i == 0 ? 2 * h : h;
    const T* d = dgates + (gru && i == 0 ? h : 0);
    const int64_t weights = i * 2 * h * s.inputs;
    if (s.dw_ih && !Products<T>::once({s.dw_ih + weights, s.inputs, d, 1, shape.gates, s.x,
                                       s.inputs, 1, count, s.inputs, s.rows})) {
      return false;
    }
    if (!s.dx || shape.beside) continue;
    Product<T> p = {s.dx,     s.inputs, d,      shape.gates, 1,    s.w_ih + weights,
                    s.inputs, 1,        s.rows, s.inputs,    count};
    p.beta = static_cast<double>(i);
    if (!Products<T>::once(p)) return false;
  }
  return true;
}

// The sums of the groups, in order.
template <class T>
void gradients_of_biases(const RnnSequence<T>& s, const Shape<T>& shape, const T* bias,
                         int64_t groups) {
  const int64_t h = s.hidden;
  for (int64_t j = 0; j < shape.gates; ++j) {
    T sum = 0;
    for (int64_t q = 0; q < groups; ++q) sum += bias[q * shape.gates + j];
    if (s.mode != RnnMode::kGru) {
      if (s.db_ih) s.db_ih[j] = sum;
      if (s.db_hh) s.db_hh[j] = sum;
      continue;
    }
    if (s.db_ih && j < 3 * h) s.db_ih[j < h ? 2 * h + j : j - h] = sum;
    if (s.db_hh && j >= h) s.db_hh[j - h] = sum;
  }
}

}  // namespace

template <class T>
bool rnn_backward(const RnnSequence<T>& s) {
  const Shape<T> shape(s);
  const int64_t groups = ceil_div(s.batch, shape.group);
  Backward<T> b = {s, shape, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 0, false};
  b.in_panels = s.steps >= kBesideSteps && s.width % kPanel == 0 &&
                shape.own * s.width * int64_t{sizeof(T)} > kNearWeights;
  for (int64_t m = 1; m <= shape.group; ++m) {
    b.bytes = max_of(b.bytes, Products<T>::bytes(b.to_hidden(0, 0, m)));
    if (s.inner) b.bytes = max_of(b.bytes, Products<T>::bytes(b.to_inner(0, m)));
    if (s.dx) b.bytes = max_of(b.bytes, Products<T>::bytes(b.to_inputs(0, m)));
  }
  const int64_t sizes[5] = {s.rows * shape.gates, s.inner ? s.rows * s.width : 0,
                            groups * shape.gates, s.inner ? groups * shape.group * s.hidden : 0,
                            b.in_panels ? shape.own * s.width : 0};
  const int64_t own = Products<T>::round_up((sizes[0] + sizes[1] + sizes[2] + sizes[3] + sizes[4]) *
                                            int64_t{sizeof(T)});
  Workspace space(static_cast<size_t>(own + groups * b.bytes));
  if (space.failed()) return false;
  b.dgates = static_cast<T*>(space.data());
  b.dinner = b.dgates + sizes[0];
  b.bias = b.dinner + sizes[1];
  b.projected = b.bias + sizes[2];
  b.space = static_cast<char*>(space.data()) + own;
  if (b.in_panels) {
    b.panels = b.projected + sizes[3];
    to_panels(b.panels, s.w_hh, shape.own, s.width);
  }
  parallel_for(s.batch, shape.group, [&](int64_t begin, int64_t end) {
    const int64_t q = begin / shape.group;
    Backward<T> mine = b;
    mine.bias += q * shape.gates;
    mine.projected += q * shape.group * s.hidden;
    mine.space += q * b.bytes;
    mine.group(begin, end);
  });
  gradients_of_biases(s, shape, b.bias, groups);
  if (s.dw_hh && !weights_of_hidden(s, shape, b.dgates)) return false;
  if (s.dw_hr && !Products<T>::once({s.dw_hr, s.hidden, b.dinner, 1, s.width, s.inner, s.hidden, 1,
                                     s.width, s.hidden, s.rows})) {
    return false;
  }
  return gradients_of_inputs(s, shape, b.dgates);
}

template bool rnn_backward(const RnnSequence<float>&);
template bool rnn_backward(const RnnSequence<double>&);

}  // namespace mg
