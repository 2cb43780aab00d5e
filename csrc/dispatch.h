// Chooses, among the instruction sets compiled in, the one whose kernels run.
#pragma once

#include <string>
#include <vector>

namespace mg {

// Names that this machine can run, slowest first.
std::vector<std::string> available_isas();

// Name in use: the fastest available one until set_isa is called.
const char* current_isa();

// Switches every later kernel call; false if the name is not available.
bool set_isa(const std::string& name);

}  // namespace mg
