// The kernels of each instruction set. A new kernel has its arguments and functions in its folder's header, a member
// here and a line in kernel_set.cpp.
#pragma once
#include "circuit/circuit_kernels.hpp"
#include "networks/network_kernels.hpp"
#include "quantization/quantization_kernels.hpp"

namespace fewlevels {

template <class Arguments>
struct Kernel {
  void (*run)(const Arguments& arguments, void* scratch);
  int64_t (*scratch_bytes)(const Arguments& arguments);  // null: run() needs none
};

struct KernelSet {
  Kernel<Training> train;
  Kernel<Recognition> recognise;
  Kernel<Gradient> gradient;
  Kernel<Adam> adam;
  Kernel<Quantization> quantize;
  Kernel<Assignment> assign;
  Kernel<Screening> screen;
  Kernel<Clustering> cluster;
  Kernel<Choice> choose;
  Kernel<Cells> cells;
  Kernel<Columns> columns;
  Kernel<Wired> wired;
  Kernel<Transfer> transfer;
};

namespace baseline { extern const KernelSet kernels; }
#if defined(__x86_64__) || defined(_M_X64)
namespace v3 { extern const KernelSet kernels; }
namespace v4 { extern const KernelSet kernels; }
#endif

}  // namespace fewlevels
