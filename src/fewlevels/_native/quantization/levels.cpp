// Quantizers' inner loops: the level of each weight, optimal one-dimensional k-means, the best levels of a table.
//
// Both optima are dynamic programmes over the sorted weights, with the squared error of a run of weights found at once
// (Runs). For k-means the best last cut moves only forward with the end of the run, which divide and conquer uses
// (Groenlund et al., arXiv:1701.07204, 2017): O(values log values) for each number of clusters.
#include <math.h>

#include "common/simd.hpp"
#include "quantization/quantization_kernels.hpp"

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

// least[j] = min over i in [low, high] of before[i] + error of i .. j - 1, for every j in [begin, end).
void divide(const Runs& runs, const double* before, double* least, int32_t* cut, int64_t begin, int64_t end,
            int64_t low, int64_t high) {
  if (begin >= end) return;
  const int64_t j = (begin + end) / 2;
  double best = INFINITY;
  int64_t best_cut = low;
  for (int64_t i = low; i <= high && i <= j; ++i) {
    const double error = before[i] + runs.around_mean(i, j);
    if (error < best) best = error, best_cut = i;
  }
  least[j] = best;
  cut[j] = (int32_t)best_cut;
  divide(runs, before, least, cut, begin, j, low, best_cut);
  divide(runs, before, least, cut, j + 1, end, best_cut, high);
}

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

constexpr int64_t BLOCK = 64;

// What n <= BLOCK weights are compared by, and the index of the level that each falls in.
struct Block {
  double compared[BLOCK];
  int64_t index[BLOCK];
  ALWAYS_INLINE void take(const Assignment& a, const double* weight, const double* threshold, int64_t n) {
    for (int64_t i = 0; i < n; ++i) compared[i] = a.magnitudes ? fabs(weight[i]) : weight[i], index[i] = 0;
    for (int64_t k = 0; k + 1 < a.levels; ++k) {
      const double t = threshold[k];
      for (int64_t i = 0; i < n; ++i) index[i] += compared[i] > t;
    }
  }
};

void take_means(const Assignment& a, const double* weight, const double* threshold, double* level, double* scratch) {
  double *const sum = scratch, *const count = scratch + a.levels;
  for (int64_t k = 0; k < a.levels; ++k) sum[k] = count[k] = 0.0;
  Block block;
  for (int64_t begin = 0; begin < a.weights; begin += BLOCK) {
    const int64_t n = a.weights - begin < BLOCK ? a.weights - begin : BLOCK;
    block.take(a, weight + begin, threshold, n);
    for (int64_t i = 0; i < n; ++i) sum[block.index[i]] += block.compared[i], count[block.index[i]] += 1.0;
  }
  for (int64_t k = 1; k < a.levels; ++k)
    if (count[k] > 0.0) level[k] = sum[k] / count[k];
}

}  // namespace

int64_t assign_scratch(const Assignment& a) { return 2 * a.levels * (int64_t)sizeof(double); }

void assign(const Assignment& a, void* scratch) {
  for (int64_t model = 0; model < a.models; ++model) {
    const double* weight = a.weight + model * a.weights;
    double* level = a.level + model * a.levels;
    const double* threshold = a.threshold + model * (a.levels - 1);
    if (a.means) take_means(a, weight, threshold, level, (double*)scratch);
    double error = 0.0;
    Block block;
    const double* compared = block.compared;
    const int64_t* index = block.index;
    for (int64_t begin = 0; begin < a.weights; begin += BLOCK) {
      const int64_t n = a.weights - begin < BLOCK ? a.weights - begin : BLOCK;
      double chosen[BLOCK];
      block.take(a, weight + begin, threshold, n);
      for (int64_t i = 0; i < n; ++i) chosen[i] = level[index[i]];
      if (a.squared_error)
        for (int64_t i = 0; i < n; ++i) error += (compared[i] - chosen[i]) * (compared[i] - chosen[i]);
      if (a.value) {
        double* const value = a.value + model * a.weights + begin;
        for (int64_t i = 0; i < n; ++i) value[i] = a.magnitudes ? copysign(chosen[i], weight[begin + i]) : chosen[i];
      }
      if (a.assignment)
        for (int64_t i = 0; i < n; ++i) a.assignment[model * a.weights + begin + i] = index[i];
    }
    if (a.squared_error) a.squared_error[model] = error;
  }
}

int64_t clustering_scratch(const Clustering& c) {
  const int64_t n = c.values;
  return (int64_t)sizeof(double) * 2 * (Runs::depths(n) * n + n + 1) + (int64_t)sizeof(int32_t) * c.clusters * (n + 1);
}

void cluster(const Clustering& c, void* scratch) {
  const int64_t n = c.values;
  const int64_t table = Runs::depths(n) * n;
  Runs runs{n, nullptr, (double*)scratch, (double*)scratch + table};
  double* const numbers = (double*)scratch + 2 * table;
  int32_t* const cuts = (int32_t*)(numbers + 2 * (n + 1));  // (clusters, n + 1)
  for (int64_t model = 0; model < c.models; ++model) {
    const double* sorted = c.sorted + model * n;
    runs.take(sorted);
    double *before = numbers, *least = numbers + (n + 1);
    for (int64_t j = 0; j <= n; ++j) least[j] = runs.around_mean(0, j), cuts[j] = 0;
    for (int64_t k = 1; k <= c.clusters; ++k) {
      int32_t* const cut = cuts + (k - 1) * (n + 1);
      if (k > 1) {
        double* const swapped = before;
        before = least;
        least = swapped;
        // Only the whole row matters for the last number of clusters.
        if (k == c.clusters) divide(runs, before, least, cut, n, n + 1, 0, n);
        else divide(runs, before, least, cut, 0, n + 1, 0, n);
      }
      if (c.rows == 1 && k < c.clusters) continue;
      double* const centre = c.centre + (model * c.rows + (c.rows == 1 ? 0 : k - 1)) * c.clusters;
      int64_t end = n, written = c.clusters;
      for (int64_t m = k; m >= 1; --m) {  // from the last cluster to the first; empty ones are left out
        const int64_t begin = m == 1 ? 0 : cuts[(m - 1) * (n + 1) + end];
        if (begin < end) {  // within its own values, so that centres ascend however means are rounded
          const double mean = fmax(runs.mean_of(begin, end), sorted[begin]);
          centre[--written] = fmin(mean, sorted[end - 1]);
        }
        end = begin;
      }
      const int64_t found = c.clusters - written;
      for (int64_t m = 0; m < c.clusters; ++m) centre[m] = m < found ? centre[written + m] : centre[found - 1];
    }
  }
}

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
