// Runs of sorted values: the squared error and the mean of any of them.
#pragma once
#include <cstdint>

#include "common/instruction_set.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// The squared error and the mean of any run of sorted values, both to rounding, however far apart other values lie.
//
// Nothing is a difference of sums: for every size 2^depth, each value has the mean and the squared error of the run
// between it and the middle of its block of twice that size. The run from one half of a block to the other joins two of
// these (Chan, Golub & LeVeque, The American Statistician 37, 1983), by positive terms alone.
struct Runs {
  int64_t n;
  const double* sorted;
  double *mean, *square;  // (depths, n), the mean less the value in the block's middle

  static int64_t depths(int64_t n) {
    int64_t depth = 0;
    while (((int64_t)1 << depth) < n) ++depth;
    return depth;
  }
  void take(const double* values) {
    sorted = values;
    for (int64_t depth = 0; depth < depths(n); ++depth) {
      const int64_t half = (int64_t)1 << depth;
      for (int64_t middle = half; middle < n; middle += 2 * half) {
        grow(depth, middle, middle - 1, middle - half - 1, -1);
        grow(depth, middle, middle, middle + half < n ? middle + half : n, 1);
      }
    }
  }
  void grow(int64_t depth, int64_t middle, int64_t begin, int64_t end, int64_t step) {
    double mean_so_far = 0.0, error = 0.0, count = 0.0;
    for (int64_t i = begin; i != end; i += step) {
      const double value = sorted[i] - sorted[middle], before = value - mean_so_far;
      count += 1.0;
      mean_so_far += before / count;
      error += before * (value - mean_so_far);
      mean[depth * n + i] = mean_so_far;
      square[depth * n + i] = error;
    }
  }
  // Of values begin .. end - 1: the squared error against their mean, and their mean less one of them.
  struct Run {
    double error, mean, from;
  };
  ALWAYS_INLINE Run run(int64_t begin, int64_t end) const {
    const int64_t last = end - 1;
    if (begin == last) return {0.0, 0.0, sorted[begin]};
    const int64_t depth = 63 - __builtin_clzll((uint64_t)(begin ^ last)), middle = last >> depth << depth;
    const int64_t one = depth * n + begin, other = depth * n + last;
    const double left = (double)(middle - begin), right = (double)(end - middle), apart = mean[other] - mean[one];
    const double share = right / (left + right);
    return {square[one] + square[other] + apart * apart * left * share, mean[one] + apart * share, sorted[middle]};
  }
  ALWAYS_INLINE double around_mean(int64_t begin, int64_t end) const {
    return end - begin < 2 ? 0.0 : run(begin, end).error;
  }
  // The squared error against a given value.
  ALWAYS_INLINE double around(double value, int64_t begin, int64_t end) const {
    if (begin >= end) return 0.0;
    const Run own = run(begin, end);
    const double apart = (own.from - value) + own.mean;
    return own.error + apart * apart * (double)(end - begin);
  }
  ALWAYS_INLINE double mean_of(int64_t begin, int64_t end) const {
    const Run own = run(begin, end);
    return own.from + own.mean;
  }
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
