// Groups of rows of the batch run through all steps each on its own thread, so that no step waits
// for another thread. Inputs pass through one product for all steps, unless the weights are small.
#include "bindings/rnn_sequence.h"

#include "kernels.h"
#include "runtime/memory.h"
#include "runtime/threads.h"

namespace mg {
namespace {

constexpr int64_t kPanel = 32;                   // columns of the weights that are read together
constexpr int64_t kPanelsFrom = 1 << 14;         // elements of weights that do not stay in the L1
constexpr int64_t kWorthThreads = 1 << 21;       // multiply-adds of all steps: some 40 us
constexpr int64_t kGroup = 16, kSmallGroup = 8;  // rows of a group
// Up to here the weights of inputs and hidden state stay in the L2 side by side: a step projects
// its own inputs then, whose gates are still in the L1 when the hidden state's part is added.
constexpr int64_t kBesideBytes = 768 << 10, kBesideSteps = 4;

const RnnTyped<float>& typed(float) { return kernels().rnn.f32; }
const RnnTyped<double>& typed(double) { return kernels().rnn.f64; }
DType dtype(float) { return DType::kFloat32; }
DType dtype(double) { return DType::kFloat64; }

template <class T>
T* at(T* base, int64_t offset) {
  return base ? base + offset : nullptr;
}

// A product c (m, n) = a (m, k) b (k, n) + beta c.
template <class T>
struct Product {
  T* c;
  int64_t c_rs;
  const T* a;
  int64_t a_rs, a_cs;
  const T* b;
  int64_t b_rs, b_cs;
  int64_t m, n, k;
  double beta = 0;
  const T* bias = nullptr;
  int64_t panels = 1;  // of n columns each, k n elements of b apart
};

// Products that share a workspace: it grows with those that are announced.
template <class T>
class Products {
 public:
  static int64_t bytes(const Product<T>& p) {
    int64_t strides[4];
    const GemmArgs g = args(p, strides);
    return round_up(kernels().gemm.workspace(g, dtype(T{}), dtype(T{})));
  }
  static void run(const Product<T>& p, void* space, int64_t bytes) {
    if (p.m == 0 || p.n == 0) return;
    int64_t strides[4];
    GemmArgs g = args(p, strides);
    g.workspace = space;
    g.workspace_bytes = bytes;
    kernels().gemm.run(g, dtype(T{}), dtype(T{}));
  }
  // Runs a product of its own size with a workspace of its own.
  static bool once(const Product<T>& p) {
    const int64_t needed = bytes(p);
    Workspace space(static_cast<size_t>(needed));
    if (space.failed()) return false;
    run(p, space.data(), needed);
    return true;
  }
  static int64_t round_up(int64_t bytes) { return (bytes + 63) / 64 * 64; }

