// Vectors of doubles, their exponential, sigmoid and logarithm.
#pragma once
#include <math.h>

#include "common/simd.hpp"

namespace fewlevels::FEWLEVELS_ISA {

constexpr int WIDE = LANES / 2;
constexpr double ULP = 2.220446049250313e-16;  // of 1
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

// Vectors that hold n numbers.
ALWAYS_INLINE int64_t vectors(int64_t n) { return (int64_t)((uint64_t)(n + WIDE - 1) / WIDE); }

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

}  // namespace fewlevels::FEWLEVELS_ISA
