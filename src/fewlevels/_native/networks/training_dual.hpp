// Training with P = X W1 as the state, what W1 does to each sample: cheaper where there are fewer samples than inputs.
//
// A step on sample s changes P[r] by (x_r . x_s) rate d1, so that a step costs samples x hidden and not inputs x
// hidden. W1 itself is then W1_start + X' A, with A[s] the sum of the updates made on sample s. P and A take up STEPS
// updates at a time, because storing them is the bottleneck; until then each new x W1 adds what the waiting updates
// would.
#pragma once
#include "networks/training_group.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr int STEPS = 4;

// With AVX-512 moving or adding some lanes only is one instruction, and cheaper than reaching for each lane's own row.
constexpr bool MASKED = LANES == 16;

// A is (samples, hidden) if MASKED. Else each lane has rows of its own, (LANES, samples, row_length), and adds to one.
ALWAYS_INLINE int64_t row_length(int64_t hidden) { return (hidden + LANES - 1) / LANES; }
ALWAYS_INLINE int64_t a_size(const Training& t) {
  return MASKED ? t.samples * t.hidden : LANES * t.samples * row_length(t.hidden);
}

// P[r] += sum_m (x_r . x_{s_m}) g_m, and A[s_m] += g_m where A is (samples, hidden), for the STEPS updates g_m made on
// samples s_m.
struct DualUpdate {
  const Group& group;
  const vfloat* overlap;  // (samples, STEPS), x_r . x_{s_m}
  const vint* sample;  // (STEPS,)
  int64_t samples, hidden;
  template <int N>
  ALWAYS_INLINE void run(int64_t begin) const {
    vfloat g[STEPS][N];
    for (int m = 0; m < STEPS; ++m)
      for (int j = 0; j < N; ++j) g[m][j] = group.waiting[m * hidden + begin + j];
    for (int64_t r = 0; r < samples; ++r) {
      vfloat* p = group.p + r * hidden + begin;
      vfloat sum[N];
      for (int j = 0; j < N; ++j) sum[j] = p[j];
      for (int m = 0; m < STEPS; ++m)
        for (int j = 0; j < N; ++j) sum[j] += overlap[r * STEPS + m] * g[m][j];
      for (int j = 0; j < N; ++j) p[j] = sum[j];
      if constexpr (MASKED) {
        vfloat* a = group.a + r * hidden + begin;
        for (int j = 0; j < N; ++j) sum[j] = a[j];
        for (int m = 0; m < STEPS; ++m) {
          const Mask here = equal(sample[m], (int32_t)r);
          for (int j = 0; j < N; ++j) sum[j] = add_where(here, sum[j], g[m][j]);
        }
        for (int j = 0; j < N; ++j) a[j] = sum[j];
      }
    }
  }
};

// h = sigmoid(P[now] + sum_m (x_now . x_{s_m}) g_m), m over the updates that wait.
struct DualForward {
  const Group& group;
  const vfloat* overlap;  // (waiting,), x_now . x_{s_m}
  vint now;
  int waiting;
  int64_t samples, hidden;
  template <int N>
  ALWAYS_INLINE void run(int64_t begin) const {
    vfloat sum[N] = {};
    if constexpr (MASKED) {
      for (int64_t r = 0; r < samples; ++r) {
        const vfloat* p = group.p + r * hidden + begin;
        const Mask here = equal(now, (int32_t)r);
        for (int j = 0; j < N; ++j) sum[j] = choose(here, p[j], sum[j]);
      }
    } else {
      const vint at = now * (int32_t)(hidden * LANES) + lane_numbers();
      for (int j = 0; j < N; ++j) sum[j] = gather((const float*)(group.p + begin + j), at);
    }
    for (int m = 0; m < waiting; ++m)
      for (int j = 0; j < N; ++j) sum[j] += overlap[m] * group.waiting[m * hidden + begin + j];
    sigmoid(sum, N);
    for (int j = 0; j < N; ++j) group.h[begin + j] = sum[j];
  }
};

struct Dual {
  static constexpr int64_t RESYNC = 1024;  // steps after which W1 takes up A and P is computed afresh
  const Training& t;
  Group& group;
  Free bound{};
  int waiting = 0;
  vint sample[STEPS] = {};
  alignas(64) float gram[TABLE * TABLE] = {}, class_of[TABLE] = {};