 private:
  static GemmArgs args(const Product<T>& p, int64_t* strides) {
    GemmArgs g = {};
    g.c = p.c;
    g.a = p.a;
    g.b = p.b;
    g.bias = p.bias;
    g.m = p.m;
    g.n = p.n;
    g.k = p.k;
    g.a_rs = p.m == 1 && p.a_cs == 1 ? p.k : p.a_rs;
    g.a_cs = p.k == 1 ? 1 : p.a_cs;
    g.b_rs = p.k == 1 ? p.n : p.b_rs;
    g.b_cs = p.n == 1 ? 1 : p.b_cs;
    g.c_rs = p.c_rs;
    g.alpha = 1;
    g.beta = p.beta;
    strides[0] = p.panels;
    strides[1] = 0;
    strides[2] = p.n * p.k;
    strides[3] = p.n;
    g.batch_dims = p.panels > 1;
    g.batch_shape = strides;
    g.a_batch = strides + 1;
    g.b_batch = strides + 2;
    g.c_batch = strides + 3;
    return g;
  }
};

// The weights of the hidden state as (k, n), in panels if they are large.
template <class T>
struct Weights {
  int64_t n, k, panels, width;
  Weights(int64_t n, int64_t k) : n(n), k(k) {
    panels = n * k >= kPanelsFrom && n % kPanel == 0 ? n / kPanel : 1;
    width = n / panels;
  }
  // w (n, k) as the products want it.
  void turn(T* out, const T* w) const { typed(T{}).turn(out, w, panels, width, k); }
  Product<T> product(T* c, int64_t c_rs, const T* a, int64_t a_rs, const T* b, int64_t m,
                     double beta) const {
    Product<T> p = {c, c_rs, a, a_rs, 1, b, width, 1, m, width, k};
    p.beta = beta;
    p.panels = panels;
    return p;
  }
};

// Where the rows of a group [first, last) lie in a step, and the first ones of them that continue
// those of the step before: the others start from the initial state.
struct Place {
  int64_t row, rows, before, continued;
};

template <class T>
class Walk {
 public:
  explicit Walk(const RnnSequence<T>& s) : s_(s) {}
  int64_t step(int64_t i) const { return s_.reverse ? s_.steps - 1 - i : i; }
  Place place(int64_t i, int64_t first, int64_t last) const {
    const int64_t t = step(i);
    const int64_t rows = max_of(0, min_of(last, s_.sizes[t]) - first);
    if (i == 0) return {s_.starts[t] + first, rows, 0, 0};
    const int64_t p = step(i - 1);
    const int64_t continued = max_of(0, min_of(min_of(last, s_.sizes[p]) - first, rows));
    return {s_.starts[t] + first, rows, s_.starts[p] + first, continued};
  }

 private:
  const RnnSequence<T>& s_;
};

template <class T>
struct Shape {
  int64_t gates, own, own_at;  // columns of gates; those that the hidden state adds to, from where
  int64_t group;
  bool beside;  // whether each step projects its own inputs
  explicit Shape(const RnnSequence<T>& s) {
    const int64_t kinds = s.mode == RnnMode::kLstm || s.mode == RnnMode::kGru ? 4 : 1;
    gates = kinds * s.hidden;
    own_at = s.mode == RnnMode::kGru ? s.hidden : 0;
    own = gates - own_at;
    const bool large = s.rows * own * s.width >= kWorthThreads;
    group = !large || s.batch < 2 * kSmallGroup ? s.batch
            : s.batch < 2 * kGroup              ? kSmallGroup
                                                : kGroup;
    const int64_t weights = gates * (s.inputs + s.width) * int64_t{sizeof(T)};
    beside = large && s.mode != RnnMode::kGru && s.batch >= kSmallGroup &&
             s.steps >= kBesideSteps && weights <= kBesideBytes;
  }
};

// ---- forward ----

// The part of the gates that the inputs make, for all steps.
template <class T>
bool project_inputs(const RnnSequence<T>& s, const Shape<T>& shape, T* gates) {
  const int64_t h = s.hidden;
  Workspace space(static_cast<size_t>(shape.gates) * sizeof(T));
  if (space.failed()) return false;
  T* bias = static_cast<T*>(space.data());
  const bool gru = s.mode == RnnMode::kGru;
  if (s.b_ih) {
    for (int64_t j = 0; j < (gru ? 2 * h : shape.gates); ++j) bias[j] = s.b_ih[j] + s.b_hh[j];
  }
  Product<T> p = {gates, shape.gates, s.x, s.inputs, 1, s.w_ih, 1, s.inputs, s.rows, 0, s.inputs};
  p.bias = s.b_ih ? bias : nullptr;
  p.n = gru ? 2 * h : shape.gates;
  if (!gru) return Products<T>::once(p);
  p.c = gates + h;
  if (!Products<T>::once(p)) return false;
  p.c = gates;
  p.b = s.w_ih + 2 * h * s.inputs;
  p.bias = at(s.b_ih, 2 * h);
  p.n = h;
  if (!Products<T>::once(p)) return false;
  const T* own = at(s.b_hh, 2 * h);
  parallel_for(s.rows, max_of(1, (1 << 14) / h), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* to = gates + i * 4 * h + 3 * h;
      if (own) {
        memcpy(to, own, static_cast<size_t>(h) * sizeof(T));
      } else {
        memset(to, 0, static_cast<size_t>(h) * sizeof(T));
      }
    }
  });
  return true;
}

