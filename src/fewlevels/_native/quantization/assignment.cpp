// The level of each weight, by thresholds between levels.
#include <math.h>

#include "quantization/quantization_kernels.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

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

}  // namespace fewlevels::FEWLEVELS_ISA
