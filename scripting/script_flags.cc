#include "scripting/script_flags.h"

#include <optional>
#include <vector>

#include "server/base/quoted_args.h"
#include "server/base/text.h"

namespace synap {
namespace {

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

bool parse_script_shebang(std::string_view body, ScriptShebang* shebang, std::string* error) {
  *shebang = ScriptShebang();
  if (!body.starts_with("#!")) return true;
  const size_t end = until_zero(body).find('\n');
  if (end == std::string_view::npos) {
    *error = "Invalid script shebang";
    return false;
  }
  const auto split = split_quoted_args(body.substr(0, end));
  if (!split.has_value() || split->empty()) {
    *error = "Invalid engine in script shebang";
    return false;
  }
  const std::vector<std::string>& words = *split;
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
  const auto split = end == std::string_view::npos ? std::nullopt : split_quoted_args(code.substr(0, end));
  if (!split.has_value() || split->empty()) {
    *error = "Invalid library metadata";
    return false;
  }
  const std::vector<std::string>& words = *split;
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