// The states after the last step of each row.
template <class T>
void last_states(const RnnSequence<T>& s) {
  for (int64_t t = 0; t < s.steps; ++t) {
    if (s.reverse && t > 0) break;
    const int64_t from = s.reverse || t + 1 == s.steps ? 0 : s.sizes[t + 1];
    const int64_t row = s.starts[t] + from, rows = s.sizes[t] - from;
    if (rows == 0) continue;
    memcpy(s.h_n + from * s.width, s.out + row * s.width,
           static_cast<size_t>(rows * s.width) * sizeof(T));
    if (s.c_n) {
      memcpy(s.c_n + from * s.hidden, s.cells + row * s.hidden,
             static_cast<size_t>(rows * s.hidden) * sizeof(T));
    }
  }
}

template <class T>
struct Forward {
  const RnnSequence<T>& s;
  Shape<T> shape;
  Weights<T> hidden, projection, input;
  T* gates;
  T *w_hh = nullptr, *w_hr = nullptr, *w_ih = nullptr, *bias = nullptr;

  // The inputs' part of the gates of some rows.
  void project(int64_t row, int64_t rows, char* space, int64_t bytes) const {
    T* to = gates + row * shape.gates;
    for (int64_t i = 0; i < rows && s.b_ih; ++i) {
      memcpy(to + i * shape.gates, bias, static_cast<size_t>(shape.gates) * sizeof(T));
    }
    Products<T>::run(
        input.product(to, shape.gates, s.x + row * s.inputs, s.inputs, w_ih, rows, s.b_ih ? 1 : 0),
        space, bytes);
  }

  // Adds the hidden state's part to the gates of some rows, and makes the step.
  void part(int64_t row, int64_t rows, const T* h, const T* c, char* space, int64_t bytes) const {
    if (rows == 0) return;
    if (h) {
      Products<T>::run(hidden.product(gates + row * shape.gates + shape.own_at, shape.gates, h,
                                      s.width, w_hh, rows, 1),
                       space, bytes);
    }
    RnnCell<T> cell = {};
    cell.mode = s.mode;
    cell.rows = rows;
    cell.hidden = s.hidden;
    cell.gates = gates + row * shape.gates;
    cell.h = s.inner ? s.inner + row * s.hidden : s.out + row * s.width;
    cell.c = at(s.cells, row * s.hidden);
    cell.h_prev = h;
    cell.c_prev = c;
    typed(T{}).forward(cell);
  }

  void group(int64_t first, int64_t last, char* space, int64_t bytes) const {
    const Walk<T> walk(s);
    for (int64_t i = 0; i < s.steps; ++i) {
      const Place p = walk.place(i, first, last);
      if (p.rows == 0) continue;
      if (shape.beside) project(p.row, p.rows, space, bytes);
      part(p.row, p.continued, s.out + p.before * s.width,
           at<const T>(s.cells, p.before * s.hidden), space, bytes);
      const int64_t from = first + p.continued;
      part(p.row + p.continued, p.rows - p.continued, at(s.h0, from * s.width),
           at(s.c0, from * s.hidden), space, bytes);
      if (s.inner) {
        Products<T>::run(projection.product(s.out + p.row * s.width, s.width,
                                            s.inner + p.row * s.hidden, s.hidden, w_hr, p.rows, 0),
                         space, bytes);
      }
    }
  }
};

// The most that the products of one weight need, for any number of rows up to `rows`.
template <class T>
int64_t most_bytes(const Weights<T>& w, int64_t rows, int64_t c_rs, int64_t a_rs) {
  int64_t most = 0;
  for (int64_t m = 1; m <= rows; ++m) {
    // The addresses are not looked at.
    most = max_of(most, Products<T>::bytes(w.product(nullptr, c_rs, nullptr, a_rs, nullptr, m, 1)));
  }
  return most;
}

}  // namespace

