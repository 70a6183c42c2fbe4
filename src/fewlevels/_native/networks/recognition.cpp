// Which samples do many networks recognise: the forward pass in double precision, one network per vector lane.
//
// A sample counts as recognised when the pre-activation of its own output is strictly the largest. The sigmoid does not
// change that order; leaving it out at the last layer keeps saturated outputs apart. A tie is not recognition, and
// outputs that differ by rounding only are a tie.
#include <math.h>

#include "common/doubles.hpp"
#include "networks/network_kernels.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

constexpr int64_t COLUMNS = 8;
constexpr double TIE = 1e-12;  // difference of two outputs that is a tie, relative to the largest sum of terms

// out[j] = sum_i in[i] w[i][j]; in is per lane, or the same for all lanes where `shared` is given.
ALWAYS_INLINE void product(const vdouble* in, const double* shared, const vdouble* w, vdouble* out, int64_t rows,
                           int64_t columns) {
  for (int64_t begin = 0; begin < columns; begin += COLUMNS) {
    const int64_t width = columns - begin < COLUMNS ? columns - begin : COLUMNS;
    vdouble sum[COLUMNS] = {};
    for (int64_t i = 0; i < rows; ++i) {
      if (shared && shared[i] == 0.0) continue;
      const vdouble value = shared ? all(shared[i]) : in[i];
      const vdouble* row = w + i * columns + begin;
      if (width == COLUMNS)
        for (int64_t j = 0; j < COLUMNS; ++j) sum[j] += value * row[j];
      else
        for (int64_t j = 0; j < width; ++j) sum[j] += value * row[j];
    }
    for (int64_t j = 0; j < width; ++j) out[begin + j] = sum[j];
  }
}

// sum_i |in[i]|
ALWAYS_INLINE vdouble sum_of_magnitudes(const vdouble* in, const double* shared, int64_t rows) {
  vdouble sum = {};
  for (int64_t i = 0; i < rows; ++i) {
    sum += magnitude(shared ? all(shared[i]) : in[i]);
  }
  return sum;
}

}  // namespace

int64_t recognition_scratch(const Recognition& r) {
  int64_t weights = 0, widest = 0;
  for (int64_t l = 0; l < r.layers; ++l) {
    weights += r.sizes[l] * r.sizes[l + 1];
    if (r.sizes[l + 1] > widest) widest = r.sizes[l + 1];
  }
  return (int64_t)sizeof(vdouble) * (weights + 2 * widest);
}

void recognise(const Recognition& r, void* scratch) {
  vdouble* const weights = (vdouble*)scratch;
  int64_t total = 0;
  for (int64_t l = 0; l < r.layers; ++l) total += r.sizes[l] * r.sizes[l + 1];
  vdouble* const end = weights + total;
  for (int64_t first = 0; first < r.models; first += WIDE) {
    for (int lane = 0; lane < WIDE; ++lane) {
      const double* own = r.weights + (first + lane < r.models ? first + lane : r.models - 1) * total;
      for (int64_t i = 0; i < total; ++i) ((double*)(weights + i))[lane] = own[i];
    }
    int64_t widest = 0;
    for (int64_t l = 1; l <= r.layers; ++l) widest = r.sizes[l] > widest ? r.sizes[l] : widest;
    vdouble largest_weight = {};  // of the last layer
    for (const vdouble* w = end - r.sizes[r.layers - 1] * r.sizes[r.layers]; w < end; ++w)
      largest_weight = larger(largest_weight, magnitude(*w));
    for (int64_t s = 0; s < r.samples; ++s) {
      vdouble *in = end, *out = end + widest;
      const vdouble* w = weights;
      vdouble tie = {};
      for (int64_t l = 0; l < r.layers; ++l) {
        if (l + 1 == r.layers) tie = TIE * largest_weight * sum_of_magnitudes(in, l ? nullptr : r.x + s * r.sizes[0], r.sizes[l]);
        product(in, l ? nullptr : r.x + s * r.sizes[0], w, out, r.sizes[l], r.sizes[l + 1]);
        w += r.sizes[l] * r.sizes[l + 1];
        if (l + 1 < r.layers)
          for (int64_t j = 0; j < r.sizes[l + 1]; ++j) out[j] = sigmoid(out[j]);
        vdouble* swapped = in;
        in = out;
        out = swapped;
      }
      const vdouble own = in[r.y[s]];
      vdouble runner_up = all(-INFINITY);
      vlong largest = vlong{} - 1;
      for (int64_t k = 0; k < r.sizes[r.layers]; ++k) {
        if (k == r.y[s]) continue;
        runner_up = larger(runner_up, in[k]);
        largest &= own - in[k] > tie;
      }
      const vdouble margin = r.margin ? sigmoid(own) - sigmoid(runner_up) : vdouble{};
      for (int lane = 0; lane < WIDE && first + lane < r.models; ++lane) {
        r.recognised[(first + lane) * r.samples + s] = largest[lane] != 0;
        if (r.margin) r.margin[(first + lane) * r.samples + s] = margin[lane];
      }
    }
  }
}

}  // namespace fewlevels::FEWLEVELS_ISA
