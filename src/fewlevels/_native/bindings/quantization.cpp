// The Python face of the kernels that quantize: checks shapes and runs them.
#include "bindings/binding.hpp"

#include <algorithm>

namespace {

void quantize_weights(Array<const double, 2> weights, Array<const double, 2> low, Array<const double, 2> interval,
                      Array<const double, 2> levels, bool magnitudes, Array<int64_t, 2> assignment,
                      Array<double, 2> values, const std::string& isa) {
  Quantization q{};
  q.models = weights.shape(0), q.n = weights.shape(1), q.requested = levels.shape(1), q.magnitudes = magnitudes;
  require(shaped(low, {q.models, 1}) && shaped(interval, {q.models, 1}), "one per model");
  require(shaped(levels, {q.models, q.requested}) && q.requested > 0, "levels must be (models, levels)");
  require(shaped(assignment, {q.models, q.n}) && shaped(values, {q.models, q.n}),
          "results must have the shape of the weights");
  q.weights = weights.data(), q.low = low.data(), q.interval = interval.data(), q.levels = levels.data();
  q.assignment = assignment.data(), q.values = values.data();
  run(&KernelSet::quantize, q, isa);
}

void assign_levels(Array<const double, 2> weights, Array<double, 2> levels, Array<const double, 2> thresholds,
                   bool magnitudes, bool means, std::optional<Array<int64_t, 2>> assignment,
                   std::optional<Array<double, 2>> values, std::optional<Array<double, 1>> squared_error,
                   const std::string& isa) {
  Assignment a{};
  a.models = weights.shape(0), a.weights = weights.shape(1), a.levels = levels.shape(1);
  require(shaped(levels, {a.models, a.levels}) && a.levels > 0, "levels must be (models, levels)");
  require(shaped(thresholds, {a.models, a.levels - 1}), "thresholds must be (models, levels - 1)");
  const int64_t shape[] = {a.models, a.weights};
  require(shaped(assignment, shape) && shaped(values, shape) && shaped(squared_error, {a.models}),
          "results do not fit");
  a.magnitudes = magnitudes, a.means = means;
  a.weight = weights.data(), a.level = levels.data(), a.threshold = thresholds.data();
  a.assignment = data_or_null(assignment), a.value = data_or_null(values);
  a.squared_error = data_or_null(squared_error);
  run(&KernelSet::assign, a, isa);
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
  require(shaped(ordered, {c.models, weights}) && shaped(scale, {c.models, c.groups}) &&
              shaped(contender, {c.models, c.numbers, c.settings}) && c.settings &&
              (int64_t)level.size() == c.numbers && (int64_t)threshold.size() == c.numbers,
          "magnitudes, levels or results do not fit");
  std::vector<const double*> own_level, own_threshold;
  for (int64_t i = 0; i < c.numbers; ++i) {
    require(levels[i] >= 1 && shaped(level[i], {c.models, c.groups, means ? 1 : levels[i], c.settings}) &&
                shaped(threshold[i], {c.models, c.groups, levels[i] - 1, c.settings}) && (threshold[i] || !means),
            "levels do not fit");
    own_level.push_back(level[i].data()), own_threshold.push_back(data_or_null(threshold[i]));
  }
  require(shaped(x, {c.samples, sizes[0]}) && shaped(y, {c.samples}) && c.samples, "samples do not fit");
  for (int64_t s = 0; s < c.samples; ++s) require(y.data()[s] >= 0 && y.data()[s] < sizes.back(), "class out of range");
  c.sizes = sizes.data(), c.group = group.data(), c.rank = rank.data(), c.ordered = ordered.data();
  c.scale = scale.data(), c.levels = levels.data(), c.level = own_level.data(), c.threshold = own_threshold.data();
  c.x = x.data(), c.y = y.data(), c.contender = contender.data();
  run(&KernelSet::screen, c, isa);
}

void cluster_rows(Array<const double, 2> sorted, Array<double, 3> centres, const std::string& isa) {
  Clustering c{};
  c.models = sorted.shape(0), c.values = sorted.shape(1), c.rows = centres.shape(1), c.clusters = centres.shape(2);
  require(shaped(centres, {c.models, c.rows, c.clusters}) && c.values && c.clusters, "centres do not fit");
  require(c.rows == 1 || c.rows == c.clusters, "centres must hold one row, or one for each number of clusters");
  c.sorted = sorted.data(), c.centre = centres.data();
  run(&KernelSet::cluster, c, isa);
}

void choose_levels(Array<const double, 2> sorted, Array<const double, 1> table, Array<const double, 2> scale,
                   Array<int64_t, 3> chosen, Array<double, 2> squared_error, const std::string& isa) {
  Choice c{};
  c.models = sorted.shape(0), c.values = sorted.shape(1), c.entries = table.shape(0), c.levels = chosen.shape(2);
  c.scales = scale.shape(1);
  require(shaped(scale, {c.models, c.scales}) && shaped(chosen, {c.models, c.scales, c.levels}) &&
              shaped(squared_error, {c.models, c.scales}), "scale or results do not fit");
  require(c.values && c.levels && c.levels <= c.entries, "levels must be 1 to the entries of the table");
  c.sorted = sorted.data(), c.table = table.data(), c.scale = scale.data();
  c.chosen = chosen.data(), c.squared_error = squared_error.data();
  run(&KernelSet::choose, c, isa);
}

}  // namespace

void bind_quantization(nb::module_& m) {
  m.def("quantize", &quantize_weights, "weights"_a, "low"_a, "interval"_a, "levels"_a, "magnitudes"_a, "assignment"_a,
        "values"_a, "isa"_a, "Assigns weights to levels in equal intervals; see quantization/midpoint.py.");
  m.def("assign_levels", &assign_levels, "weights"_a, "levels"_a, "thresholds"_a, "magnitudes"_a,
        "means"_a, "assignment"_a.none(), "values"_a.none(), "squared_error"_a.none(), "isa"_a,
        "The level of each weight.");
  m.def("screen", &screen_settings, "sizes"_a, "group"_a, "rank"_a, "ordered"_a, "scale"_a, "levels"_a, "level"_a,
        "threshold"_a, "means"_a, "x"_a, "y"_a, "contender"_a, "isa"_a,
        "The settings that may recognise best; see search/contenders.py.");
  m.def("cluster", &cluster_rows, "sorted"_a, "centres"_a, "isa"_a, "Optimal one-dimensional k-means of each row.");
  m.def("choose_levels", &choose_levels, "sorted"_a, "table"_a, "scale"_a, "chosen"_a, "squared_error"_a,
        "isa"_a,
        "The levels of a table, at each of its scales, that represent a row with least squared error.");
}
