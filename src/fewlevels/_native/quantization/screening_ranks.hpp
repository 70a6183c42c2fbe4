// Magnitudes that share levels, in ascending order: how many lie below a threshold, and the mean of any that follow.
#pragma once
#include <math.h>

#include "common/arena.hpp"
#include "common/doubles.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

struct Ranks {
  int32_t n, buckets, reach;  // reach: a power of two; no bucket holds as many magnitudes as twice that
  double* ordered;            // (2 n + 2,), infinite after the last
  double* sum;                // (n + 1,)
  int32_t* start;             // (buckets + 1,), the first magnitude of a bucket
  double factor;              // from magnitude to bucket

  void take_memory(int64_t magnitudes, Arena& arena) {
    n = (int32_t)magnitudes;
    buckets = n < 64 ? 256 : n < 16384 ? 8 * n : 131072;
    ordered = arena.take<double>(2 * n + 2), sum = arena.take<double>(n + 1);
    start = arena.take<int32_t>(buckets + 1);
  }
  ALWAYS_INLINE int32_t bucket(double magnitude) const {
    const double b = magnitude * factor, above = b > 0.0 ? b : 0.0, most = (double)buckets;
    return (int32_t)(above < most ? above : most);
  }
  void take(const double* magnitudes) {
    sum[0] = 0.0;
    for (int32_t i = 0; i < n; ++i) {
      ordered[i] = magnitudes[i];
      sum[i + 1] = sum[i] + magnitudes[i];
    }
    for (int32_t i = n; i < 2 * n + 2; ++i) ordered[i] = INFINITY;
    factor = ordered[n - 1] > 0.0 ? (double)buckets / ordered[n - 1] : 0.0;
    int32_t next = 0, most = 1, last = 0;
    for (int32_t i = 0; i < n; ++i) {
      const int32_t b = bucket(ordered[i]);
      if (next > b) continue;
      for (; next <= b; ++next) start[next] = i;
      most = i - last > most ? i - last : most;
      last = i;
    }
    for (; next <= buckets; ++next) start[next] = n;
    most = n - last > most ? n - last : most;
    for (reach = 1; 2 * reach - 1 < most; reach *= 2) {}
  }
  // How many magnitudes are at most each threshold.
  template <class Threshold>
  ALWAYS_INLINE void positions(int64_t thresholds, const Threshold& threshold, int32_t* found) const {
    if (reach == 1) return positions_within<1>(thresholds, threshold, found);
    if (reach == 2) return positions_within<2>(thresholds, threshold, found);
    if (reach == 4) return positions_within<4>(thresholds, threshold, found);
    positions_within<0>(thresholds, threshold, found);
  }

 private:
  template <int REACH, class Threshold>
  ALWAYS_INLINE void positions_within(int64_t thresholds, const Threshold& threshold, int32_t* found) const {
    const Ranks r = *this;  // so that the compiler knows that nothing of it changes
    for (int64_t i = 0; i < thresholds; ++i) {
      const double t = threshold(i);
      const int32_t from = r.start[r.bucket(t)];
      if constexpr (REACH > 0) found[i] = advance<REACH>(r.ordered, from, t);
      else found[i] = r.advance_any(from, t);
    }
  }
  template <int STEP>
  ALWAYS_INLINE static int32_t advance(const double* ordered, int32_t p, double threshold) {
    p += STEP * (int32_t)(ordered[p + STEP - 1] <= threshold);
    if constexpr (STEP > 1) return advance<STEP / 2>(ordered, p, threshold);
    return p;
  }
  ALWAYS_INLINE int32_t advance_any(int32_t p, double threshold) const {
    for (int32_t step = reach; step; step >>= 1) p += step * (int32_t)(ordered[p + step - 1] <= threshold);
    return p;
  }
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
