// InfoWriter: how INFO's sections write their "field:value" lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/text.h"

namespace synap {

struct Server;

// Appends "name:value\r\n".
class InfoWriter {
 public:
  explicit InfoWriter(std::string* out) : out_(out) {}
  void text(std::string_view name, std::string_view value) {
    out_->append(name).append(":").append(value).append("\r\n");
  }
  void number(std::string_view name, int64_t value) { text(name, std::to_string(value)); }
  void number(std::string_view name, uint64_t value) { text(name, std::to_string(value)); }
  void number(std::string_view name, int value) { text(name, std::to_string(value)); }
  void flag(std::string_view name, bool value) { text(name, value ? "1" : "0"); }
  void fixed(std::string_view name, double value, int digits = 2) { text(name, format_text("%.*f", digits, value)); }
  // The value and, in a second line, its human form.
  void bytes(std::string_view name, uint64_t value);
  std::string& out() { return *out_; }

 private:
  std::string* out_;
};

// "1.50M" as Redis writes sizes.
std::string human_bytes(uint64_t bytes);

using InfoSectionWriter = void (*)(Server& server, InfoWriter& info);

}  // namespace synap
