// The Python face of the kernels of networks: checks shapes and runs them.
#include "bindings/binding.hpp"

#include <algorithm>
#include <numeric>

namespace {

void require_classes(const Array<const int32_t, 1>& y, int64_t outputs) {
  for (size_t s = 0; s < y.shape(0); ++s)
    require(y.data()[s] >= 0 && y.data()[s] < outputs, "class out of range");
}

int64_t count_weights(const std::vector<int64_t>& sizes) {
  int64_t weights = 0;
  for (size_t l = 0; l + 1 < sizes.size(); ++l) weights += sizes[l] * sizes[l + 1];
  return weights;
}

void train_models(Array<const float, 2> x, Array<const int32_t, 1> y, Array<float, 3> w1, Array<float, 3> w2,
                  Array<uint32_t, 2> streams, float learning_rate, int64_t steps,
                  Array<const int64_t, 1> snapshot_steps, Array<float, 4> snapshot_w1, Array<float, 4> snapshot_w2,
                  const std::string& isa, float weight_limit) {
  Training t{};
  t.models = w1.shape(0), t.inputs = w1.shape(1), t.hidden = w1.shape(2), t.outputs = w2.shape(2);
  t.samples = x.shape(0);
  t.snapshots = snapshot_steps.shape(0);
  require(shaped(x, {t.samples, t.inputs}) && shaped(y, {t.samples}), "samples do not fit w1");
  require(shaped(w2, {t.models, t.hidden, t.outputs}), "w2 does not fit w1");
  require(shaped(streams, {t.models, 4}), "streams must be (models, 4)");
  require(t.models && t.inputs && t.hidden && t.outputs && t.samples && steps >= 0, "sizes must be positive");
  require_classes(y, t.outputs);
  require(shaped(snapshot_w1, {t.snapshots, t.models, t.inputs, t.hidden}) &&
              shaped(snapshot_w2, {t.snapshots, t.models, t.hidden, t.outputs}), "snapshots do not fit");
  t.x = x.data(), t.y = y.data(), t.w1 = w1.data(), t.w2 = w2.data(), t.streams = streams.data();
  t.learning_rate = learning_rate, t.weight_limit = weight_limit, t.steps = steps;
  t.snapshot_steps = snapshot_steps.data(), t.snapshot_w1 = snapshot_w1.data(), t.snapshot_w2 = snapshot_w2.data();
  run(&KernelSet::train, t, isa);
}

void recognise_samples(Array<const double, 2> weights, const std::vector<int64_t>& sizes, Array<const double, 2> x,
                       Array<const int32_t, 1> y, Array<bool, 2> recognised, const std::string& isa,
                       std::optional<Array<double, 2>> margin) {
  require(sizes.size() > 1, "no layers");
  Recognition r{};
  r.models = weights.shape(0), r.samples = x.shape(0), r.layers = sizes.size() - 1;
  require(shaped(weights, {r.models, count_weights(sizes)}), "weights do not fit the layers");
  require(shaped(x, {r.samples, sizes[0]}) && shaped(y, {r.samples}), "samples do not fit the networks");
  require_classes(y, sizes.back());
  require(shaped(recognised, {r.models, r.samples}), "recognised must be (models, samples)");
  require(shaped(margin, {r.models, r.samples}), "margin must be (models, samples)");
  r.sizes = sizes.data(), r.weights = weights.data(), r.x = x.data(), r.y = y.data(), r.recognised = recognised.data();
  r.margin = data_or_null(margin);
  run(&KernelSet::recognise, r, isa);
}

void dense_gradient(const std::vector<int64_t>& sizes, const std::vector<int32_t>& activation,
                    const std::vector<float>& slope, Array<const float, 2> weights,
                    std::optional<Array<const float, 2>> biases, Array<const float, 2> x, Array<const int32_t, 1> y,
                    int32_t loss, float noise, Array<uint32_t, 2> streams, Array<float, 2> gradient,
                    std::optional<Array<float, 2>> bias_gradient, Array<int32_t, 1> recognised,
                    const std::string& isa) {
  Gradient g{};
  g.models = weights.shape(0), g.samples = x.shape(0), g.layers = (int64_t)sizes.size() - 1;
  require(g.layers >= 1 && *std::min_element(sizes.begin(), sizes.end()) > 0, "sizes must be positive");
  const int64_t n = count_weights(sizes);
  require((int64_t)weights.shape(1) == n && (int64_t)gradient.shape(1) == n, "weights do not fit the sizes");
  require(shaped(gradient, {g.models, n}) && shaped(recognised, {g.models}) && shaped(streams, {g.models, 4}),
          "results do not fit");
  require(shaped(x, {g.samples, sizes[0]}) && shaped(y, {g.samples}) && g.samples, "samples do not fit");
  require_classes(y, std::max<int64_t>(sizes.back(), 2));
  require((int64_t)activation.size() == g.layers - 1 && (int64_t)slope.size() == g.layers - 1,
          "activation and slope must be of each hidden layer");
  for (const int32_t one : activation) require(SIGMOID <= one && one <= LINEAR, "activation out of range");
  require(SQUARED <= loss && loss <= SOFTMAX && (loss != SOFTMAX || sizes.back() > 1), "loss out of range");
  const int64_t units = std::accumulate(sizes.begin() + 1, sizes.end(), int64_t{0});
  require(biases.has_value() == bias_gradient.has_value() && shaped(biases, {g.models, units}) &&
              shaped(bias_gradient, {g.models, units}), "biases do not fit the sizes");
  g.sizes = sizes.data(), g.weights = weights.data(), g.x = x.data(), g.y = y.data();
  g.activation = activation.data(), g.slope = slope.data();
  g.biases = data_or_null(biases), g.bias_gradient = data_or_null(bias_gradient);
  g.loss = loss, g.noise = noise, g.streams = streams.data();
  g.gradient = gradient.data(), g.recognised = recognised.data();
  run(&KernelSet::gradient, g, isa);
}

void adam_step(Array<double, 2> latent, Array<const float, 2> gradient, Array<float, 2> first, Array<float, 2> second,
               Array<const double, 1> rate, Array<const int64_t, 1> step, const std::string& isa) {
  Adam a{};
  a.models = latent.shape(0), a.weights = latent.shape(1);
  const int64_t shape[] = {a.models, a.weights};
  require(shaped(gradient, shape) && shaped(first, shape) && shaped(second, shape) && shaped(rate, {a.models}) &&
              shaped(step, {a.models}), "gradient, moments, rate or step do not fit the weights");
  a.latent = latent.data(), a.gradient = gradient.data(), a.first = first.data(), a.second = second.data();
  a.rate = rate.data(), a.step = step.data();
  run(&KernelSet::adam, a, isa);
}

}  // namespace