template <class T>
bool rnn_forward(const RnnSequence<T>& s) {
  const Shape<T> shape(s);
  Forward<T> f = {s,
                  shape,
                  Weights<T>(shape.own, s.width),
                  Weights<T>(s.width, s.hidden),
                  Weights<T>(shape.gates, s.inputs),
                  s.gates ? s.gates : s.out};
  if (!shape.beside && !project_inputs(s, shape, f.gates)) return false;
  const int64_t groups = ceil_div(s.batch, shape.group);
  int64_t bytes = most_bytes(f.hidden, shape.group, shape.gates, s.width);
  if (s.inner) bytes = max_of(bytes, most_bytes(f.projection, shape.group, s.width, s.hidden));
  if (shape.beside) bytes = max_of(bytes, most_bytes(f.input, shape.group, shape.gates, s.inputs));
  const int64_t sizes[4] = {shape.own * s.width, s.inner ? s.width * s.hidden : 0,
                            shape.beside ? shape.gates * s.inputs : 0,
                            shape.beside ? shape.gates : 0};
  const int64_t own =
      Products<T>::round_up((sizes[0] + sizes[1] + sizes[2] + sizes[3]) * int64_t{sizeof(T)});
  Workspace space(static_cast<size_t>(own + groups * bytes));
  if (space.failed()) return false;
  f.w_hh = static_cast<T*>(space.data());
  f.w_hr = f.w_hh + sizes[0];
  f.w_ih = f.w_hr + sizes[1];
  f.bias = f.w_ih + sizes[2];
  char* const scratch = static_cast<char*>(space.data()) + own;
  f.hidden.turn(f.w_hh, s.w_hh);
  if (s.inner) f.projection.turn(f.w_hr, s.w_hr);
  if (shape.beside) {
    f.input.turn(f.w_ih, s.w_ih);
    for (int64_t j = 0; j < shape.gates && s.b_ih; ++j) f.bias[j] = s.b_ih[j] + s.b_hh[j];
  }
  parallel_for(s.batch, shape.group, [&](int64_t begin, int64_t end) {
    f.group(begin, end, scratch + begin / shape.group * bytes, bytes);
  });
  last_states(s);
  return true;
}

// ---- backward ----

namespace {

template <class T>
struct Backward {
  const RnnSequence<T>& s;
  Shape<T> shape;
  T *dgates, *dinner;   // (rows, gates); (rows, width), with a projection
  T *bias, *projected;  // of a group: (gates); (group, hidden)
  char* space;
  int64_t bytes;

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
  Backward<T> b = {s, shape, nullptr, nullptr, nullptr, nullptr, nullptr, 0};
  for (int64_t m = 1; m <= shape.group; ++m) {
    b.bytes = max_of(b.bytes, Products<T>::bytes(b.to_hidden(0, 0, m)));
    if (s.inner) b.bytes = max_of(b.bytes, Products<T>::bytes(b.to_inner(0, m)));
    if (s.dx) b.bytes = max_of(b.bytes, Products<T>::bytes(b.to_inputs(0, m)));
  }
  const int64_t sizes[4] = {s.rows * shape.gates, s.inner ? s.rows * s.width : 0,
                            groups * shape.gates, s.inner ? groups * shape.group * s.hidden : 0};
  const int64_t own =
      Products<T>::round_up((sizes[0] + sizes[1] + sizes[2] + sizes[3]) * int64_t{sizeof(T)});
  Workspace space(static_cast<size_t>(own + groups * b.bytes));
  if (space.failed()) return false;
  b.dgates = static_cast<T*>(space.data());
  b.dinner = b.dgates + sizes[0];
  b.bias = b.dinner + sizes[1];
  b.projected = b.bias + sizes[2];
  b.space = static_cast<char*>(space.data()) + own;
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

template bool rnn_forward(const RnnSequence<float>&);
template bool rnn_forward(const RnnSequence<double>&);
template bool rnn_backward(const RnnSequence<float>&);
template bool rnn_backward(const RnnSequence<double>&);

}  // namespace mg
