// The Python face of the circuit kernels: shapes, threads, scratch memory, instruction set.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "circuit/circuit_kernels.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace fewlevels;

namespace {

template <class T, int N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

void require(bool fits, const char* message) {
  if (!fits) throw std::invalid_argument(message);
}

// Threads for one call. They wait for the next round awake, because a round may last only microseconds.
class Threads {
 public:
  explicit Threads(int64_t workers) {
    for (int64_t worker = 1; worker < workers; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
  }
  ~Threads() {
    stop_ = true;
    round_.fetch_add(1, std::memory_order_release);
    for (auto& thread : threads_) thread.join();
  }
  Team team() { return {run, this, (int64_t)threads_.size() + 1}; }

 private:
  using Task = void (*)(void*, int64_t, int64_t);

  static void run(void* self, int64_t tasks, Task task, void* context) {
    Threads& t = *(Threads*)self;
    if (t.threads_.empty() || tasks == 1) {
      for (int64_t index = 0; index < tasks; ++index) task(context, index, 0);
      return;
    }
    t.task_ = task, t.context_ = context, t.tasks_ = tasks;
    t.next_.store(0, std::memory_order_relaxed);
    t.busy_.store((int64_t)t.threads_.size(), std::memory_order_relaxed);
    t.round_.fetch_add(1, std::memory_order_release);
    t.work(0);
    wait([&] { return t.busy_.load(std::memory_order_acquire) == 0; });
  }
  template <class Ready>
  static void wait(const Ready& ready) {
    for (int turn = 0; !ready(); ++turn)
      if (turn > 4000) std::this_thread::yield();
  }
  void work(int64_t worker) {
    for (int64_t index; (index = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;)
      task_(context_, index, worker);
  }
  void serve(int64_t worker) {
    for (int64_t seen = 0;;) {
      wait([&] { return round_.load(std::memory_order_acquire) != seen; });
      ++seen;
      if (stop_) return;
      work(worker);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> threads_;
  std::atomic<int64_t> round_{0}, next_{0}, busy_{0};
  std::atomic<bool> stop_{false};
  Task task_ = nullptr;
  void* context_ = nullptr;
  int64_t tasks_ = 0;
};

// Zeroed memory on a cache line, in large pages where the system has them.
class Scratch {
 public:
  explicit Scratch(int64_t doubles) : bytes_(8 * doubles + 64) {
    mapped_ = bytes_ > (1 << 22);
#if defined(__linux__)
    if (mapped_) {
      memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory_ == MAP_FAILED) throw std::bad_alloc();
      madvise(memory_, bytes_, MADV_HUGEPAGE);
      return;
    }
#endif
    mapped_ = false;
    memory_ = std::calloc(bytes_, 1);
    if (!memory_) throw std::bad_alloc();
  }
  ~Scratch() {
#if defined(__linux__)
    if (mapped_) {
      munmap(memory_, bytes_);
      return;
    }
#endif
    std::free(memory_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  double* data() { return (double*)(((uintptr_t)memory_ + 63) / 64 * 64); }

 private:
  size_t bytes_;
  void* memory_;
  bool mapped_;
};

CellLaw law_of(const Array<const double, 1>& law) {
  require(law.shape(0) == 4, "a cell law has four numbers");
  return {law.data()[0], law.data()[1], law.data()[2], law.data()[3]};
}

#define DISPATCH(isa, CALL)                               \
  FEWLEVELS_FOR_EACH_ISA(CALL)                            \
  throw std::invalid_argument("unknown instruction set " + isa);

void cell_currents(Array<const double, 1> volt, Array<const double, 1> conductance, Array<const double, 1> law,
                   Array<double, 1> ampere, Array<double, 1> siemens, const std::string& isa) {
  const int64_t n = volt.shape(0);
  require((int64_t)conductance.shape(0) == n && (int64_t)ampere.shape(0) == n && (int64_t)siemens.shape(0) == n,
          "cells do not fit together");
  const Cells c{n, law_of(law), volt.data(), conductance.data(), ampere.data(), siemens.data()};
#define RUN(set)                            \
  if (isa == #set) {                        \
    const nb::gil_scoped_release release;   \
    return set::cells(c);                   \
  }
  DISPATCH(isa, RUN)
#undef RUN
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
  const auto fits = [&](const auto& array) {
    return (int64_t)array.shape(0) == c.draws && (int64_t)array.shape(1) == c.samples &&
           (int64_t)array.shape(2) == c.bit_lines;
  };
  require(fits(output) && fits(foot) && fits(residual) && fits(converged), "output does not fit");
  require((int64_t)steps.shape(0) == c.draws * c.bit_lines, "steps do not fit");
  c.conductance = conductance.data(), c.input = input.data();
  c.input_stride = input.shape(0) == 1 ? 0 : c.samples * c.word_lines;
  c.output = output.data(), c.foot = foot.data(), c.residual = residual.data();
  c.converged = converged.data();
  c.steps = steps.data();
#define RUN(set)                            \
  if (isa == #set) {                        \
    const nb::gil_scoped_release release;   \
    Threads team(threads);                  \
    return set::columns(c, team.team());    \
  }
  DISPATCH(isa, RUN)
#undef RUN
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
  require((int64_t)output.shape(0) == w.samples && (int64_t)output.shape(1) == w.bit_lines, "output does not fit");
  require(counts.shape(0) == 2 && (int64_t)counts.shape(1) == w.samples &&
              (int64_t)residual.shape(0) == w.samples && (int64_t)converged.shape(0) == w.samples,
          "results do not fit the samples");
  require(u.has_value() == b.has_value(), "u and b belong together");
  if (u)
    for (const auto& nodes : {*u, *b})
      require((int64_t)nodes.shape(0) == w.samples && (int64_t)nodes.shape(1) == w.word_lines &&
                  (int64_t)nodes.shape(2) == w.bit_lines, "nodes do not fit");
  w.conductance = conductance.data(), w.input = input.data();
  w.word_modes = word_modes.data(), w.word_values = word_values.data();
  w.bit_modes = bit_modes.data(), w.bit_values = bit_values.data();
  w.tolerance = tolerance, w.max_steps = max_steps, w.max_iterations = max_iterations;
  w.u = u ? u->data() : nullptr, w.b = b ? b->data() : nullptr, w.output = output.data();
  w.steps = counts.data(), w.iterations = counts.data() + w.samples;
  w.residual = residual.data(), w.converged = converged.data();
#define RUN(set)                                         \
  if (isa == #set) {                                     \
    const nb::gil_scoped_release release;                \
    Scratch scratch(set::wired_scratch(w, threads));     \
    Threads team(threads);                               \
    return set::wired(w, team.team(), scratch.data());   \
  }
  DISPATCH(isa, RUN)
#undef RUN
}

void find_transfer(Array<const double, 2> conductance, double word_siemens, double bit_siemens, double foot_siemens,
                   Array<double, 2> found, int64_t threads, const std::string& isa) {
  Transfer t{};
  t.word_lines = conductance.shape(0), t.bit_lines = conductance.shape(1);
  require((int64_t)found.shape(0) == t.word_lines && (int64_t)found.shape(1) == t.bit_lines, "result does not fit");
  t.word_siemens = word_siemens, t.bit_siemens = bit_siemens, t.foot_siemens = foot_siemens;
  t.conductance = conductance.data(), t.transfer = found.data();
#define RUN(set)                                            \
  if (isa == #set) {                                        \
    const nb::gil_scoped_release release;                   \
    Scratch scratch(set::transfer_scratch(t));              \
    Threads team(threads);                                  \
    return set::transfer(t, team.team(), scratch.data());   \
  }
  DISPATCH(isa, RUN)
#undef RUN
}

}  // namespace

void bind_circuit(nb::module_& m) {
  m.def("cells", &cell_currents, "volt"_a, "conductance"_a, "law"_a, "ampere"_a, "siemens"_a, "isa"_a,
        "Writes each cell's current and its derivative; see circuit/cell.py.");
  m.def("columns", &solve_columns, "conductance"_a, "input"_a, "reference_ohm"_a, "law"_a, "output"_a, "foot"_a,
        "residual"_a, "converged"_a, "steps"_a, "threads"_a, "isa"_a,
        "Solves crossbars with ideal wires; see circuit/ideal.py.");
  m.def("wired", &solve_wired, "conductance"_a, "word_ohm"_a, "bit_ohm"_a, "foot_ohm"_a, "law"_a,
        "word_modes"_a, "word_values"_a, "bit_modes"_a, "bit_values"_a, "tolerance"_a, "max_steps"_a,
        "max_iterations"_a, "input"_a, "u"_a.none(), "b"_a.none(), "output"_a, "counts"_a, "residual"_a, "converged"_a,
        "threads"_a, "isa"_a, "Solves one crossbar with wires; see circuit/wired.py.");
  m.def("transfer", &find_transfer, "conductance"_a, "word_siemens"_a, "bit_siemens"_a, "foot_siemens"_a, "found"_a,
        "threads"_a, "isa"_a, "Writes the transfer matrix of a crossbar with wires; see circuit/transfer.py.");
}
