// Which settings of a quantizer may be a network's best: all that a bound does not rule out.
//
// Of settings the best recognises most samples, then has the largest of smallest margins. A setting is given up as soon
// as what it can still reach lies below what another is sure of; the samples that ruled out others come first, so that
// most settings see one sample, and of that only its own output and the one that came nearest to it.
// Bounds allow for all rounding, here and in recognise(), whose word on the few settings that are left is the answer.
#include <math.h>

#include "quantization/screening_errors.hpp"
#include "quantization/screening_layers.hpp"
#include "quantization/screening_tables.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

struct Bound {
  int64_t count;
  double margin;
  ALWAYS_INLINE bool below(const Bound& other) const {
    return count < other.count || (count == other.count && margin < other.margin);
  }
};

class Screen {
 public:
  Screen(const Screening& screening, Arena& arena)
      : c(screening), settings(c, arena), tables(c, arena), pairs(c, arena), layers(c, settings, arena),
        errors(c, arena) {
    int64_t widest = 0;
    for (int64_t l = 0; l <= c.layers; ++l) widest = c.sizes[l] > widest ? c.sizes[l] : widest;
    outputs = c.sizes[c.layers];
    for (Setting& one : block) one = settings.memory_for_one(arena);
    signals = arena.take<double>(vectors(widest) * WIDE), next = arena.take<double>(vectors(widest) * WIDE);
    difference = arena.take<double>(vectors(widest) * WIDE);
    glanced = arena.take<double>(BLOCK * vectors(widest) * WIDE);
    own_outputs = arena.take<vdouble>(vectors(c.samples)), runners_up = arena.take<vdouble>(vectors(c.samples));
    order = arena.take<int32_t>(c.samples), rival = arena.take<int32_t>(c.samples);
    kept = arena.take<Kept>(c.settings);
    // Settings in a golden section's order: neighbours are much alike, and a rising row would have to be kept whole.
    for (stride = (int64_t)(0.618 * (double)c.settings) | 1; divisor(c.settings, stride) > 1;) stride += 2;
  }

  void run(int64_t model) {
    settings.start_model(model), tables.start_model(model), pairs.start_model(model), layers.start_model(model);
    for (int64_t s = 0; s < c.samples; ++s) order[s] = (int32_t)s, rival[s] = (int32_t)((c.y[s] + 1) % outputs);
    favourite = 0;
    for (int64_t i = 0; i < c.numbers; ++i) {
      settings.start_number(i), errors.start_number(settings);
      compare();
      bool* const contender = c.contender + (model * c.numbers + i) * c.settings;
      for (int64_t s = 0; s < c.settings; ++s) contender[s] = false;
      for (int64_t k = 0; k < keeping; ++k)
        if (!kept[k].upper.below(sure)) contender[kept[k].setting] = true;
    }
  }

 private:
  static constexpr int64_t BLOCK = 16;  // settings that are glanced at together

  struct Kept {
    int64_t setting;
    Bound upper;  // what it can reach
  };

  const Screening& c;
  Settings settings;
  SampleTables tables;
  PairTables pairs;
  Layers layers;
  Errors errors;
  Setting block[BLOCK];
  int64_t outputs, stride, favourite, keeping;
  double *signals, *next, *difference;  // (vectors of the widest layer * WIDE,)
  double* glanced;                      // (BLOCK, as many), signals of the settings of a block
  vdouble *own_outputs, *runners_up;    // (samples,), of the setting at hand
  int32_t *order, *rival;               // (samples,): the order of trying them; the output nearest to a sample's own
  Kept* kept;                           // (keeping,)
  Bound sure;                           // what some setting reaches
  double ahead_of_sure;                 // an own output less far ahead of another gives a smaller margin than that

