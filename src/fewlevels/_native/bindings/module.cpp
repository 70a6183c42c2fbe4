// The module: what Python sees of the kernels.
#include "bindings/binding.hpp"

void bind_networks(nb::module_& m);      // networks.cpp
void bind_quantization(nb::module_& m);  // quantization.cpp
void bind_circuit(nb::module_& m);       // circuit.cpp

NB_MODULE(_kernels, m) {
  m.def("instruction_sets", &instruction_sets, "Instruction sets this processor runs, the widest first.");
  bind_networks(m);
  bind_quantization(m);
  bind_circuit(m);
}
