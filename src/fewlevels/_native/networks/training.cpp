// Stochastic gradient descent on LANES models side by side, one per vector lane.
//
// One step of one model, for a random sample (x, class):
//   h = sigmoid(x W1), o = sigmoid(h W2), d2 = (t - o) o (1 - o), d1 = (d2 W2') h (1 - h),
//   W1 += rate * outer(x, d1), W2 += rate * outer(h, d2), with t one-hot.
//
// With many samples the state is W1 (Primal), with fewer samples than inputs X W1 (Dual). With a weight limit every
// update ends in a projection on [-limit, limit] (Limited). W1 must then be at hand: Primal.
#include "networks/training_dual.hpp"
#include "networks/training_output.hpp"
#include "networks/training_primal.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// (models, n) <-> (n, LANES). Lanes past the last model repeat it, so that they stay finite.
ALWAYS_INLINE void load_lanes(vfloat* to, const float* from, int64_t first, int64_t models, int64_t n) {
  for (int lane = 0; lane < LANES; ++lane) {
    const int64_t model = first + lane < models ? first + lane : models - 1;
    for (int64_t i = 0; i < n; ++i) ((float*)(to + i))[lane] = from[model * n + i];
  }
}
ALWAYS_INLINE void store_lanes(float* to, const vfloat* from, int64_t first, int64_t models, int64_t n) {
  for (int lane = 0; lane < LANES && first + lane < models; ++lane)
    for (int64_t i = 0; i < n; ++i) to[(first + lane) * n + i] = ((const float*)(from + i))[lane];
}

// Trains models first .. first + LANES - 1. Of both forms draw() makes a sample of each lane's random number r,
// floor(r * samples / 2^32), biased by less than samples / 2^32; classes() gives the class of each lane's sample;
// forward() leaves sigmoid(x W1) in group.h; maintain() is called before each step; copy_w1() gives W1 with all updates
// so far.
template <class Form, class Bound>
void train_group(const Training& t, Group& group, Bound bound, int64_t first) {
  const int64_t w1_size = t.inputs * t.hidden, w2_size = t.hidden * t.outputs;
  load_lanes(group.w1, t.w1, first, t.models, w1_size);
  load_lanes(group.w2, t.w2, first, t.models, w2_size);
  vint state[4];
  for (int lane = 0; lane < LANES; ++lane)
    for (int word = 0; word < 4; ++word)
      state[word][lane] = (int32_t)t.streams[4 * (first + lane < t.models ? first + lane : t.models - 1) + word];
  Streams streams{(vuint)state[0], (vuint)state[1], (vuint)state[2], (vuint)state[3]};
  Form form{t, group, bound};
  form.start();
  int64_t taken = 0;
  for (int64_t step = 0;; ++step) {
    for (; taken < t.snapshots && t.snapshot_steps[taken] == step; ++taken) {
      form.copy_w1(group.w1_copy);
      store_lanes(t.snapshot_w1 + taken * t.models * w1_size, group.w1_copy, first, t.models, w1_size);
      store_lanes(t.snapshot_w2 + taken * t.models * w2_size, group.w2, first, t.models, w2_size);
    }
    if (step == t.steps) break;
    form.maintain(step);
    const vint sample = form.draw(streams.next());
    form.forward(sample);
    output_step(group, t, bound, form.classes(sample));
  }
  form.copy_w1(group.w1_copy);
  store_lanes(t.w1, group.w1_copy, first, t.models, w1_size);
  store_lanes(t.w2, group.w2, first, t.models, w2_size);
}

}  // namespace

int64_t training_scratch(const Training& t) {
  return (int64_t)sizeof(vfloat) * (2 * t.inputs * t.hidden + t.hidden * t.outputs + 3 * t.hidden + t.outputs +
                                    2 * t.inputs + (t.samples + STEPS) * t.hidden + LANES + a_size(t));
}

void train(const Training& t, void* scratch) {
  vfloat* free = (vfloat*)scratch;
  const auto take = [&free](int64_t n) {
    vfloat* taken = free;
    free += n;
    return taken;
  };
  const int64_t w1_size = t.inputs * t.hidden;
  Group group{};
  group.w1 = take(w1_size);
  group.w1_copy = take(w1_size);
  group.w2 = take(t.hidden * t.outputs);
  group.h = take(t.hidden);
  group.g1 = take(t.hidden);
  group.e = take(t.hidden);
  group.g2 = take(t.outputs);
  const bool limited = t.weight_limit > 0;
  const bool dual = !limited && t.samples <= TABLE && t.samples < t.inputs;
  if (dual) {
    group.p = take(t.samples * t.hidden);
    group.a = take(a_size(t));
    group.waiting = take(STEPS * t.hidden + LANES);
  } else {
    group.before = take(t.inputs);
    group.now = take(t.inputs);
  }
  for (int64_t first = 0; first < t.models; first += LANES) {
    if (dual) train_group<Dual>(t, group, Free{}, first);
    else if (limited) train_group<Primal<Limited>>(t, group, Limited{t.weight_limit}, first);
    else train_group<Primal<Free>>(t, group, Free{}, first);
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
