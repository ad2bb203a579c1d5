// The parser on arbitrary bytes: whatever way the input is cut, commands and error must be the same.
// The first four bytes choose the cuts, the batch size and the limits; the rest is the stream.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/resp_parser.h"

namespace synap {
namespace {

struct Outcome {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

Outcome run(std::string_view input, uint32_t cut_seed, size_t batch_max, const ParserLimits& limits) {
  RespParser parser;
  CommandBatch batch;
  Outcome outcome;
  do {
    cut_seed = cut_seed * 1664525 + 1013904223;
    const size_t size = cut_seed == 0 ? input.size() : std::min<size_t>(input.size(), (cut_seed >> 16) % 24);
    const std::vector<char> piece(input.begin(), input.begin() + static_cast<ptrdiff_t>(size));  // ASan guards its ends
    input.remove_prefix(size);
    const std::span<char> target = parser.direct_read_target();
    if ((cut_seed & 1) != 0 && !target.empty() && !piece.empty()) {
      const size_t taken = std::min(target.size(), piece.size());
      std::copy_n(piece.begin(), taken, target.begin());
      parser.direct_read_done(taken);
      parser.feed({piece.data() + taken, piece.size() - taken});
    } else {
      parser.feed({piece.data(), piece.size()});
    }
    ParseOutcome result;
    do {
      result = parser.parse(&batch, batch_max, limits);
      size_t taken = batch.size();
      if (taken > 1 && (cut_seed & 6) == 6 && result != ParseOutcome::kError)
        parser.unparse(&batch, taken = 1 + cut_seed % taken);
      for (size_t i = 0; i < batch.size(); ++i) outcome.commands.emplace_back(batch[i].begin(), batch[i].end());
      batch.clear();
      if (result == ParseOutcome::kError && parser.error().empty()) std::abort();
    } while (result == ParseOutcome::kBatchFull);
    parser.keep_tail();
    if (result == ParseOutcome::kError) {
      outcome.error = parser.error();
      break;
    }
  } while (!input.empty());
  // What unparse() gave back at the end is still to come.
  for (bool more = outcome.error.empty(); more;) {
    parser.feed({});
    const ParseOutcome result = parser.parse(&batch, batch_max, limits);
    for (size_t i = 0; i < batch.size(); ++i) outcome.commands.emplace_back(batch[i].begin(), batch[i].end());
    batch.clear();
    parser.keep_tail();
    if (result == ParseOutcome::kError) outcome.error = parser.error();
    more = result == ParseOutcome::kBatchFull;
  }
  return outcome;
}

Outcome run_whole(std::string_view input, const ParserLimits& limits) {
  RespParser parser;
  CommandBatch batch;
  Outcome outcome;
  const std::vector<char> copy(input.begin(), input.end());
  parser.feed({copy.data(), copy.size()});
  if (parser.parse(&batch, SIZE_MAX, limits) == ParseOutcome::kError) outcome.error = parser.error();
  for (size_t i = 0; i < batch.size(); ++i) outcome.commands.emplace_back(batch[i].begin(), batch[i].end());
  return outcome;
}

}  // namespace
}  // namespace synap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace synap;
  if (size < 4) return 0;
  ParserLimits limits;
  limits.bulk_bytes_max = data[0] < 128 ? 1 << 20 : 64;
  limits.authenticated = (data[1] & 1) != 0;
  const size_t batch_max = 1 + data[2] % 5;
  const std::string_view input(reinterpret_cast<const char*>(data) + 4, size - 4);
  if (run(input, data[3], batch_max, limits) != run_whole(input, limits)) {
    std::fprintf(stderr, "cutting the input changed what was parsed\n");
    std::abort();
  }
  return 0;
}
