// The rules are Redis's (its inline commands): escapes only in double quotes, \' only in single ones.
#include "server/base/quoted_args.h"

#include <cstdint>
#include <cstring>

namespace synap {

namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads one word from the front of `rest` into `out`. Returns the bytes written, or -1 on unbalanced quotes.
ptrdiff_t take_word(std::string_view& rest, char* out) {
  char* const begin = out;
  char quote = 0;
  size_t i = 0;
  for (;; ++i) {
    if (i == rest.size()) {
      if (quote != 0) return -1;
      break;
    }
    const char c = rest[i];
    if (quote == 0) {
      if (is_space(c)) break;
      if (c == '"' || c == '\'') {
        quote = c;
      } else {
        *out++ = c;
      }
    } else if (c == quote) {
      if (i + 1 < rest.size() && !is_space(rest[i + 1])) return -1;
      ++i;
      break;
    } else if (quote == '"' && c == '\\' && i + 3 < rest.size() && rest[i + 1] == 'x' && hex_digit(rest[i + 2]) >= 0 &&
               hex_digit(rest[i + 3]) >= 0) {
      *out++ = static_cast<char>(hex_digit(rest[i + 2]) * 16 + hex_digit(rest[i + 3]));
      i += 3;
    } else if (quote == '"' && c == '\\' && i + 1 < rest.size()) {
      *out++ = unescape(rest[++i]);
    } else if (quote == '\'' && c == '\\' && i + 1 < rest.size() && rest[i + 1] == '\'') {
      *out++ = '\'';
      ++i;
    } else {
      *out++ = c;
    }
  }
  rest.remove_prefix(i);
  return out - begin;
}

}  // namespace

bool split_quoted_args(std::string_view line, char* scratch, std::vector<std::string_view>* words) {
  words->clear();
  line = line.substr(0, line.find('\0'));
  for (;;) {
    while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    if (line.empty()) return true;
    size_t plain = 0;
    while (plain < line.size() && !is_space(line[plain]) && line[plain] != '"' && line[plain] != '\'') ++plain;
    if (plain == line.size() || is_space(line[plain])) {
      words->push_back(line.substr(0, plain));
      line.remove_prefix(plain);
      continue;
    }
    const ptrdiff_t length = take_word(line, scratch);
    if (length < 0) return false;
    words->emplace_back(scratch, static_cast<size_t>(length));
    scratch += length;
  }
}

std::optional<std::vector<std::string>> split_quoted_args(std::string_view line) {
  std::string scratch(line.size(), '\0');
  std::vector<std::string_view> words;
  if (!split_quoted_args(line, scratch.data(), &words)) return std::nullopt;
  return std::vector<std::string>(words.begin(), words.end());
}

std::string quote_arg(std::string_view word) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : word) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (c >= ' ' && c <= '~') {
          out += c;
        } else {
          out += "\\x";
          out += kHex[static_cast<uint8_t>(c) >> 4];
          out += kHex[static_cast<uint8_t>(c) & 15];
        }
    }
  }
  return out += '"';
}

}  // namespace synap
