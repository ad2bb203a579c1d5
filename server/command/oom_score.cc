#include "server/command/oom_score.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "server/base/log.h"

namespace synap {

namespace {

constexpr char kPath[] = "/proc/self/oom_score_adj";
constexpr int64_t kScoreMax = 1000;

Status failed(const char* what) {
  log_warning("Unable to %s oom_score_adj: %s", what, std::strerror(errno));
  return Status(StatusCode::kIoError, "Failed to set current oom_score_adj. Check server logs.");
}

bool read_score(int64_t* score) {
  FILE* file = std::fopen(kPath, "r");
  if (file == nullptr) return false;
  long long value;
  const bool read = std::fscanf(file, "%lld", &value) == 1;
  std::fclose(file);
  *score = value;
  return read;
}

bool write_score(int64_t score) {
  FILE* file = std::fopen(kPath, "w");
  if (file == nullptr) return false;
  const bool written = std::fprintf(file, "%lld\n", static_cast<long long>(score)) > 0;
  return (std::fclose(file) == 0) && written;
}

}  // namespace

Status OomScore::apply(const Config& config, OomClass oom_class) {
  int64_t original = original_.load();
  int64_t score;
  if (config.oom_score_adj == OomScoreAdj::kNo) {
    if (original == kUnknown) return {};
    score = original;
    original_.store(kUnknown);
  } else {
    if (original == kUnknown) {
      if (!read_score(&original)) return failed("read");
      original_.store(original);
    }
    score = config.oom_score_adj_values[static_cast<size_t>(oom_class)];
    if (config.oom_score_adj == OomScoreAdj::kRelative) score += original;
    score = std::clamp(score, -kScoreMax, kScoreMax);
  }
  return write_score(score) ? Status() : failed("write");
}

}  // namespace synap
