// Layers with the quantized weights of the setting at hand, each made when it is first asked for. One output a lane.
#pragma once
#include "common/doubles.hpp"
#include "quantization/screening_settings.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

class Layers {
 public:
  Layers(const Screening& screening, const Settings& settings, Arena& arena) : c(screening) {
    int64_t total = 0;
    for (int64_t l = 0; l < c.layers; ++l) total += c.sizes[l] * vectors(c.sizes[l + 1]);
    begin = arena.take<int64_t>(c.layers), column = arena.take<int64_t>(c.layers), made = arena.take<bool>(c.layers);
    rank = arena.take<vdouble>(total), weight = arena.take<vdouble>(total);
    jump = arena.take<vdouble>(settings.most_cuts + 1), from = arena.take<vdouble>(settings.most_cuts);
    if (!arena.memory) return;
    for (int64_t l = 0, at = 0, k = 0; l < c.layers; ++l) {
      begin[l] = at, column[l] = k;
      at += c.sizes[l] * vectors(c.sizes[l + 1]), k += c.sizes[l + 1];
    }
  }

  void start_model(int64_t model) {
    const double* given = c.rank + model * c.weights;
    for (int64_t l = 0; l < c.layers; ++l)
      for (int64_t i = 0; i < c.sizes[l]; ++i) {
        const int64_t units = c.sizes[l + 1], width = vectors(units);
        double* const row = (double*)(rank + begin[l] + i * width);
        for (int64_t j = 0; j < units; ++j) row[j] = given[j];
        for (int64_t j = units; j < width * WIDE; ++j) row[j] = 0.0;
        given += units;
      }
  }

  void start_setting(const Setting& setting) {
    one = &setting;
    for (int64_t l = 0; l < c.layers; ++l) made[l] = false;
  }

  // out = in W for layer l, (vectors of its units * WIDE,); what lies past the last unit means nothing.
  ALWAYS_INLINE void apply(int64_t l, const double* in, double* out) {
    if (!made[l]) make(l);
    const vdouble* const w = weight + begin[l];
    const int64_t rows = c.sizes[l], width = vectors(c.sizes[l + 1]);
    if (width == 3) return product<3>(in, w, rows, width, out);
    if (width == 2) return product<2>(in, w, rows, width, out);
    for (int64_t v = 0; v < width; ++v) product<1>(in, w + v, rows, width, out + v * WIDE);
  }

 private:
  const Screening& c;
  const Setting* one;
  int64_t *begin, *column;  // (layers,): where a layer begins in `weight`, and its first column
  bool* made;               // (layers,)
  vdouble *rank, *weight;   // each layer (inputs, vectors of units)
  vdouble *jump, *from;     // of the units of one vector: the first level and its jumps, and the positions of these

  template <int N>
  ALWAYS_INLINE static void product(const double* in, const vdouble* w, int64_t rows, int64_t width, double* out) {
    vdouble even[N] = {}, odd[N] = {};
    int64_t i = 0;
    for (; i + 1 < rows; i += 2)
      for (int n = 0; n < N; ++n) {
        even[n] += in[i] * w[i * width + n];
        odd[n] += in[i + 1] * w[(i + 1) * width + n];
      }
    if (i < rows)
      for (int n = 0; n < N; ++n) even[n] += in[i] * w[i * width + n];
    for (int n = 0; n < N; ++n) store(out + n * WIDE, even[n] + odd[n]);
  }

  void make(int64_t l) {
    const int64_t rows = c.sizes[l], units = c.sizes[l + 1], width = vectors(units);
    const int32_t* const group = c.group + column[l];
    for (int64_t v = 0; v < width; ++v) {
      if (v == 0 || group[0] != group[units - 1]) take_cuts(group, units, v);
      int64_t at = begin[l] + v, i = 0;
      for (; i + 5 <= rows; i += 5, at += 5 * width) quantize<5>(at, width);
      for (; i < rows; ++i, at += width) quantize<1>(at, width);
    }
    made[l] = true;
  }

  void take_cuts(const int32_t* group, int64_t units, int64_t v) {
    if (group[0] == group[units - 1]) {
      const double* const level = one->levels_of(group[0]);
      const int32_t* const position = one->positions_of(group[0]);
      for (int64_t k = 0; k <= one->cuts; ++k) jump[k] = all(level[k]);
      for (int64_t k = 0; k < one->cuts; ++k) from[k] = all((double)position[k]);
      return;
    }
    for (int64_t lane = 0; lane < WIDE; ++lane) {
      const int64_t unit = v * WIDE + lane < units ? v * WIDE + lane : units - 1;
      for (int64_t k = 0; k <= one->cuts; ++k) jump[k][lane] = one->levels_of(group[unit])[k];
      for (int64_t k = 0; k < one->cuts; ++k) from[k][lane] = (double)one->positions_of(group[unit])[k];
    }
  }

  // N rows of one vector of units.
  template <int N>
  ALWAYS_INLINE void quantize(int64_t at, int64_t width) {
    vdouble value[N], own[N];
    for (int i = 0; i < N; ++i) own[i] = magnitude(rank[at + i * width]), value[i] = jump[0];
    for (int64_t k = 0; k < one->cuts; ++k) {
      const vdouble step = jump[k + 1], position = from[k];
      for (int i = 0; i < N; ++i) value[i] += own[i] > position ? step : vdouble{};
    }
    for (int i = 0; i < N; ++i)
      weight[at + i * width] = (vdouble)((vlong)value[i] ^ ((vlong)rank[at + i * width] & INT64_MIN));
  }
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
