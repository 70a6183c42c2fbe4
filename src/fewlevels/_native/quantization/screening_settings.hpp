// All settings of a quantizer at one number of levels on one network: their levels, and where these jump.
#pragma once
#include <math.h>

#include "quantization/quantization_kernels.hpp"
#include "quantization/screening_ranks.hpp"

namespace fewlevels::FEWLEVELS_ISA {
namespace {

// One setting. A weight is the first level of its group and all jumps at positions below its rank.
struct Setting {
  int64_t index, cuts;
  double* levels;      // (groups, cuts + 1), the first level and the jump at each position
  int32_t* positions;  // (groups, cuts)

  ALWAYS_INLINE const double* levels_of(int64_t group) const { return levels + group * (cuts + 1); }
  ALWAYS_INLINE const int32_t* positions_of(int64_t group) const { return positions + group * cuts; }
};

class Settings {
 public:
  int64_t most_cuts;     // at any number of levels
  int64_t cuts;          // of each group: levels less one
  double largest_level;  // in the unit of the weights
  double level_error;    // what rounding may leave in a level

  Settings(const Screening& screening, Arena& arena) : c(screening) {
    most_cuts = 0;
    for (int64_t i = 0; i < c.numbers; ++i) most_cuts = c.levels[i] - 1 > most_cuts ? c.levels[i] - 1 : most_cuts;
    for (slots = 2; slots < 2 * c.settings;) slots *= 2;
    ranks = arena.take<Ranks>(c.groups);
    reciprocal = arena.take<double>(c.weights + 1);
    position = arena.take<int32_t>(c.groups * most_cuts * c.settings);
    first_alike = arena.take<int32_t>(c.settings), slot = arena.take<int32_t>(slots);
    Ranks counted{};
    for (int64_t g = 0, column = 0, layer = 0, in_layer = 0; g < c.groups; ++g) {
      int64_t magnitudes = 0;
      for (; layer < c.layers && c.group[column] == g; ++column) {
        magnitudes += c.sizes[layer];
        if (++in_layer == c.sizes[layer + 1]) in_layer = 0, ++layer;
      }
      (arena.memory ? ranks[g] : counted).take_memory(magnitudes, arena);
    }
    if (!arena.memory) return;
    reciprocal[0] = 0.0;
    for (int64_t n = 1; n <= c.weights; ++n) reciprocal[n] = 1.0 / (double)n;
  }

  Setting memory_for_one(Arena& arena) const {
    return {0, 0, arena.take<double>(c.groups * (most_cuts + 1)), arena.take<int32_t>(c.groups * most_cuts)};
  }

  void start_model(int64_t of) {
    model = of;
    const double* magnitudes = c.ordered + model * c.weights;
    for (int64_t g = 0; g < c.groups; ++g) {
      ranks[g].take(magnitudes);
      magnitudes += ranks[g].n;
    }
  }

  void start_number(int64_t at) {
    number = at, cuts = c.levels[number] - 1;
    largest_level = level_error = 0.0;
    for (int64_t g = 0; g < c.groups; ++g) {
      find_positions(g);
      find_largest(g);
    }
    level_error += 4.0 * ULP * largest_level;
    for (int64_t s = 0; s < c.settings; ++s) first_alike[s] = (int32_t)s;
    if (cuts <= MOST_CUTS_ALIKE && (c.means || !cuts)) find_alike();
  }

  // The first setting that leads to the same weights, as far as that was looked for.
  int64_t first_like(int64_t setting) const { return first_alike[setting]; }

  void take(int64_t setting, Setting* one) const {
    one->index = setting, one->cuts = cuts;
    for (int64_t g = 0; g < c.groups; ++g) {
      const Ranks& r = ranks[g];
      const double scale = scale_of(g), *level = given_levels(g) + setting;
      const int32_t* const own = position + g * cuts * c.settings + setting;
      double* const jumps = one->levels + g * (cuts + 1);
      int32_t* const positions = one->positions + g * cuts;
      double last = level[0];
      jumps[0] = last * scale;
      for (int64_t k = 0; k < cuts; ++k) positions[k] = own[k * c.settings];
      for (int64_t k = 0; k < cuts; ++k) {
        const int64_t begin = positions[k], end = k + 1 < cuts ? positions[k + 1] : r.n;
        const double mean = (r.sum[end] - r.sum[begin]) * reciprocal[end - begin];  // 0 where it holds nothing
        const double value = c.means ? mean : level[(k + 1) * c.settings];
        jumps[k + 1] = (value - last) * scale;
        last = value;
      }
    }
  }