  ALWAYS_INLINE void start() {
    for (int64_t r = 0; r < t.samples; ++r)
      for (int64_t s = 0; s < t.samples; ++s)
        for (int64_t i = 0; i < t.inputs; ++i) gram[r * TABLE + s] += t.x[r * t.inputs + i] * t.x[s * t.inputs + i];
    for (int64_t s = 0; s < t.samples; ++s) class_of[s] = (float)t.y[s];
    clear_a();
  }
  ALWAYS_INLINE vint draw(vuint random) const {  // the 48 bits of the product in two parts
    const uint32_t n = (uint32_t)t.samples;
    return (vint)(((random >> 16) * n + (((random & 0xffffu) * n) >> 16)) >> 16);
  }
  ALWAYS_INLINE vfloat classes(vint sample) const { return lookup(class_of, sample); }
  ALWAYS_INLINE vfloat overlap_of(vint now, vint before) const {
    if (LANES < 16) return gather(gram, now * TABLE + before);
    vfloat overlap = {};  // a lookup in each row costs less than gathering sixteen numbers
    for (int64_t r = 0; r < t.samples; ++r) overlap = lookup_where(equal(now, (int32_t)r), gram + r * TABLE, before, overlap);
    return overlap;
  }
  ALWAYS_INLINE void update() {
    vfloat overlap[TABLE * STEPS];
    for (int64_t r = 0; r < t.samples; ++r)
      for (int m = 0; m < STEPS; ++m) overlap[r * STEPS + m] = lookup(gram + r * TABLE, sample[m]);
    in_blocks<MASKED ? 5 : 3>(t.hidden, DualUpdate{group, overlap, sample, t.samples, t.hidden});
    if constexpr (!MASKED)
      for (int m = 0; m < STEPS; ++m) add_to_rows(group.waiting + m * t.hidden, sample[m]);
    waiting = 0;
  }
  // A[s_m] += g_m, where A is held lane by lane: each lane adds a row of its own.
  ALWAYS_INLINE void add_to_rows(const vfloat* g, vint row) {
    const int64_t length = row_length(t.hidden);
    for (int64_t block = 0; block < length; ++block) {
      vfloat of_lane[LANES];
      transpose(of_lane, g + block * LANES);
      for (int lane = 0; lane < LANES; ++lane)
        group.a[(lane * t.samples + row[lane]) * length + block] += of_lane[lane];
    }
  }
  ALWAYS_INLINE void forward(vint now) {
    if (waiting == STEPS) update();
    vfloat overlap[STEPS];
    for (int m = 0; m < waiting; ++m) overlap[m] = overlap_of(now, sample[m]);
    in_blocks<BLOCK>(t.hidden, DualForward{group, overlap, now, waiting, t.samples, t.hidden});
    group.g1 = group.waiting + waiting * t.hidden;
    sample[waiting++] = now;
  }
  ALWAYS_INLINE void maintain(int64_t step) {
    if (step % RESYNC) return;
    if (waiting) update();  // RESYNC is a multiple of STEPS: all of them wait, or (at the start) none
    fold_a(group.w1);
    for (int64_t s = 0; s < t.samples; ++s)
      for (int64_t j = 0; j < t.hidden; ++j) {
        vfloat sum = {};
        for (int64_t i = 0; i < t.inputs; ++i) sum += t.x[s * t.inputs + i] * group.w1[i * t.hidden + j];
        group.p[s * t.hidden + j] = sum;
      }
    clear_a();
  }
  ALWAYS_INLINE void clear_a() {
    for (int64_t n = 0; n < a_size(t); ++n) group.a[n] = vfloat{};
  }
  ALWAYS_INLINE void fold_a(vfloat* w1) const {  // w1 += X' A
    for (int64_t s = 0; s < t.samples; ++s) {
      const vfloat* a = group.a + s * t.hidden;
      if constexpr (!MASKED) {
        for (int lane = 0; lane < LANES; ++lane) {
          const float* row = (const float*)(group.a + (lane * t.samples + s) * row_length(t.hidden));
          for (int64_t j = 0; j < t.hidden; ++j) ((float*)(group.e + j))[lane] = row[j];
        }
        a = group.e;
      }
      for (int64_t i = 0; i < t.inputs; ++i)
        for (int64_t j = 0; j < t.hidden; ++j) w1[i * t.hidden + j] += t.x[s * t.inputs + i] * a[j];
    }
  }
  ALWAYS_INLINE void copy_w1(vfloat* to) const {
    for (int64_t n = 0; n < t.inputs * t.hidden; ++n) to[n] = group.w1[n];
    fold_a(to);
    for (int m = 0; m < waiting; ++m)
      for (int64_t i = 0; i < t.inputs; ++i) {
        vfloat x;
        for (int lane = 0; lane < LANES; ++lane) x[lane] = t.x[sample[m][lane] * t.inputs + i];
        for (int64_t j = 0; j < t.hidden; ++j) to[i * t.hidden + j] += x * group.waiting[m * t.hidden + j];
      }
  }
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
