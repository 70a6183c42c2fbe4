// Training with W1 itself as the state: each step's update is applied in the same pass as the next step's x W1.
#pragma once
#include "networks/training_group.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// The pending update of W1 and the next h = sigmoid(x W1) in one pass.
template <class Bound>
struct PrimalPass {
  const Group& group;
  Bound bound;
  int64_t inputs, hidden;
  template <int N>
  ALWAYS_INLINE void run(int64_t begin) const {
    vfloat g1[N], sum[N] = {};
    for (int j = 0; j < N; ++j) g1[j] = group.g1[begin + j];
    for (int64_t i = 0; i < inputs; ++i) {
      vfloat* row = group.w1 + i * hidden + begin;
      const vfloat before = group.before[i], now = group.now[i];
      for (int j = 0; j < N; ++j) {
        const vfloat weight = bound(row[j] + before * g1[j]);
        row[j] = weight;
        sum[j] += now * weight;
      }
    }
    sigmoid(sum, N);
    for (int j = 0; j < N; ++j) group.h[begin + j] = sum[j];
  }
};

template <class Bound>
struct Primal {
  const Training& t;
  Group& group;
  Bound bound;

  ALWAYS_INLINE void start() {
    for (int64_t i = 0; i < t.inputs; ++i) group.now[i] = vfloat{};
    for (int64_t j = 0; j < t.hidden; ++j) group.g1[j] = vfloat{};
  }
  ALWAYS_INLINE vint draw(vuint random) const {
    vint sample;
    for (int lane = 0; lane < LANES; ++lane) sample[lane] = (int32_t)((uint64_t)random[lane] * (uint64_t)t.samples >> 32);
    return sample;
  }
  ALWAYS_INLINE vfloat classes(vint sample) const {
    vfloat found;
    for (int lane = 0; lane < LANES; ++lane) found[lane] = (float)t.y[sample[lane]];
    return found;
  }
  ALWAYS_INLINE void forward(vint sample) {
    vfloat* reused = group.before;
    group.before = group.now;
    group.now = reused;
    for (int lane = 0; lane < LANES; ++lane) {
      const float* x = t.x + (int64_t)sample[lane] * t.inputs;
      for (int64_t i = 0; i < t.inputs; ++i) ((float*)(group.now + i))[lane] = x[i];
    }
    in_blocks<BLOCK>(t.hidden, PrimalPass<Bound>{group, bound, t.inputs, t.hidden});
  }
  ALWAYS_INLINE void maintain(int64_t) {}
  ALWAYS_INLINE void copy_w1(vfloat* to) const {
    for (int64_t i = 0; i < t.inputs; ++i)
      for (int64_t j = 0; j < t.hidden; ++j)
        to[i * t.hidden + j] = bound(group.w1[i * t.hidden + j] + group.now[i] * group.g1[j]);
  }
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
