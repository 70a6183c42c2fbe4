// The levels of a table that represent weights best, by dynamic programming over the table's entries.
#include <math.h>

#include "quantization/quantization_kernels.hpp"
#include "quantization/runs.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// The first of sorted values begin .. end - 1 that is above `value`; end where none is.
ALWAYS_INLINE int64_t first_above(const double* sorted, int64_t begin, int64_t end, double value) {
  int64_t n = end - begin;
  while (n > 0) {
    const int64_t half = n / 2;
    const bool below = !(sorted[begin + half] > value);
    begin = below ? begin + half + 1 : begin;
    n = below ? n - half - 1 : half;
  }
  return begin;
}

}  // namespace

int64_t choice_scratch(const Choice& c) {
  return (int64_t)sizeof(double) * (2 * Runs::depths(c.values) * c.values + c.entries * (c.entries + 3)) +
         (int64_t)sizeof(int32_t) * (c.levels + 1) * c.entries;
}

void choose(const Choice& c, void* scratch) {
  const int64_t n = c.values, entries = c.entries;
  const int64_t table = Runs::depths(n) * n;
  Runs runs{n, nullptr, (double*)scratch, (double*)scratch + table};
  double* const value = (double*)scratch + 2 * table;  // (entries,), the table times the scale
  double* least = value + entries;                    // (entries,), error up to this entry when it is the last chosen
  double* before = least + entries;                   // (entries,)
  double* const between = before + entries;           // (entries, entries), error of the weights between two neighbours
  int32_t* const previous = (int32_t*)(between + entries * entries);  // (levels, entries)
  int32_t* const above = previous + c.levels * entries;               // (entries,), the first weight above an entry
  for (int64_t row = 0; row < c.models * c.scales; ++row) {
    const int64_t model = row / c.scales;
    const double* sorted = c.sorted + model * n;
    if (row % c.scales == 0) runs.take(sorted);
    for (int64_t i = 0; i < entries; ++i) {
      value[i] = c.table[i] * c.scale[row];
      above[i] = (int32_t)first_above(sorted, i ? above[i - 1] : 0, n, value[i]);
    }
    for (int64_t i = 0; i < entries; ++i) {
      const int64_t from = above[i];
      int64_t middle = from;  // the first weight nearer to j than to i moves only forward with j
      least[i] = i ? INFINITY : runs.around(value[i], 0, from);  // the lowest is always chosen
      for (int64_t j = i + 1; j < entries; ++j) {
        const int64_t to = above[j];
        middle = first_above(sorted, middle, to, 0.5 * (value[i] + value[j]));
        between[i * entries + j] = runs.around(value[i], from, middle) + runs.around(value[j], middle, to);
      }
    }
    for (int64_t k = 1; k < c.levels; ++k) {
      double* const swapped = before;
      before = least;
      least = swapped;
      for (int64_t j = 0; j < entries; ++j) {
        least[j] = INFINITY;
        previous[k * entries + j] = 0;
        for (int64_t i = 0; i < j; ++i) {
          const double error = before[i] + between[i * entries + j];
          if (error < least[j]) least[j] = error, previous[k * entries + j] = (int32_t)i;
        }
      }
    }
    int64_t last = c.levels - 1;
    double best = INFINITY;
    for (int64_t i = c.levels - 1; i < entries; ++i) {
      const double error = least[i] + runs.around(value[i], above[i], n);
      if (error < best) best = error, last = i;
    }
    c.squared_error[row] = best;
    for (int64_t k = c.levels - 1; k >= 0; --k) {
      c.chosen[row * c.levels + k] = last;
      if (k) last = previous[k * entries + last];
    }
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
