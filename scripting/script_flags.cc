#include "scripting/script_flags.h"

#include <cctype>
#include <cstring>

#include "server/base/text.h"

namespace synap {
namespace {

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = to_lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// After a backslash inside double quotes.
char escaped(char c) {
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

// Reads a quoted part that begins at line[*at]; false when it does not end, or is not followed by a space.
bool read_quoted(std::string_view line, size_t* at, std::string* word) {
  const char quote = line[(*at)++];
  for (; *at < line.size(); ++*at) {
    const char c = line[*at];
    const size_t left = line.size() - *at;
    if (c == quote) {
      ++*at;
      return *at == line.size() || is_space(line[*at]);
    }
    if (quote == '"' && c == '\\' && left > 3 && line[*at + 1] == 'x' && hex_digit(line[*at + 2]) >= 0 &&
        hex_digit(line[*at + 3]) >= 0) {
      word->push_back(static_cast<char>(hex_digit(line[*at + 2]) * 16 + hex_digit(line[*at + 3])));
      *at += 3;
    } else if (quote == '"' && c == '\\' && left > 1) {
      word->push_back(escaped(line[++*at]));
    } else if (quote == '\'' && c == '\\' && left > 1 && line[*at + 1] == '\'') {
      word->push_back('\'');
      ++*at;
    } else {
      word->push_back(c);
    }
  }
  return false;
}

// Redis's strings end at a zero byte here.
std::string_view until_zero(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

}  // namespace

uint32_t script_flag(std::string_view name, bool ignore_case) {
  for (const ScriptFlagName& entry : kScriptFlagNames) {
    if (ignore_case ? equals_ignore_case(entry.name, name) : entry.name == name) return entry.flag;
  }
  return 0;
}

bool split_arguments(std::string_view line, std::vector<std::string>* words) {
  words->clear();
  size_t at = 0;
  for (;;) {
    while (at < line.size() && is_space(line[at])) ++at;
    if (at == line.size()) return true;
    std::string word;
    while (at < line.size() && !is_space(line[at])) {
      if (line[at] == '"' || line[at] == '\'') {
        if (!read_quoted(line, &at, &word)) return false;
      } else {
        word.push_back(line[at++]);
      }
    }
    words->push_back(std::move(word));
  }
}

bool parse_script_shebang(std::string_view body, ScriptShebang* shebang, std::string* error) {
  *shebang = ScriptShebang();
  if (!body.starts_with("#!")) return true;
  const size_t end = until_zero(body).find('\n');
  if (end == std::string_view::npos) {
    *error = "Invalid script shebang";
    return false;
  }
  std::vector<std::string> words;
  if (!split_arguments(body.substr(0, end), &words) || words.empty()) {
    *error = "Invalid engine in script shebang";
    return false;
  }
  if (words[0] != "#!lua") {
    *error = "Unexpected engine in script shebang: " + words[0];
    return false;
  }
  shebang->flags = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (!word.starts_with("flags=")) {
      *error = "Unknown lua shebang option: " + words[i];
      return false;
    }
    word.remove_prefix(6);
    while (!word.empty()) {
      const std::string_view name = word.substr(0, word.find(','));
      const uint32_t flag = script_flag(name, false);
      if (flag == 0) {
        *error = "Unexpected flag in script shebang: " + std::string(name);
        return false;
      }
      shebang->flags |= flag;
      word.remove_prefix(name.size() + (name.size() < word.size() ? 1 : 0));
      if (word.empty() && words[i].back() == ',') {
        *error = "Unexpected flag in script shebang: ";
        return false;
      }
    }
  }
  shebang->bytes = end;
  return true;
}

bool parse_library_shebang(std::string_view code, LibraryShebang* shebang, std::string* error) {
  if (!code.starts_with("#!")) {
    *error = "Missing library metadata";
    return false;
  }
  const size_t end = until_zero(code).find('\n');
  std::vector<std::string> words;
  if (end == std::string_view::npos || !split_arguments(code.substr(0, end), &words) || words.empty()) {
    *error = "Invalid library metadata";
    return false;
  }
  bool named = false;
  shebang->engine = words[0].substr(2);
  for (size_t i = 1; i < words.size(); ++i) {
    if (!equals_ignore_case(std::string_view(words[i]).substr(0, 5), "name=")) {
      *error = "Invalid metadata value given: " + words[i];
      return false;
    }
    if (named) {
      *error = "Invalid metadata value, name argument was given multiple times";
      return false;
    }
    named = true;
    shebang->name = words[i].substr(5);
  }
  if (!named) {
    *error = "Library name was not given";
    return false;
  }
  shebang->bytes = end;
  return true;
}

}  // namespace synap
