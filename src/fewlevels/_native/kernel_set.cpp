// The kernels of the instruction set that this file is compiled for.
#include "kernel_set.hpp"

namespace fewlevels::FEWLEVELS_ISA {

extern const KernelSet kernels = {  // in the order of KernelSet
    {train, training_scratch},
    {recognise, recognition_scratch},
    {gradient, gradient_scratch},
    {adam, nullptr},
    {quantize, nullptr},
    {assign, assign_scratch},
    {screen, screening_scratch},
    {cluster, clustering_scratch},
    {choose, choice_scratch},
    {cells, nullptr},
    {columns, nullptr},
    {wired, wired_scratch},
    {transfer, transfer_scratch},
};

}  // namespace fewlevels::FEWLEVELS_ISA