 private:
  const Screening& c;
  static constexpr int64_t MOST_CUTS_ALIKE = 2;  // with more cuts less than 3 % of settings are like another

  int64_t model, number, slots;
  Ranks* ranks;          // (groups,)
  double* reciprocal;    // (weights + 1,)
  int32_t* position;     // (groups, cuts, settings), where levels jump
  int32_t* first_alike;  // (settings,)
  int32_t* slot;         // (slots,), a setting or -1: a table by a hash of what makes its weights

  double scale_of(int64_t group) const { return c.scale[model * c.groups + group]; }
  int64_t given() const { return c.means ? 1 : cuts + 1; }
  // (given, settings)
  const double* given_levels(int64_t group) const {
    return c.level[number] + (model * c.groups + group) * given() * c.settings;
  }

  void find_positions(int64_t group) {
    const double* const level = given_levels(group);
    const double* const threshold =
        c.threshold[number] ? c.threshold[number] + (model * c.groups + group) * cuts * c.settings : nullptr;
    for (int64_t k = 0; k < cuts; ++k) {
      int32_t* const found = position + (group * cuts + k) * c.settings;
      if (threshold) {
        const double* const own = threshold + k * c.settings;
        ranks[group].positions(c.settings, [=](int64_t s) { return own[s]; }, found);
      } else {
        const double *const own = level + k * c.settings, *const above = own + c.settings;
        const auto halfway = [=](int64_t s) {  // below the upper level, even where no number lies between the two
          const double middle = 0.5 * (own[s] + above[s]);
          return middle == above[s] && own[s] < above[s] ? own[s] : middle;
        };
        ranks[group].positions(c.settings, halfway, found);
      }
    }
  }

  void find_largest(int64_t group) {
    const Ranks& r = ranks[group];
    const double *const lowest = given_levels(group), *const highest = lowest + (given() - 1) * c.settings;
    double largest = c.means ? r.ordered[r.n - 1] : 0.0;
    for (int64_t s = 0; s < c.settings; ++s) {
      largest = larger_of(largest, fabs(lowest[s]));
      largest = larger_of(largest, fabs(highest[s]));
    }
    largest_level = larger_of(largest_level, largest * scale_of(group));
    if (c.means) level_error = larger_of(level_error, (double)r.n * ULP * r.sum[r.n] * scale_of(group));
  }

  void find_alike() {
    for (int64_t i = 0; i < slots; ++i) slot[i] = -1;
    for (int64_t s = 0; s < c.settings; ++s) {
      int64_t at = (int64_t)(hash(s) & (uint64_t)(slots - 1));
      while (slot[at] >= 0 && !alike(slot[at], s)) at = (at + 1) & (slots - 1);
      if (slot[at] < 0) slot[at] = (int32_t)s;
      first_alike[s] = slot[at];
    }
  }
  uint64_t hash(int64_t setting) const {
    uint64_t mixed = 0;
    const auto mix = [&](uint64_t bits) { mixed = (mixed ^ bits) * 0x9e3779b97f4a7c15, mixed ^= mixed >> 32; };
    for (int64_t i = 0; i < c.groups * cuts; ++i) mix((uint64_t)position[i * c.settings + setting]);
    for (int64_t g = 0; g < c.groups; ++g) {
      uint64_t bits;
      __builtin_memcpy(&bits, given_levels(g) + setting, sizeof bits);
      mix(bits);
    }
    return mixed;
  }
  bool alike(int64_t one, int64_t other) const {
    for (int64_t i = 0; i < c.groups * cuts; ++i)
      if (position[i * c.settings + one] != position[i * c.settings + other]) return false;
    for (int64_t g = 0; g < c.groups; ++g)
      if (given_levels(g)[one] != given_levels(g)[other]) return false;
    return true;
  }

  static double larger_of(double a, double b) { return a > b ? a : b; }
};

}  // namespace
}  // namespace fewlevels::FEWLEVELS_ISA