  static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }

  void compare() {
    sure = {-1, -INFINITY}, ahead_of_sure = -INFINITY, keeping = 0;
    const int64_t begin_with = settings.first_like(favourite);
    settings.take(begin_with, &block[0]);
    judge(block[0]);
    for (int64_t i = 0, setting = 0; i < c.settings;) {
      int64_t n = 0;
      for (; n < BLOCK && i < c.settings; ++i, setting = (setting + stride) % c.settings)
        if (setting != begin_with && settings.first_like(setting) == setting) settings.take(setting, &block[n++]);
      Bound upper[BLOCK];
      glance(n, upper);
      for (int64_t b = 0; b < n; ++b)
        if (!upper[b].below(sure)) judge(block[b]);
    }
  }

  // What the first sample says of settings: first how far it lies ahead of its rival, without a branch, so that many
  // settings are under way at once. Only where a setting recognises all samples does one sample rule out most others.
  void glance(int64_t n, Bound* upper) {
    for (int64_t b = 0; b < n; ++b) upper[b] = {c.samples, INFINITY};
    const int64_t sample = order[0], own = c.y[sample], other = rival[sample], width = vectors(c.sizes[1]);
    if (sure.count < c.samples || c.layers != 2 || outputs == 1) return;
    if (!tables.available(sample) || !pairs.available(own, other)) return;
    const Table hidden = tables.of(sample), pair = pairs.of(own, other);
    if (!pairs.available(own, own)) return;
    const Table one = pairs.of(own, own);
    double ahead[BLOCK];
    const double error = 2.0 * errors.of_output(sample), slack = errors.of_margin(sample) + 2.0 * ROUGH;
    for (int64_t b = 0; b < n; ++b) {
      hidden.sums(block[b], c.group[0], signals);
      pair.sums(block[b], pairs.group, difference);
      vdouble total = {};
      for (int64_t v = 0; v < width; ++v) {
        const vdouble signal = rough_sigmoid(load(signals + v * WIDE));
        store(glanced + (b * width + v) * WIDE, signal);
        total += signal * load(difference + v * WIDE);
      }
      ahead[b] = sum(total);
    }
    for (int64_t b = 0; b < n; ++b) {
      upper[b].margin = -INFINITY;
      if (ahead[b] + error < ahead_of_sure) continue;
      one.sums(block[b], pairs.group, next);
      vdouble total = {}, both = {};
      for (int64_t v = 0; v < width; ++v) total += load(glanced + (b * width + v) * WIDE) * load(next + v * WIDE);
      both[0] = sum(total), both[1] = both[0] - ahead[b];
      both = rough_sigmoid(both);
      upper[b].margin = both[0] - both[1] + slack;
    }
  }

  // Keeps the setting, unless all outputs of the samples show that it is not the best.
  void judge(const Setting& one) {
    Bound upper{c.samples, INFINITY}, lower{0, INFINITY};
    bool bounded = true;
    layers.start_setting(one);
    for (int64_t at = 0; at < c.samples; ++at) {
      const int64_t sample = order[at], own = c.y[sample];
      const double* const output = forward(sample, one);
      const double own_output = output[own], runner_up = largest_but(own, output), ahead = own_output - runner_up;
      const double error = errors.of_output(sample);
      ((double*)own_outputs)[sample] = own_output, ((double*)runners_up)[sample] = runner_up;
      bounded = bounded && error < INFINITY && ahead == ahead;
      const bool failed = ahead < -2.0 * error;
      upper.count -= failed;
      lower.count += ahead > 2.0 * error + errors.tie(sample);
      const bool too_near = ahead + 2.0 * error < ahead_of_sure;
      const bool beaten = upper.count < sure.count || (upper.count == sure.count && too_near);
      if (failed || beaten) promote(at);
      if (beaten) return remember_rival(sample, output, runner_up);
    }
    for (int64_t v = 0; v < vectors(c.samples); ++v) runners_up[v] = sigmoid(own_outputs[v]) - sigmoid(runners_up[v]);
    for (int64_t s = 0; s < c.samples; ++s) {
      const double margin = ((const double*)runners_up)[s], slack = errors.of_margin(s);
      if (margin + slack < upper.margin) upper.margin = margin + slack;
      if (margin - slack < lower.margin) lower.margin = margin - slack;
    }
    if (upper.below(sure)) return;
    if (bounded && sure.below(lower)) surely(lower, one.index);
    kept[keeping++] = {one.index, upper};
  }

  // The outputs for a sample.
  ALWAYS_INLINE const double* forward(int64_t sample, const Setting& one) {
    if (tables.available(sample)) tables.of(sample).sums(one, c.group[0], signals);
    else layers.apply(0, c.x + sample * c.sizes[0], signals);
    for (int64_t l = 1; l < c.layers; ++l) {
      for (int64_t v = 0; v < vectors(c.sizes[l]); ++v)
        store(signals + v * WIDE, rough_sigmoid(load(signals + v * WIDE)));
      layers.apply(l, signals, next);
      double* const swapped = signals;
      signals = next;
      next = swapped;
    }
    return signals;
  }

  ALWAYS_INLINE double largest_but(int64_t own, const double* output) const {
    double most[WIDE];
    vdouble found = all(-INFINITY);
    for (int64_t v = 0; v < vectors(outputs); ++v) {
      const vlong number = unit_numbers() + v * WIDE;
      const vlong other = (number != own) & (number < outputs);
      found = larger(other ? load(output + v * WIDE) : all(-INFINITY), found);
    }
    store(most, found);
    for (int64_t n = WIDE / 2; n; n /= 2)
      for (int64_t i = 0; i < n; ++i) most[i] = most[i] > most[i + n] ? most[i] : most[i + n];
    return most[0];
  }
  ALWAYS_INLINE static vlong unit_numbers() {
    vlong number;
    for (int lane = 0; lane < WIDE; ++lane) number[lane] = lane;
    return number;
  }

  void remember_rival(int64_t sample, const double* output, double runner_up) {
    for (int64_t k = 0; k < outputs; ++k)
      if (k != c.y[sample] && output[k] == runner_up) rival[sample] = (int32_t)k;
  }

  void surely(const Bound& lower, int64_t setting) {
    sure = lower, favourite = setting;
    // At most tanh(ahead / 4): the sigmoid is steepest halfway between the two outputs.
    const double margin = lower.margin - 64.0 * ULP;
    ahead_of_sure = margin > 0.0 ? 4.0 * atanh(margin) * (1.0 - 8.0 * ULP) : -INFINITY;
  }

  // Lets the sample come earlier next time.
  ALWAYS_INLINE void promote(int64_t at) {
    const int32_t earlier = order[at / 2];
    order[at / 2] = order[at];
    order[at] = earlier;
  }
};

}  // namespace

int64_t screening_scratch(const Screening& c) {
  Arena arena{nullptr};
  Screen(c, arena);
  return arena.used;
}

void screen(const Screening& c, void* scratch) {
  Arena arena{(char*)scratch};
  Screen one(c, arena);
  for (int64_t model = 0; model < c.models; ++model) one.run(model);
}

}  // namespace fewlevels::FEWLEVELS_ISA
