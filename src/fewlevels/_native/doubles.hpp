// Vectors of doubles, and the law of one cell on them.
#pragma once
#include "circuit_kernels.hpp"
#include "simd.hpp"

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

// The Wright omega function w + ln w = z of a real z (Lawrence, Corless & Jeffrey, ACM TOMS 38, 2012): two steps of
// Fritsch, Shafer & Crowley's fourth-order iteration reach double precision from these first guesses.
ALWAYS_INLINE vdouble wright_omega(vdouble z) {
  z = larger(z, all(-700.0));
  const vlong small = z < 1.0;
  vdouble w = exponential(z < -2.0 ? z : (small ? (2.0 / 3.0) * (z - 1.0) : all(0.0)));
  const vdouble log_z = logarithm(small ? all(1.0) : z);
  w = small ? w : z - log_z + log_z / z;
  for (int step = 0; step < 2; ++step) {
    const vdouble r = (z - w) - logarithm(w);
    const vdouble wp1 = w + 1.0, a = 2.0 * wp1 * (wp1 + (2.0 / 3.0) * r);
    w += w * (r * (a - r) / (wp1 * (a - 2.0 * r)));
  }
  return w;
}

// What of the cell law does not depend on the voltage.
struct Cell {
  vdouble siemens;  // 1 / R, of the device and the series resistance together
  vdouble ohm, a, scale, k, offset;
};

ALWAYS_INLINE Cell prepare(const CellLaw& law, vdouble conductance) {
  Cell c;
  c.ohm = 1.0 / conductance + law.series_ohm;
  c.siemens = law.series_ohm > 0 ? 1.0 / c.ohm : conductance;
  if (law.slope_volt > 0) {
    c.a = 1.0 + law.gmin_siemens * c.ohm;
    c.scale = 1.0 / (c.a * law.slope_volt);
    c.k = c.ohm * law.saturation_ampere * c.scale;
    c.offset = c.k + logarithm(c.k);
  }
  return c;
}

// Current and derivative. With a = 1 + gmin R and w = omega((V + R Is) / (a n Vt) + ln(R Is / (a n Vt))), the diode
// has the voltage vd = (V + R Is) / a - n Vt w and the slope gd = a w / R + gmin; I = a n Vt w / R - Is + gmin vd.
ALWAYS_INLINE void evaluate(const CellLaw& law, const Cell& c, vdouble volt, vdouble* ampere, vdouble* siemens) {
  if (law.slope_volt > 0) {
    const vdouble w = wright_omega(volt * c.scale + c.offset);
    const vdouble diode_volt = law.slope_volt * (volt * c.scale + c.k - w);
    const vdouble slope = c.a * w * c.siemens + law.gmin_siemens;
    const vdouble current = (law.slope_volt * c.a) * (w - c.k) * c.siemens + law.gmin_siemens * diode_volt;
    *ampere = volt == 0.0 ? vdouble{} : current;  // no residue of rounding where nothing drives
    *siemens = slope / (1.0 + c.ohm * slope);
  } else {
    *ampere = c.siemens * volt;
    *siemens = c.siemens;
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
