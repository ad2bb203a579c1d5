// Longest common subsequence of two strings, with its common runs in the order and choice that Redis's LCS gives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace synap {

// A run that both strings have: the places of its first byte and its length.
struct LcsRun {
  size_t a_begin;
  size_t b_begin;
  size_t length;
};

struct Lcs {
  std::string text;
  std::vector<LcsRun> runs;  // from the strings' ends to their beginnings
};

// Time |a|·|b|, memory two rows of |b| numbers; lcs() needs a bit for each pair of places besides.
size_t lcs_length(std::string_view a, std::string_view b);
Lcs lcs(std::string_view a, std::string_view b);

}  // namespace synap
