// The Python face of the circuit kernels: checks shapes, starts threads and runs them.
#include "bindings/binding.hpp"
#include "bindings/threads.hpp"

namespace {

CellLaw law_of(const Array<const double, 1>& law) {
  require(law.shape(0) == 4, "a cell law has four numbers");
  return {law.data()[0], law.data()[1], law.data()[2], law.data()[3]};
}

void cell_currents(Array<const double, 1> volt, Array<const double, 1> conductance, Array<const double, 1> law,
                   Array<double, 1> ampere, Array<double, 1> siemens, const std::string& isa) {
  const int64_t n = volt.shape(0);
  require(shaped(conductance, {n}) && shaped(ampere, {n}) && shaped(siemens, {n}), "cells do not fit together");
  const Cells c{n, law_of(law), volt.data(), conductance.data(), ampere.data(), siemens.data()};
  run(&KernelSet::cells, c, isa);
}

void solve_columns(Array<const double, 3> conductance, Array<const double, 3> input, double reference_ohm,
                   Array<const double, 1> law, Array<double, 3> output, Array<double, 3> foot,
                   Array<double, 3> residual, Array<bool, 3> converged, Array<int32_t, 1> steps, int64_t threads,
                   const std::string& isa) {
  Columns c{};
  c.draws = conductance.shape(0), c.word_lines = conductance.shape(1), c.bit_lines = conductance.shape(2);
  c.samples = input.shape(1), c.law = law_of(law), c.reference_ohm = reference_ohm;
  require(input.shape(0) == 1 || (int64_t)input.shape(0) == c.draws, "input does not fit the draws");
  require((int64_t)input.shape(2) == c.word_lines, "input does not fit the word lines");
  const int64_t shape[] = {c.draws, c.samples, c.bit_lines};
  require(shaped(output, shape) && shaped(foot, shape) && shaped(residual, shape) && shaped(converged, shape),
          "output does not fit");
  require(shaped(steps, {c.draws * c.bit_lines}), "steps do not fit");
  c.conductance = conductance.data(), c.input = input.data();
  c.input_stride = input.shape(0) == 1 ? 0 : c.samples * c.word_lines;
  c.output = output.data(), c.foot = foot.data(), c.residual = residual.data();
  c.converged = converged.data(), c.steps = steps.data();
  Threads working(threads);
  c.team = working.team();
  run(&KernelSet::columns, c, isa);
}

void solve_wired(Array<const double, 2> conductance, double word_ohm, double bit_ohm, double foot_ohm,
                 Array<const double, 1> law, Array<const double, 2> word_modes,
                 Array<const double, 1> word_values, Array<const double, 2> bit_modes,
                 Array<const double, 1> bit_values, double tolerance, int64_t max_steps, int64_t max_iterations,
                 Array<const double, 2> input, std::optional<Array<double, 3>> u,
                 std::optional<Array<double, 3>> b, Array<double, 2> output, Array<int64_t, 2> counts,
                 Array<double, 1> residual, Array<bool, 1> converged, int64_t threads,
                 const std::string& isa) {
  Wired w{};
  w.word_lines = conductance.shape(0), w.bit_lines = conductance.shape(1), w.samples = input.shape(0);
  w.law = law_of(law), w.word_ohm = word_ohm, w.bit_ohm = bit_ohm, w.foot_ohm = foot_ohm;
  require((int64_t)input.shape(1) == w.word_lines, "input does not fit the word lines");
  w.modes_word = word_values.shape(0), w.modes_bit = bit_values.shape(0);
  require((int64_t)word_modes.shape(0) == w.modes_word && (int64_t)bit_modes.shape(0) == w.modes_bit &&
              (!w.modes_word || (int64_t)word_modes.shape(1) == w.bit_lines) &&
              (!w.modes_bit || (int64_t)bit_modes.shape(1) == w.word_lines), "modes do not fit");
  require(shaped(output, {w.samples, w.bit_lines}), "output does not fit");
  require(shaped(counts, {2, w.samples}) && shaped(residual, {w.samples}) && shaped(converged, {w.samples}),
          "results do not fit the samples");
  require(u.has_value() == b.has_value(), "u and b belong together");
  const int64_t nodes[] = {w.samples, w.word_lines, w.bit_lines};
  require(shaped(u, nodes) && shaped(b, nodes), "nodes do not fit");
  w.conductance = conductance.data(), w.input = input.data();
  w.word_modes = word_modes.data(), w.word_values = word_values.data();
  w.bit_modes = bit_modes.data(), w.bit_values = bit_values.data();
  w.tolerance = tolerance, w.max_steps = max_steps, w.max_iterations = max_iterations;
  w.u = data_or_null(u), w.b = data_or_null(b), w.output = output.data();
  w.steps = counts.data(), w.iterations = counts.data() + w.samples;
  w.residual = residual.data(), w.converged = converged.data();
  Threads working(threads);
  w.team = working.team();
  run<ZeroedMemory>(&KernelSet::wired, w, isa);
}

void find_transfer(Array<const double, 2> conductance, double word_siemens, double bit_siemens, double foot_siemens,
                   Array<double, 2> found, int64_t threads, const std::string& isa) {
  Transfer t{};
  t.word_lines = conductance.shape(0), t.bit_lines = conductance.shape(1);
  require(shaped(found, {t.word_lines, t.bit_lines}), "result does not fit");
  t.word_siemens = word_siemens, t.bit_siemens = bit_siemens, t.foot_siemens = foot_siemens;
  t.conductance = conductance.data(), t.transfer = found.data();
  Threads working(threads);
  t.team = working.team();
  run<ZeroedMemory>(&KernelSet::transfer, t, isa);
}

}  // namespace

void bind_circuit(nb::module_& m) {
  m.def("cells", &cell_currents, "volt"_a, "conductance"_a, "law"_a, "ampere"_a, "siemens"_a, "isa"_a,
        "Writes each cell's current and its derivative; see circuit/cell.py.");
  m.def("columns", &solve_columns, "conductance"_a, "input"_a, "reference_ohm"_a, "law"_a, "output"_a, "foot"_a,
        "residual"_a, "converged"_a, "steps"_a, "threads"_a, "isa"_a,
        "Solves crossbars with ideal wires; see circuit/solvers/ideal.py.");
  m.def("wired", &solve_wired, "conductance"_a, "word_ohm"_a, "bit_ohm"_a, "foot_ohm"_a, "law"_a,
        "word_modes"_a, "word_values"_a, "bit_modes"_a, "bit_values"_a, "tolerance"_a, "max_steps"_a,
        "max_iterations"_a, "input"_a, "u"_a.none(), "b"_a.none(), "output"_a, "counts"_a, "residual"_a, "converged"_a,
        "threads"_a, "isa"_a, "Solves one crossbar with wires; see circuit/solvers/wired.py.");
  m.def("transfer", &find_transfer, "conductance"_a, "word_siemens"_a, "bit_siemens"_a, "foot_siemens"_a, "found"_a,
        "threads"_a, "isa"_a, "Writes the transfer matrix of a crossbar with wires; see circuit/solvers/transfer.py.");
}
