#include "datatypes/stream/stream_id.h"

#include <charconv>

namespace synap {

namespace {

constexpr size_t kIdTextBytesMax = 127;

// Redis reads the two numbers with strtoull when its strict reader fails, so leading zeros, blanks and '+' are fine.
bool parse_part(std::string_view text, uint64_t* number) {
  const size_t start = text.find_first_not_of(" \t\n\v\f\r");
  if (start == std::string_view::npos) return false;
  text.remove_prefix(start);
  if (text.size() > 1 && text.front() == '+') text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stopped == end;
}

bool parse_id(std::string_view text, uint64_t missing_seq, StreamId* id, bool* auto_seq) {
  if (text.size() > kIdTextBytesMax) return false;
  const size_t dash = text.find('-');
  StreamId parsed{0, missing_seq};
  if (!parse_part(text.substr(0, dash), &parsed.ms)) return false;
  if (auto_seq != nullptr) *auto_seq = false;
  if (dash != std::string_view::npos) {
    const std::string_view seq = text.substr(dash + 1);
    if (auto_seq != nullptr && seq == "*") {
      parsed.seq = 0;
      *auto_seq = true;
    } else if (!parse_part(seq, &parsed.seq)) {
      return false;
    }
  }
  *id = parsed;
  return true;
}

}  // namespace

size_t StreamId::format(char* out) const {
  char* const end = out + kTextBytesMax;
  char* at = std::to_chars(out, end, ms).ptr;
  *at++ = '-';
  return static_cast<size_t>(std::to_chars(at, end, seq).ptr - out);
}

std::string StreamId::to_text() const {
  char text[kTextBytesMax];
  return {text, format(text)};
}

bool parse_stream_id(std::string_view text, uint64_t missing_seq, StreamId* id) {
  return parse_id(text, missing_seq, id, nullptr);
}

bool parse_stream_id_or_auto_seq(std::string_view text, StreamId* id, bool* auto_seq) {
  return parse_id(text, 0, id, auto_seq);
}

bool parse_stream_range_edge(std::string_view text, uint64_t missing_seq, StreamId* id, bool* exclusive) {
  *exclusive = text.size() > 1 && text.front() == '(';
  if (*exclusive) return parse_id(text.substr(1), missing_seq, id, nullptr);
  if (text == "-") {
    *id = StreamId::min();
    return true;
  }
  if (text == "+") {
    *id = StreamId::max();
    return true;
  }
  return parse_id(text, missing_seq, id, nullptr);
}

}  // namespace synap
