// Connectionist temporal classification: sums over alignments, step by step.
// The states of a step are independent of one another: they are the lanes of vectors.
#include "kernels/ctc.h"

#include "runtime/threads.h"
#include "vmath.h"

namespace mg::MG_ISA {
namespace {

template <class T>
using V = typename Vec<T>::type;

template <class T>
constexpr T kNever = static_cast<T>(-__builtin_inf());  // ln 0

// States are kept with two that cannot be on each side, and whole vectors behind.
constexpr int64_t kBeside = 2;

template <class T>
int64_t padded(const CtcShape& s) {
  constexpr int64_t lanes = Vec<T>::lanes;
  return (2 * s.longest + 2 * kBeside) / lanes * lanes + 2 * lanes;
}

constexpr int kRows = 4;  // of states in the workspace of a sample

template <class T>
int64_t workspace(const CtcShape& s) {
  return s.batch * kRows * padded<T>(s);
}

// ln(e^a + e^b + e^c), where all may be -infinity.
template <class T>
MG_INLINE V<T> log_sum(V<T> a, V<T> b, V<T> c) {
  const V<T> top = max(max(a, b), c);
  const V<T> never = set1(kNever<T>), one = set1(T{1});
  const V<T> from = top == never ? V<T>{} : top;
  const V<T> sum = exp(a - from) + exp(b - from) + exp(c - from);
  const V<T> total = log(top == never ? one : sum) + from;
  return top == never ? never : total;
}

// The rows of one sample, and what is the same at all its steps.
template <class T>
struct Sample {
  const CtcShape& shape;
  const int64_t* labels;
  const T* log_probs;  // of the first step
  int64_t steps, states;
  T *emit, *skip, *row, *next;  // state 0 stands at kBeside of each

