// Each weight to the interval of the weight range that it falls in, and to that interval's level.
#include "quantization/quantization_kernels.hpp"

namespace fewlevels::FEWLEVELS_ISA {

void quantize(const Quantization& q, void*) {
  for (int64_t model = 0; model < q.models; ++model) {
    const double *weights = q.weights + model * q.n, *levels = q.levels + model * q.requested;
    int64_t* assignment = q.assignment + model * q.n;
    double* values = q.values + model * q.n;
    const double low = q.low[model], interval = q.interval[model];
    const int32_t last = (int32_t)q.requested - 1;
    for (int64_t i = 0; i < q.n; ++i) {
      const double value = q.magnitudes ? __builtin_fabs(weights[i]) : weights[i];
      const int32_t index = interval > 0 ? (int32_t)((value - low) / interval) : 0;
      assignment[i] = index < last ? index : last;
    }
    for (int64_t i = 0; i < q.n; ++i) {
      const double level = levels[assignment[i]];
      values[i] = q.magnitudes ? __builtin_copysign(level, weights[i]) : level;
    }
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
