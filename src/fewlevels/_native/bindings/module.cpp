// The Python face of the kernels: checks shapes, lets go of the interpreter lock, picks the instruction set.
#include "bindings/binding.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <vector>

using namespace nb::literals;

void bind_circuit(nb::module_& m);  // circuit_module.cpp

using namespace fewlevels;

namespace {

// x86-64-v3 and -v4 as their ABI defines them, as far as the kernels use them.
std::vector<std::string> instruction_sets() {
  std::vector<std::string> sets;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    sets.push_back("v4");
  if (v3) sets.push_back("v3");
#endif
  sets.push_back("baseline");
  return sets;
}

void train_models(Array<const float, 2> x, Array<const int32_t, 1> y, Array<float, 3> w1, Array<float, 3> w2,
                  Array<uint32_t, 2> streams, float learning_rate, int64_t steps,
                  Array<const int64_t, 1> snapshot_steps, Array<float, 4> snapshot_w1, Array<float, 4> snapshot_w2,
                  const std::string& isa, float weight_limit) {
  Training t{};
  t.models = w1.shape(0), t.inputs = w1.shape(1), t.hidden = w1.shape(2), t.outputs = w2.shape(2);
  t.samples = x.shape(0);
  t.snapshots = snapshot_steps.shape(0);
  require((int64_t)x.shape(1) == t.inputs && (int64_t)y.shape(0) == t.samples, "samples do not fit w1");
  require((int64_t)w2.shape(0) == t.models && (int64_t)w2.shape(1) == t.hidden, "w2 does not fit w1");
  require((int64_t)streams.shape(0) == t.models && streams.shape(1) == 4, "streams must be (models, 4)");
  require(t.models && t.inputs && t.hidden && t.outputs && t.samples && steps >= 0, "sizes must be positive");
  for (int64_t s = 0; s < t.samples; ++s) require(y.data()[s] >= 0 && y.data()[s] < t.outputs, "class out of range");
  for (size_t i = 0; i < 4; ++i) {
    const int64_t w1_shape[4] = {t.snapshots, t.models, t.inputs, t.hidden};
    const int64_t w2_shape[4] = {t.snapshots, t.models, t.hidden, t.outputs};
    require((int64_t)snapshot_w1.shape(i) == w1_shape[i] && (int64_t)snapshot_w2.shape(i) == w2_shape[i],
            "snapshots do not fit");
  }
  t.x = x.data(), t.y = y.data(), t.w1 = w1.data(), t.w2 = w2.data(), t.streams = streams.data();
  t.learning_rate = learning_rate, t.weight_limit = weight_limit, t.steps = steps;
  t.snapshot_steps = snapshot_steps.data(), t.snapshot_w1 = snapshot_w1.data(), t.snapshot_w2 = snapshot_w2.data();
#define RUN(set)                                                            \
  if (isa == #set) {                                                        \
    const std::unique_ptr<char[]> scratch(new char[set::training_scratch(t)]); \
    const nb::gil_scoped_release release;                                   \
    return set::train(t, scratch.get());                                    \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

void recognise_samples(Array<const double, 2> weights, const std::vector<int64_t>& sizes, Array<const double, 2> x,
                       Array<const int32_t, 1> y, Array<bool, 2> recognised, const std::string& isa,
                       std::optional<Array<double, 2>> margin) {
  require(sizes.size() > 1, "no layers");
  Recognition r{};
  r.models = weights.shape(0), r.samples = x.shape(0), r.layers = sizes.size() - 1;
  int64_t total = 0;
  for (int64_t l = 0; l < r.layers; ++l) total += sizes[l] * sizes[l + 1];
  require((int64_t)weights.shape(1) == total, "weights do not fit the layers");
  require((int64_t)x.shape(1) == sizes[0] && (int64_t)y.shape(0) == r.samples, "samples do not fit the networks");
  for (int64_t s = 0; s < r.samples; ++s) require(y.data()[s] >= 0 && y.data()[s] < sizes.back(), "class out of range");
  require((int64_t)recognised.shape(0) == r.models && (int64_t)recognised.shape(1) == r.samples,
          "recognised must be (models, samples)");
  require(!margin || ((int64_t)margin->shape(0) == r.models && (int64_t)margin->shape(1) == r.samples),
          "margin must be (models, samples)");
  r.sizes = sizes.data(), r.weights = weights.data(), r.x = x.data(), r.y = y.data(), r.recognised = recognised.data();
  r.margin = margin ? margin->data() : nullptr;
#define RUN(set)                                                               \
  if (isa == #set) {                                                           \
    const std::unique_ptr<char[]> scratch(new char[set::recognition_scratch(r)]); \
    const nb::gil_scoped_release release;                                      \
    return set::recognise(r, scratch.get());                                   \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

void quantize_weights(Array<const double, 2> weights, Array<const double, 2> low, Array<const double, 2> interval,
                      Array<const double, 2> levels, bool magnitudes, Array<int64_t, 2> assignment,
                      Array<double, 2> values, const std::string& isa) {
  Quantization q{};
  q.models = weights.shape(0), q.n = weights.shape(1), q.requested = levels.shape(1), q.magnitudes = magnitudes;
  for (const auto& one : {low, interval}) require(one.shape(0) == weights.shape(0) && one.shape(1) == 1, "one per model");
  require(levels.shape(0) == weights.shape(0) && q.requested > 0, "levels must be (models, levels)");
  require(assignment.shape(0) == weights.shape(0) && assignment.shape(1) == weights.shape(1) &&
              values.shape(0) == weights.shape(0) && values.shape(1) == weights.shape(1),
          "results must have the shape of the weights");
  q.weights = weights.data(), q.low = low.data(), q.interval = interval.data(), q.levels = levels.data();
  q.assignment = assignment.data(), q.values = values.data();
#define RUN(set)                          \
  if (isa == #set) {                      \
    const nb::gil_scoped_release release; \
    return set::quantize(q);              \
  }
  FEWLEVELS_FOR_EACH_ISA(RUN)
#undef RUN
  throw std::invalid_argument("unknown instruction set " + isa);
}

}  // namespace

void bind_levels(nb::module_& m);  // levels_module.cpp

NB_MODULE(_kernels, m) {
  m.def("instruction_sets", &instruction_sets, "Instruction sets this processor runs, the widest first.");
  m.def("train", &train_models, "x"_a, "y"_a, "w1"_a, "w2"_a, "streams"_a, "learning_rate"_a, "steps"_a,
        "snapshot_steps"_a, "snapshot_w1"_a, "snapshot_w2"_a, "isa"_a, "weight_limit"_a = 0.0f,
        "Trains w1 and w2 in place; see training.py.");
  m.def("recognise", &recognise_samples, "weights"_a, "sizes"_a, "x"_a, "y"_a, "recognised"_a, "isa"_a,
        "margin"_a = nb::none(), "Writes which samples each network recognises, and by how much; see networks.py.");
  m.def("quantize", &quantize_weights, "weights"_a, "low"_a, "interval"_a, "levels"_a, "magnitudes"_a, "assignment"_a,
        "values"_a, "isa"_a, "Assigns weights to levels in equal intervals; see quantization/midpoint.py.");
  bind_circuit(m);
  bind_levels(m);
}