  Sample(const CtcShape& s, int64_t n, const T* all, const int64_t* targets, T* workspace)
      : shape(s),
        labels(targets + n * s.longest),
        log_probs(all + n * s.classes),
        steps(s.inputs[n]),
        states(2 * s.lengths[n] + 1) {
    const int64_t wide = padded<T>(s);
    T* at = workspace + n * kRows * wide;
    for (int64_t i = 0; i < kRows * wide; ++i) at[i] = kNever<T>;
    emit = at, skip = at + wide, row = at + 2 * wide, next = at + 3 * wide;
    // A blank between two different labels may be skipped.
    for (int64_t i = 3; i < states; i += 2) {
      if (label(i) != label(i - 2)) skip[kBeside + i] = 0;
    }
  }
  int64_t label(int64_t state) const { return state % 2 ? labels[state / 2] : shape.blank; }
  const T* scores(int64_t t) const { return log_probs + t * shape.batch * shape.classes; }
  void read_step(int64_t t) {
    const T* from = scores(t);
    const T blank = from[shape.blank];
    T* to = emit + kBeside;
    for (int64_t i = 0; i + 1 < states; i += 2) {
      to[i] = blank;
      to[i + 1] = from[labels[i / 2]];
    }
    to[states - 1] = blank;
  }
};

// Puts `never` behind the states of a row whose last vector wrote there.
template <class T>
MG_INLINE void end_row(T* row, int64_t states) {
  for (int64_t i = 0; i < Vec<T>::lanes; ++i) row[kBeside + states + i] = kNever<T>;
}

template <class T>
void forward_sample(T* loss, T* alpha, Sample<T>& s) {
  if (s.steps == 0) {
    *loss = s.states == 1 ? T{} : -kNever<T>;
    return;
  }
  const int64_t width = 2 * s.shape.longest + 1;
  for (int64_t t = 0; t < s.steps; ++t) {
    s.read_step(t);
    T* to = s.next + kBeside;
    if (t == 0) {
      to[0] = s.emit[kBeside];
      if (s.states > 1) to[1] = s.emit[kBeside + 1];
    } else {
      const T* from = s.row + kBeside;
      for (int64_t i = 0; i < s.states; i += Vec<T>::lanes) {
        const V<T> two = load(from + i - 2) + load(s.skip + kBeside + i);
        const V<T> sum = log_sum<T>(load(from + i), load(from + i - 1), two);
        store(to + i, sum + load(s.emit + kBeside + i));
      }
      end_row(s.next, s.states);
    }
    for (int64_t i = 0; i < s.states; ++i) alpha[t * width + i] = to[i];
    T* const last = s.row;
    s.row = s.next, s.next = last;
  }
  const T* ends = s.row + kBeside + s.states - 1;
  const T label_end = s.states > 1 ? ends[-1] : kNever<T>;
  const V<T> never = set1(kNever<T>);
  *loss = -log_sum<T>(set1(ends[0]), set1(label_end), never)[0];
}

template <class T>
void backward_sample(T* out, T grad, const T* alpha, T loss, Sample<T>& s) {
  const int64_t width = 2 * s.shape.longest + 1, classes = s.shape.classes;
  const int64_t pitch = s.shape.batch * classes;
  constexpr int lanes = Vec<T>::lanes;
  // Not 0 times infinity.
  const int64_t counted = grad == 0 && loss == -kNever<T> ? 0 : s.steps;
  for (int64_t t = counted; t < s.shape.steps; ++t) {
    for (int64_t c = 0; c < classes; ++c) out[t * pitch + c] = T{};
  }
  for (int64_t t = counted - 1; t >= 0; --t) {
    s.read_step(t);
    T* to = s.next + kBeside;
    if (t == s.steps - 1) {
      to[s.states - 1] = s.emit[kBeside + s.states - 1];
      if (s.states > 1) to[s.states - 2] = s.emit[kBeside + s.states - 2];
    } else {
      const T* from = s.row + kBeside;
      for (int64_t i = 0; i < s.states; i += lanes) {
        const V<T> two = load(from + i + 2) + load(s.skip + kBeside + i + 2);
        const V<T> sum = log_sum<T>(load(from + i), load(from + i + 1), two);
        store(to + i, sum + load(s.emit + kBeside + i));
      }
      end_row(s.next, s.states);
    }
    T* const last = s.row;
    s.row = s.next, s.next = last;
    T* y = out + t * pitch;
    const T* x = s.scores(t);
    for (int64_t c = 0; c < classes; c += lanes) {
      const int64_t n = classes - c < lanes ? classes - c : lanes;
      store_partial(y + c, exp(load_partial(x + c, n)), n);
    }
    // The probability of each state; `next` is free for it, and becomes never again.
    T* there = s.next + kBeside;
    const T* a = alpha + t * width;
    for (int64_t i = 0; i < s.states; i += lanes) {
      const int64_t n = s.states - i < lanes ? s.states - i : lanes;
      const V<T> both = load_partial(a + i, n) + load(s.row + kBeside + i);
      store(there + i, exp(both + set1(loss) - load(s.emit + kBeside + i)));
    }
    T blank = T{};
    for (int64_t i = 0; i < s.states; i += 2) blank += there[i];
    y[s.shape.blank] -= blank;
    for (int64_t i = 1; i < s.states; i += 2) y[s.labels[i / 2]] -= there[i];
    for (int64_t i = 0; i < s.states; i += lanes) store(there + i, set1(kNever<T>));
    for (int64_t c = 0; c < classes; ++c) y[c] *= grad;
  }
}

// Samples in a chunk: some 20 microseconds.
int64_t grain_of(const CtcShape& s) {
  const int64_t each = s.steps * (2 * s.longest + 16) + 1;
  return each >= 4096 ? 1 : 4096 / each;
}

template <class T>
void forward(T* loss, T* alpha, const T* log_probs, const int64_t* targets, const CtcShape& shape,
             T* work) {
  const int64_t each = shape.steps * (2 * shape.longest + 1);
  parallel_for(shape.batch, grain_of(shape), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      Sample<T> s(shape, n, log_probs, targets, work);
      forward_sample(loss + n, alpha + n * each, s);
    }
  });
}

template <class T>
void backward(T* out, const T* grad, const T* log_probs, const T* alpha, const T* loss,
              const int64_t* targets, const CtcShape& shape, T* work) {
  const int64_t each = shape.steps * (2 * shape.longest + 1);
  parallel_for(shape.batch, grain_of(shape), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      Sample<T> s(shape, n, log_probs, targets, work);
      backward_sample(out + n * shape.classes, grad[n], alpha + n * each, loss[n], s);
    }
  });
}

}  // namespace

#define MG_CTC(T) {forward<T>, backward<T>, workspace<T>}

extern const CtcKernels kCtc = {MG_CTC(float), MG_CTC(double)};

}  // namespace mg::MG_ISA
