// The output layer of one training step: its errors, the update of W2, and the errors of the hidden units.
#pragma once
#include "networks/training_group.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// Errors and the update of W2, in registers from the sums on where one block holds all outputs:
// o = sigmoid(h W2), g2[k] = rate * (t - o[k]) o[k] (1 - o[k]); e[j] = sum_k g2[k] w2[j][k], w2[j][k] += h[j] g2[k];
// g1[j] = e[j] h[j] (1 - h[j]) at the last block of k.
template <class Bound>
struct OutputLayer {
  const Group& group;
  Bound bound;
  vfloat target, rate;
  int64_t hidden, outputs;
  bool backward;  // the second of two passes, where there are several blocks
  template <int N>
  ALWAYS_INLINE void run(int64_t begin) const {
    constexpr int SPLIT = N > BLOCK ? N / 2 : N;  // a sum over more than BLOCK columns is that of two sums
    vfloat g2[N];
    if (backward) {
      for (int k = 0; k < N; ++k) g2[k] = group.g2[begin + k];
    } else {
      for (int k = 0; k < N; ++k) g2[k] = group.h[0] * group.w2[begin + k];
      for (int64_t j = 1; j < hidden; ++j) {
        const vfloat* row = group.w2 + j * outputs + begin;
        for (int k = 0; k < N; ++k) g2[k] += group.h[j] * row[k];
      }
      sigmoid(g2, SPLIT);
      sigmoid(g2 + SPLIT, N - SPLIT);
      for (int k = 0; k < N; ++k) {
        const vfloat o = g2[k], wanted = target == (float)(begin + k) ? rate : vfloat{};
        g2[k] = (wanted - rate * o) * o * (1.0f - o);
      }
      if (N < outputs) {
        for (int k = 0; k < N; ++k) group.g2[begin + k] = g2[k];
        return;
      }
    }
    for (int64_t j = 0; j < hidden; ++j) {
      vfloat* row = group.w2 + j * outputs + begin;
      const vfloat h = group.h[j];
      vfloat e = begin ? group.e[j] : vfloat{}, even = {}, odd = {};
      for (int k = 0; k < N; ++k) {
        if (k == SPLIT) e += even + odd, even = odd = vfloat{};
        const vfloat weight = row[k];
        if ((k < SPLIT ? k : k - SPLIT) % 2) odd += weight * g2[k]; else even += weight * g2[k];
        row[k] = bound(weight + h * g2[k]);
      }
      e += even + odd;
      if (begin + N == outputs) group.g1[j] = e * h * (1.0f - h);
      else group.e[j] = e;
    }
  }
};

// What follows h = sigmoid(x W1) in both forms: both errors, the update of W2; leaves rate * d1 in g1.
template <class Bound>
ALWAYS_INLINE void output_step(const Group& group, const Training& t, Bound bound, vfloat target) {
  const vfloat rate = broadcast(t.learning_rate);
  const auto pass = [&](bool backward) {
    return OutputLayer<Bound>{group, bound, target, rate, t.hidden, t.outputs, backward};
  };
  if (t.outputs <= WHOLE) {
    in_blocks<WHOLE>(t.outputs, pass(false));
  } else {
    in_blocks<BLOCK>(t.outputs, pass(false));
    in_blocks<BLOCK>(t.outputs, pass(true));
  }
}

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
