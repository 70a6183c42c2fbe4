// The instruction sets of this processor, and the kernels of each.
#pragma once
#include <string>
#include <vector>

#include "kernel_set.hpp"

// Names of the sets that this processor runs, the widest first.
std::vector<std::string> instruction_sets();

// Throws std::invalid_argument for another name.
const fewlevels::KernelSet& kernels_of(const std::string& instruction_set);
