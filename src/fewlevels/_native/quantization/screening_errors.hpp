// How far the outputs that are computed may lie from those of recognise(), rounding on both sides included.
#pragma once
#include <math.h>

#include "quantization/screening_settings.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// 1 / (1 + exp(-x)) within ROUGH: 2^n times the minimax polynomial of simd.hpp.
constexpr double ROUGH = 2e-7;
ALWAYS_INLINE vdouble rough_sigmoid(vdouble x) {
  vdouble t = x * -1.4426950408889634;
  t = t < -60.0 ? all(-60.0) : t;
  t = t > 60.0 ? all(60.0) : t;
  const vdouble rounded = t + SHIFT;
  const vdouble f = t - (rounded - SHIFT);
  vdouble p = f * 1.32647272e-3 + 9.67151269e-3;
  p = p * f + 5.55073374e-2;
  p = p * f + 2.40222421e-1;
  p = p * f + 6.93146978e-1;
  p = p * f + 1.0;
  return 1.0 / (1.0 + (vdouble)((vlong)p + ((vlong)rounded << 52)));
}

class Errors {
 public:
  Errors(const Screening& screening, Arena& arena) : c(screening), sum_of_inputs(arena.take<double>(c.samples)) {
    if (!arena.memory) return;
    for (int64_t s = 0; s < c.samples; ++s) {
      sum_of_inputs[s] = 0.0;
      for (int64_t i = 0; i < c.sizes[0]; ++i) sum_of_inputs[s] += fabs(c.x[s * c.sizes[0] + i]);
    }
  }

  void start_number(const Settings& settings) {
    largest_level = settings.largest_level;
    // Of a sum of so many weights times inputs up to 1, per weight.
    const auto rounding = [&](int64_t rows) { return 2.0 * (double)(rows + settings.cuts + 8) * ULP * largest_level; };
    of_inputs = settings.level_error + rounding(c.sizes[0]);
    of_outputs = 0.0;
    for (int64_t l = 1; l < c.layers; ++l) {  // the sigmoid rises by at most a quarter of its argument
      const double rows = (double)c.sizes[l];
      of_inputs *= 0.25 * rows * largest_level;
      of_outputs = rows * (largest_level * (0.25 * of_outputs + ROUGH) + settings.level_error + rounding(c.sizes[l]));
    }
  }

  ALWAYS_INLINE double of_output(int64_t sample) const { return of_inputs * sum_of_inputs[sample] + of_outputs; }
  ALWAYS_INLINE double of_margin(int64_t sample) const { return 0.5 * of_output(sample) + 64.0 * ULP; }
  // What recognise() takes for a tie.
  ALWAYS_INLINE double tie(int64_t sample) const {
    return 2e-12 * largest_level * (c.layers > 1 ? (double)c.sizes[c.layers - 1] : sum_of_inputs[sample]);
  }

 private:
  const Screening& c;
  double* sum_of_inputs;         // (samples,), of magnitudes
  double of_inputs, of_outputs;  // of an output: of_inputs times the sum of the sample's inputs, plus of_outputs
  double largest_level;
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