void bind_networks(nb::module_& m) {
  m.def("train", &train_models, "x"_a, "y"_a, "w1"_a, "w2"_a, "streams"_a, "learning_rate"_a, "steps"_a,
        "snapshot_steps"_a, "snapshot_w1"_a, "snapshot_w2"_a, "isa"_a, "weight_limit"_a = 0.0f,
        "Trains w1 and w2 in place; see training/sgd.py.");
  m.def("recognise", &recognise_samples, "weights"_a, "sizes"_a, "x"_a, "y"_a, "recognised"_a, "isa"_a,
        "margin"_a = nb::none(),
        "Writes which samples each network recognises, and by how much; see networks/forward.py.");
  m.def("dense_gradient", &dense_gradient, "sizes"_a, "activation"_a, "slope"_a, "weights"_a, "biases"_a.none(), "x"_a,
        "y"_a, "loss"_a, "noise"_a, "streams"_a, "gradient"_a, "bias_gradient"_a.none(), "recognised"_a, "isa"_a,
        "The direction that lowers the loss; see training/descent.py.");
  m.def("adam_step", &adam_step, "latent"_a, "gradient"_a, "first"_a, "second"_a, "rate"_a, "step"_a, "isa"_a,
        "Moves weights in place; see training/descent.py.");
}
