// RateMeter: how fast a counter has risen lately, from samples taken about every 100 ms. One thread samples.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace synap {

class RateMeter {
 public:
  // Takes a sample; returns the rise per second since the oldest one kept. A counter that was reset starts anew.
  int64_t sample(int64_t now_us, uint64_t value) {
    if (value < newest_) taken_ = 0;
    newest_ = value;
    const Sample oldest = taken_ < kSamples ? samples_[0] : samples_[taken_ % kSamples];
    const bool measurable = taken_ > 0 && now_us > oldest.time_us;
    const auto rate = measurable
                          ? static_cast<int64_t>(static_cast<double>(value - oldest.value) * 1e6 /
                                                 static_cast<double>(now_us - oldest.time_us))
                          : 0;
    samples_[taken_++ % kSamples] = {now_us, value};
    return rate;
  }

 private:
  static constexpr size_t kSamples = 16;  // as many as Redis averages over
  struct Sample {
    int64_t time_us;
    uint64_t value;
  };
  std::array<Sample, kSamples> samples_{};
  size_t taken_ = 0;
  uint64_t newest_ = 0;
};

}  // namespace synap
