#include "server/command/info_writer.h"

#include <array>

namespace synap {

void InfoWriter::bytes(std::string_view name, uint64_t value) {
  number(name, value);
  text(std::string(name) + "_human", human_bytes(value));
}

std::string human_bytes(uint64_t bytes) {
  static constexpr std::array<char, 4> kUnits = {'K', 'M', 'G', 'T'};
  if (bytes < 1024) return std::to_string(bytes) + "B";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return format_text("%.2f%c", value, kUnits[unit]);
}

}  // namespace synap
