// Groups of rows of the batch run through all steps each on its own thread, so that no step waits
// for another thread. Inputs pass through one product for all steps, unless the weights are small.
#include "bindings/rnn_products.h"

namespace mg {
namespace {

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

template bool rnn_forward(const RnnSequence<float>&);
template bool rnn_forward(const RnnSequence<double>&);

}  // namespace mg
