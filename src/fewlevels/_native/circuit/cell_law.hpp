// The law of one cell, on vectors of doubles: one cell a lane.
#pragma once
#include <math.h>

#include "circuit/circuit_kernels.hpp"
#include "common/doubles.hpp"

namespace fewlevels::FEWLEVELS_ISA {

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
