// Vectors of doubles, and the law of one cell on them.
#pragma once
#include <math.h>

#include "circuit/circuit_kernels.hpp"
#include "common/simd.hpp"

namespace fewlevels::FEWLEVELS_ISA {

constexpr int WIDE = LANES / 2;
typedef double vdouble __attribute__((vector_size(8 * WIDE)));
typedef int64_t vlong __attribute__((vector_size(8 * WIDE)));
typedef double loose __attribute__((vector_size(8 * WIDE), aligned(8), may_alias));  // in memory, not aligned

ALWAYS_INLINE vdouble all(double value) { return value - vdouble{}; }
ALWAYS_INLINE vdouble load(const double* from) { return *(const loose*)from; }
ALWAYS_INLINE void store(double* to, vdouble value) { *(loose*)to = value; }
ALWAYS_INLINE vdouble magnitude(vdouble x) { return (vdouble)((vlong)x & INT64_MAX); }
ALWAYS_INLINE vdouble larger(vdouble x, vdouble y) { return x > y ? x : y; }
ALWAYS_INLINE bool any(vlong mask) {
  int64_t found = 0;
  for (int lane = 0; lane < WIDE; ++lane) found |= mask[lane];
  return found != 0;
}
ALWAYS_INLINE double sum(vdouble x) {
  double total = 0.0;
  for (int lane = 0; lane < WIDE; ++lane) total += x[lane];
  return total;
}

constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
constexpr double SHIFT = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the low bits

// exp(x) for |x| <= 700, within 2 ulp: 2^n times the Taylor polynomial of degree 13 on |f| <= ln(2) / 2.
ALWAYS_INLINE vdouble exponential(vdouble x) {
  const vdouble rounded = x * 1.4426950408889634 + SHIFT;
  const vdouble n = rounded - SHIFT;
  const vdouble f = (x - n * LN2_HIGH) - n * LN2_LOW;
  vdouble p = f * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
  p = p * f + 1.0 / 39916800.0;
  p = p * f + 1.0 / 3628800.0;
  p = p * f + 1.0 / 362880.0;
  p = p * f + 1.0 / 40320.0;
  p = p * f + 1.0 / 5040.0;
  p = p * f + 1.0 / 720.0;
  p = p * f + 1.0 / 120.0;
  p = p * f + 1.0 / 24.0;
  p = p * f + 1.0 / 6.0;
  p = p * f + 0.5;
  p = p * f + 1.0;
  p = p * f + 1.0;
  return (vdouble)((vlong)p + ((vlong)rounded << 52));
}

// 1 / (1 + exp(-x)), within 3e-305 of it where |x| > 700; NaN stays what it is.
ALWAYS_INLINE vdouble sigmoid(vdouble x) {
  const vdouble cut = x < -700.0 ? all(-700.0) : x > 700.0 ? all(700.0) : x;
  return x == x ? 1.0 / (1.0 + exponential(-cut)) : x;
}

// ln(x) for positive normal x, within 1 ulp (the polynomial of fdlibm's e_log.c, Sun Microsystems 1993).
ALWAYS_INLINE vdouble logarithm(vdouble x) {
  const int64_t half = 0x3fe6a09e00000000;  // sqrt(1/2)
  const vlong k = ((vlong)x - half) >> 52;
  const vdouble n = (vdouble)(k + 0x4338000000000000) - SHIFT;
  const vlong low = k << 52;
  const vdouble f = (vdouble)((vlong)x - low) - 1.0;
  const vdouble s = f / (2.0 + f), z = s * s, w = z * z;
  const vdouble t1 = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const vdouble t2 = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 +
                     w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  const vdouble square = 0.5 * f * f;
  return n * LN2_HIGH - ((square - (s * (square + t1 + t2) + n * LN2_LOW)) - f);
}

// A first guess of the Wright omega function, w + ln w = z (Lawrence, Corless & Jeffrey, ACM TOMS 38, 2012).
ALWAYS_INLINE vdouble omega_guess(vdouble z) {
  const vlong small = z < 1.0;
  const vdouble w = exponential(z < -2.0 ? z : (small ? (2.0 / 3.0) * (z - 1.0) : all(0.0)));
  const vdouble log_z = logarithm(small ? all(1.0) : z);
  return small ? w : z - log_z;
}

// What of the cell law does not depend on the voltage. With a diode siemens is 1 / R over a. An open cell, of 0 S, has
// siemens, scale, gain and leak of 0.
struct Cell {
  vdouble siemens;  // 1 / R, of the device and the series resistance together
  vdouble scale, k, inverse_k, offset, gain, leak;
};

ALWAYS_INLINE Cell prepare(const CellLaw& law, vdouble conductance) {
  constexpr double LARGEST_K = 1e100;    // where the diode has long ceased to matter
  constexpr double SMALLEST_K = 1e-290;  // below it the logarithm of w / k would overflow: NaN, so not converged
  constexpr double NEXT_TO_OPEN = 1e-290;
  Cell c;
  c.siemens = conductance;
  if (law.series_ohm > 0.0) {
    const vdouble both = 1.0 / (1.0 / conductance + law.series_ohm);
    c.siemens = conductance > NEXT_TO_OPEN ? both : conductance;
  }
  if (law.slope_volt > 0.0) {
    const vdouble a_n_vt_over_r = (c.siemens + law.gmin_siemens) * law.slope_volt, inverse = 1.0 / a_n_vt_over_r;
    c.scale = c.siemens > 0.0 ? c.siemens * inverse : vdouble{};
    c.k = law.saturation_ampere * inverse;
    const vlong large = c.k > LARGEST_K;
    c.inverse_k = large ? all(1.0 / LARGEST_K) : a_n_vt_over_r * (1.0 / law.saturation_ampere);
    c.k = large ? all(LARGEST_K) : (c.k > SMALLEST_K ? c.k : all(NAN));
    c.offset = c.k + logarithm(c.k);
    c.gain = law.slope_volt * c.siemens;
    c.leak = (law.gmin_siemens * law.slope_volt) * c.scale;
    c.siemens = c.gain * c.scale;
  }
  return c;
}

// By what a step of Fritsch, Shafer & Crowley's fourth-order iteration moves w where z - w - ln w is r.
ALWAYS_INLINE vdouble omega_step(vdouble w, vdouble r) {
  const vdouble wp1 = w + 1.0, a = 2.0 * wp1 * (wp1 + (2.0 / 3.0) * r);
  return w * (r * (a - r) / (wp1 * (a - 2.0 * r)));
}

// Current and derivative. With a = 1 + gmin R, x = V / (a n Vt) and k = R Is / (a n Vt), the diode's voltage y n Vt
// solves d + y = x, d = k (exp(y) - 1), and I = n Vt d / R + gmin V / a. Nothing is lost at small voltages, because d
// is what is looked for, not w = k + d, the Wright omega function of z = x + k + ln k: d + ln(1 + d / k) = x. Far in
// reverse, where w is small beside k, its own logarithm is taken instead. Two steps reach double precision.
ALWAYS_INLINE void evaluate(const CellLaw& law, const Cell& c, vdouble volt, vdouble* ampere, vdouble* siemens) {
  if (law.slope_volt > 0) {
    const vdouble x = volt * c.scale, z = larger(x + c.offset, all(-700.0));
    const vlong near = magnitude(x) <= 0.25 + 0.25 * c.k;  // near enough to 0 V to start there
    vdouble w = near ? c.k : omega_guess(z), d = w - c.k;
    vdouble step = omega_step(w, near ? x : (z - w) - logarithm(w));
    w += step, d += step;
    const vdouble t = d * c.inverse_k;
    const vlong back = t < -0.5;
    const vdouble to = back ? w : 1.0 + t, lost = t < 1.0 ? t - (to - 1.0) : vdouble{};  // in the rounding of 1 + t
    const vdouble log_to = logarithm(to);
    step = omega_step(w, back ? (z - w) - log_to : (x - d) - (log_to + lost));
    w += step, d += step;
    *ampere = c.gain * d + c.leak * volt;
    *siemens = c.siemens * (w / (1.0 + w)) + c.leak;
  } else {
    *ampere = c.siemens * volt;
    *siemens = c.siemens;
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
