// The Python face of the kernels that quantize and fine-tune: checks shapes, lets go of the lock, picks the set.
#include "bindings/binding.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <vector>

using namespace nb::literals;
using namespace fewlevels;

namespace {

void assign_levels(Array<const double, 2> weights, Array<double, 2> levels, Array<const double, 2> thresholds,
                   bool magnitudes, bool means, std::optional<Array<int64_t, 2>> assignment,
                   std::optional<Array<double, 2>> values, std::optional<Array<double, 1>> squared_error,
                   const std::string& isa) {
  Assignment a{};
  a.models = weights.shape(0), a.weights = weights.shape(1), a.levels = levels.shape(1);
  require((int64_t)levels.shape(0) == a.models && a.levels > 0, "levels must be (models, levels)");
  require((int64_t)thresholds.shape(0) == a.models && (int64_t)thresholds.shape(1) == a.levels - 1,
          "thresholds must be (models, levels - 1)");
  const auto fits = [&](const auto& array) {
    return !array || ((int64_t)array->shape(0) == a.models && (int64_t)array->shape(1) == a.weights);
  };
  require(fits(assignment) && fits(values) && (!squared_error || (int64_t)squared_error->shape(0) == a.models),
          "results do not fit");
  a.magnitudes = magnitudes, a.means = means, a.weight = weights.data(), a.level = levels.data(), a.threshold = thresholds.data();
  a.assignment = assignment ? assignment->data() : nullptr, a.value = values ? values->data() : nullptr;
  a.squared_error = squared_error ? squared_error->data() : nullptr;
#define RUN(set)                                                          \
  if (isa == #set) {                                                      \
    const std::unique_ptr<char[]> scratch(new char[set::assign_scratch(a)]); \
    const nb::gil_scoped_release release;                                 \
    return set::assign(a, scratch.get());                                 \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

void screen_settings(const std::vector<int64_t>& sizes, Array<const int32_t, 1> group, Array<const double, 2> rank,
                     Array<const double, 2> ordered, Array<const double, 2> scale, const std::vector<int64_t>& levels,
                     const std::vector<Array<const double, 4>>& level,
                     const std::vector<std::optional<Array<const double, 4>>>& threshold, bool means,
                     Array<const double, 2> x, Array<const int32_t, 1> y, Array<bool, 3> contender,
                     const std::string& isa) {
  Screening c{};
  c.models = rank.shape(0), c.weights = rank.shape(1), c.samples = x.shape(0), c.layers = (int64_t)sizes.size() - 1;
  c.groups = scale.shape(1), c.numbers = levels.size(), c.settings = contender.shape(2), c.means = means;
  require(c.layers >= 1 && *std::min_element(sizes.begin(), sizes.end()) > 0, "sizes must be positive");
  int64_t weights = 0, columns = 0;
  for (int64_t l = 0; l < c.layers; ++l) weights += sizes[l] * sizes[l + 1], columns += sizes[l + 1];
  require(c.weights == weights && (int64_t)group.shape(0) == columns, "weights or groups do not fit the sizes");
  for (int64_t k = 0; k < columns; ++k) {
    const int32_t before = k ? group.data()[k - 1] : -1, own = group.data()[k];
    require(own - before == 1 || (k && own == before), "groups must be numbered from 0 in the order of columns");
  }
  require(group.data()[columns - 1] + 1 == c.groups, "scale must be (models, groups)");
  require((int64_t)ordered.shape(0) == c.models && (int64_t)ordered.shape(1) == weights &&
              (int64_t)scale.shape(0) == c.models && (int64_t)contender.shape(0) == c.models &&
              (int64_t)contender.shape(1) == c.numbers && c.settings && (int64_t)level.size() == c.numbers &&
              (int64_t)threshold.size() == c.numbers, "magnitudes, levels or results do not fit");
  std::vector<const double*> own_level, own_threshold;
  for (int64_t i = 0; i < c.numbers; ++i) {
    const auto fits = [&](const auto& array, int64_t n) {
      return (int64_t)array.shape(0) == c.models && (int64_t)array.shape(1) == c.groups &&
             (int64_t)array.shape(2) == n && (int64_t)array.shape(3) == c.settings;
    };
    require(levels[i] >= 1 && fits(level[i], means ? 1 : levels[i]) &&
                (threshold[i] ? fits(*threshold[i], levels[i] - 1) : !means), "levels do not fit");
    own_level.push_back(level[i].data()), own_threshold.push_back(threshold[i] ? threshold[i]->data() : nullptr);
  }
  require((int64_t)x.shape(1) == sizes[0] && (int64_t)y.shape(0) == c.samples, "samples do not fit");
  for (int64_t s = 0; s < c.samples; ++s) require(y.data()[s] >= 0 && y.data()[s] < sizes.back(), "class out of range");
  c.sizes = sizes.data(), c.group = group.data(), c.rank = rank.data(), c.ordered = ordered.data();
  c.scale = scale.data(), c.levels = levels.data(), c.level = own_level.data(), c.threshold = own_threshold.data();
  c.x = x.data(), c.y = y.data(), c.contender = contender.data();
#define RUN(set)                                                             \
  if (isa == #set) {                                                         \
    const std::unique_ptr<char[]> scratch(new char[set::screening_scratch(c)]); \
    const nb::gil_scoped_release release;                                    \
    return set::screen(c, scratch.get());                                    \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

void cluster_rows(Array<const double, 2> sorted, Array<double, 3> centres, const std::string& isa) {
  Clustering c{};
  c.models = sorted.shape(0), c.values = sorted.shape(1), c.rows = centres.shape(1), c.clusters = centres.shape(2);
  require((int64_t)centres.shape(0) == c.models && c.values && c.clusters, "centres do not fit");
  require(c.rows == 1 || c.rows == c.clusters, "centres must hold one row, or one for each number of clusters");
  c.sorted = sorted.data(), c.centre = centres.data();
#define RUN(set)                                                              \
  if (isa == #set) {                                                          \
    const std::unique_ptr<char[]> scratch(new char[set::clustering_scratch(c)]); \
    const nb::gil_scoped_release release;                                     \
    return set::cluster(c, scratch.get());                                    \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

void choose_levels(Array<const double, 2> sorted, Array<const double, 1> table, Array<const double, 2> scale,
                   Array<int64_t, 3> chosen, Array<double, 2> squared_error, const std::string& isa) {
  Choice c{};
  c.models = sorted.shape(0), c.values = sorted.shape(1), c.entries = table.shape(0), c.levels = chosen.shape(2);
  c.scales = scale.shape(1);
  require((int64_t)scale.shape(0) == c.models && (int64_t)chosen.shape(0) == c.models &&
              (int64_t)chosen.shape(1) == c.scales && (int64_t)squared_error.shape(0) == c.models &&
              (int64_t)squared_error.shape(1) == c.scales, "scale or results do not fit");
  require(c.values && c.levels && c.levels <= c.entries, "levels must be 1 to the entries of the table");
  c.sorted = sorted.data(), c.table = table.data(), c.scale = scale.data();
  c.chosen = chosen.data(), c.squared_error = squared_error.data();
#define RUN(set)                                                          \
  if (isa == #set) {                                                      \
    const std::unique_ptr<char[]> scratch(new char[set::choice_scratch(c)]); \
    const nb::gil_scoped_release release;                                 \
    return set::choose(c, scratch.get());                                 \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

void quantized_gradient(const std::vector<int64_t>& sizes, Array<const float, 2> weights, Array<const float, 2> x,
                        Array<const int32_t, 1> y, bool cross_entropy, float noise, Array<uint32_t, 2> streams,
                        Array<float, 2> gradient, Array<int32_t, 1> recognised, const std::string& isa) {
  Gradient g{};
  g.models = weights.shape(0), g.samples = x.shape(0), g.layers = (int64_t)sizes.size() - 1;
  require(g.layers >= 1 && *std::min_element(sizes.begin(), sizes.end()) > 0, "sizes must be positive");
  int64_t n = 0;
  for (int64_t l = 0; l < g.layers; ++l) n += sizes[l] * sizes[l + 1];
  require((int64_t)weights.shape(1) == n && (int64_t)gradient.shape(1) == n, "weights do not fit the sizes");
  require((int64_t)gradient.shape(0) == g.models && (int64_t)recognised.shape(0) == g.models &&
              (int64_t)streams.shape(0) == g.models && streams.shape(1) == 4, "results do not fit");
  require((int64_t)x.shape(1) == sizes[0] && (int64_t)y.shape(0) == g.samples && g.samples, "samples do not fit");
  for (int64_t s = 0; s < g.samples; ++s) require(y.data()[s] >= 0 && y.data()[s] < sizes.back(), "class out of range");
  g.sizes = sizes.data(), g.weights = weights.data(), g.x = x.data(), g.y = y.data();
  g.cross_entropy = cross_entropy, g.noise = noise, g.streams = streams.data();
  g.gradient = gradient.data(), g.recognised = recognised.data();
#define RUN(set)                                                            \
  if (isa == #set) {                                                        \
    const std::unique_ptr<char[]> scratch(new char[set::gradient_scratch(g)]); \
    const nb::gil_scoped_release release;                                   \
    return set::gradient(g, scratch.get());                                 \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

void adam_step(Array<double, 2> latent, Array<const float, 2> gradient, Array<float, 2> first, Array<float, 2> second,
               Array<const double, 1> rate, Array<const int64_t, 1> step, const std::string& isa) {
  Adam a{};
  a.models = latent.shape(0), a.weights = latent.shape(1);
  const auto fits = [&](const auto& array) {
    return (int64_t)array.shape(0) == a.models && (int64_t)array.shape(1) == a.weights;
  };
  require(fits(gradient) && fits(first) && fits(second) && (int64_t)rate.shape(0) == a.models &&
              (int64_t)step.shape(0) == a.models, "gradient, moments, rate or step do not fit the weights");
  a.latent = latent.data(), a.gradient = gradient.data(), a.first = first.data(), a.second = second.data();
  a.rate = rate.data(), a.step = step.data();
#define RUN(set)                          \
  if (isa == #set) {                      \
    const nb::gil_scoped_release release; \
    return set::adam(a);                  \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

}  // namespace

void bind_levels(nb::module_& m) {
  m.def("assign_levels", &assign_levels, "weights"_a, "levels"_a, "thresholds"_a, "magnitudes"_a,
        "means"_a, "assignment"_a.none(), "values"_a.none(), "squared_error"_a.none(), "isa"_a, "The level of each weight.");
  m.def("screen", &screen_settings, "sizes"_a, "group"_a, "rank"_a, "ordered"_a, "scale"_a, "levels"_a, "level"_a,
        "threshold"_a, "means"_a, "x"_a, "y"_a, "contender"_a, "isa"_a,
        "The settings that may recognise best; see contenders.py.");
  m.def("cluster", &cluster_rows, "sorted"_a, "centres"_a, "isa"_a, "Optimal one-dimensional k-means of each row.");
  m.def("choose_levels", &choose_levels, "sorted"_a, "table"_a, "scale"_a, "chosen"_a, "squared_error"_a,
        "isa"_a,
        "The levels of a table, at each of its scales, that represent a row with least squared error.");
  m.def("quantized_gradient", &quantized_gradient, "sizes"_a, "weights"_a, "x"_a, "y"_a, "cross_entropy"_a, "noise"_a,
        "streams"_a, "gradient"_a, "recognised"_a, "isa"_a, "The direction that lowers the loss; see finetuning.py.");
  m.def("adam_step", &adam_step, "latent"_a, "gradient"_a, "first"_a, "second"_a, "rate"_a, "step"_a, "isa"_a,
        "Moves latent weights in place; see finetuning.py.");
}
