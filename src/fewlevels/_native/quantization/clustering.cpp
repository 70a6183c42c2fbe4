// Optimal one-dimensional k-means, by dynamic programming over the sorted weights.
//
// The best last cut moves only forward with the end of the run, which divide and conquer uses (Groenlund et al.,
// arXiv:1701.07204, 2017): O(values log values) for each number of clusters.
#include <math.h>

#include "quantization/quantization_kernels.hpp"
#include "quantization/runs.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

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

}  // namespace

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

}  // namespace fewlevels::FEWLEVELS_ISA
