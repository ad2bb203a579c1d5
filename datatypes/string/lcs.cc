#include "datatypes/string/lcs.h"

#include <algorithm>

namespace synap {

namespace {

// Fills the table of lengths row by row, keeping only two; visit(i, j) where the best way from place (i, j) (both from 1)
// drops a's last byte rather than b's.
template <class Visit>
size_t fill(std::string_view a, std::string_view b, Visit visit) {
  std::vector<uint32_t> above(b.size() + 1, 0);
  std::vector<uint32_t> row(b.size() + 1, 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      if (a[i - 1] == b[j - 1]) {
        row[j] = above[j - 1] + 1;
      } else if (above[j] > row[j - 1]) {
        row[j] = above[j];
        visit(i, j);
      } else {
        row[j] = row[j - 1];
      }
    }
    row.swap(above);
  }
  return above[b.size()];
}

}  // namespace

size_t lcs_length(std::string_view a, std::string_view b) {
  return fill(a, b, [](size_t, size_t) {});
}

Lcs lcs(std::string_view a, std::string_view b) {
  std::vector<bool> drops_from_a(a.size() * b.size());
  size_t left = fill(a, b, [&](size_t i, size_t j) { drops_from_a[(i - 1) * b.size() + j - 1] = true; });
  Lcs result;
  result.text.resize(left);
  bool in_run = false;
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] == b[j - 1]) {
      --i;
      --j;
      result.text[--left] = a[i];
      if (!in_run) result.runs.push_back({i, j, 0});
      in_run = true;
      LcsRun& run = result.runs.back();
      run = {i, j, run.length + 1};
    } else {
      drops_from_a[(i - 1) * b.size() + j - 1] ? --i : --j;
      in_run = false;
    }
  }
  return result;
}

}  // namespace synap
