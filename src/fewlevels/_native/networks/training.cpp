// Stochastic gradient descent on LANES models side by side, one per vector lane.
//
// One step of one model, for a random sample (x, class):
//   h = sigmoid(x W1), o = sigmoid(h W2), d2 = (t - o) o (1 - o), d1 = (d2 W2') h (1 - h),
//   W1 += rate * outer(x, d1), W2 += rate * outer(h, d2), with t one-hot.
//
// With many samples the state is W1, and each step's update is applied in the same pass as the next step's x W1
// (Primal). With fewer samples than inputs it is cheaper to hold what W1 does to each sample, P = X W1: a step on
// sample s changes P[r] by (x_r . x_s) rate d1, so that a step costs samples x hidden and not inputs x hidden (Dual).
// W1 itself is then W1_start + X' A, with A[s] the sum of the updates made on sample s. P and A take up STEPS updates
// at a time, because storing them is the bottleneck; until then each new x W1 adds what the waiting updates would.
//
// With a weight limit every update ends in a projection on [-limit, limit] (Limited). W1 must then be at hand: Primal.
#include "common/simd.hpp"
#include "networks/network_kernels.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr int BLOCK = LANES == 16 ? 10 : 5;  // columns whose sums and operands are held in registers at once
constexpr int WHOLE = 10;  // columns whose sums alone fit in registers

template <int N>
struct Width {
  static constexpr int value = N;
};

// Runs body.template run<N>(begin) over [0, n) in pieces of N <= MOST columns, as even as possible.
template <int MOST, class Body>
ALWAYS_INLINE void in_blocks(int64_t n, const Body& body) {
  const int64_t pieces = (n + MOST - 1) / MOST;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t begin = piece * n / pieces, width = (piece + 1) * n / pieces - begin;
    const auto run = [&](auto... candidate) {
      ((width == candidate.value ? body.template run<candidate.value>(begin) : (void)0), ...);
    };
    if constexpr (MOST == 10) run(Width<1>{}, Width<2>{}, Width<3>{}, Width<4>{}, Width<5>{}, Width<6>{}, Width<7>{},
                                  Width<8>{}, Width<9>{}, Width<10>{});
    else if constexpr (MOST == 5) run(Width<1>{}, Width<2>{}, Width<3>{}, Width<4>{}, Width<5>{});
    else run(Width<1>{}, Width<2>{}, Width<3>{});
  }
}

struct Free {
  ALWAYS_INLINE vfloat operator()(vfloat weight) const { return weight; }
};

// Projection on [-limit, limit].
struct Limited {
  float limit;
  ALWAYS_INLINE vfloat operator()(vfloat weight) const {
    const vfloat high = broadcast(limit), low = -high;
    weight = weight < high ? weight : high;
    return weight > low ? weight : low;
  }
};

// Memory of one group of LANES models, one vector for each of the numbers in brackets.
struct Group {
  vfloat *w1, *w2;        // (inputs, hidden), (hidden, outputs)
  vfloat *w1_copy;        // (inputs, hidden), what a snapshot writes out
  vfloat *h, *g1, *e;     // (hidden,): sigmoid(x W1); rate * d1, not yet applied; rate * d2 W2' of some outputs
  vfloat *g2;             // (outputs,): rate * d2
  vfloat *before, *now;   // (inputs,), Primal: the sample of the update not yet applied and the one to come
  vfloat *p, *a;          // (samples, hidden), Dual; see a_size() for a
  vfloat *waiting;        // (STEPS, hidden) and LANES unused, Dual: updates not yet applied; g1 is one of its rows
};

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

// Both forms: draw() makes a sample of each lane's random number r, floor(r * samples / 2^32), biased by less than
// samples / 2^32; classes() gives the class of each lane's sample; forward() leaves sigmoid(x W1) in group.h; maintain() is
// called before each step; copy_w1() gives W1 with all updates so far.

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
