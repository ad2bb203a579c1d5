// Options: what each directive accepts and how its value is written. One row per directive, in explicit tables
// (server/options_*.cc, gathered by server/options_list.cc); CONFIG GET/SET/REWRITE and the configuration file all work
// from the rows. Texts of errors are Redis's.
// A row never acts: what follows from a change is a callback of ConfigStore.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "server/base/status.h"
#include "server/command/config.h"

namespace synap {

enum class OptionKind : uint8_t {
  kBoolean,  // yes, no
  kInteger,
  kOctal,            // file permissions
  kMemory,           // bytes, with units
  kMemoryOrPercent,  // a percentage is kept as a negative number
  kText,
  kOptionalText,  // text whose empty value means "not set": CONFIG REWRITE then writes no line
  kChoice,        // one of some names
  kFlags,         // several of some names
  kSpecial,       // its own parser
};

enum OptionFlag : uint32_t {
  kImmutable = 1U << 0,    // only in the file and on the command line
  kHidden = 1U << 1,       // CONFIG GET shows it only by its exact name
  kSensitive = 1U << 2,    // its value is not shown in logs, MONITOR and the slow log
  kGuarded = 1U << 3,      // CONFIG SET needs enable-protected-configs
  kMultiArg = 1U << 4,     // takes several words
  kVolatile = 1U << 5,     // setting the same value again applies it again (files that may have changed)
  kDenyLoading = 1U << 6,  // not while the data set loads
  kRemembered = 1U << 7,   // accepted, shown and rewritten, but without effect here
};

struct OptionName {
  std::string_view name;
  int64_t value;
};

// The words after a directive's name.
using OptionWords = std::span<const std::string_view>;

// How an option with its own format reads and writes itself. `append`: a further line of the same directive in one
// load, which adds to what earlier lines said (save).
struct SpecialFormat {
  Status (*parse)(OptionWords words, bool append, Config* config);
  std::string (*format)(const Config& config);
  // The lines CONFIG REWRITE writes, without the name; null: one line, as format. No line: the directive is removed.
  std::vector<std::string> (*rewrite)(const Config& config) = nullptr;
  bool always_rewritten = false;  // even when it holds its default
};

// Access to an enum member of any type.
struct ChoiceMember {
  int64_t (*get)(const Config& config);
  void (*set)(Config* config, int64_t value);
};
template <auto Member>
constexpr ChoiceMember choice_member() {
  return {[](const Config& config) { return static_cast<int64_t>(config.*Member); },
          [](Config* config, int64_t value) {
            config->*Member = static_cast<std::remove_reference_t<decltype(config->*Member)>>(value);
          }};
}

struct Option {
  std::string_view name;
  OptionKind kind;
  uint32_t flags = 0;
  std::variant<bool Config::*, int64_t Config::*, std::string Config::*, ChoiceMember, SpecialFormat> member;
  std::string_view alias = {};
  int64_t min = 0;
  int64_t max = 0;
  std::span<const OptionName> names = {};
  // A check beyond the kind's own, on the new value in `config`: null or the error's text.
  const char* (*check)(const Config& config) = nullptr;

  bool has(uint32_t flag) const { return (flags & flag) != 0; }
  constexpr Option aka(std::string_view other_name) const {
    Option copy = *this;
    copy.alias = other_name;
    return copy;
  }
  constexpr Option checked(const char* (*function)(const Config& config)) const {
    Option copy = *this;
    copy.check = function;
    return copy;
  }
};

// Makers of rows.
inline constexpr int64_t kIntMax = INT32_MAX;
inline constexpr int64_t kIntMin = INT32_MIN;
inline constexpr int64_t kUintMax = UINT32_MAX;
inline constexpr int64_t kLongMax = INT64_MAX;

constexpr Option boolean_option(std::string_view name, bool Config::*member, uint32_t flags = 0) {
  return {.name = name, .kind = OptionKind::kBoolean, .flags = flags, .member = member};
}
constexpr Option number_option(std::string_view name, int64_t Config::*member, int64_t min, int64_t max,
                               uint32_t flags = 0, OptionKind kind = OptionKind::kInteger) {
  return {.name = name, .kind = kind, .flags = flags, .member = member, .min = min, .max = max};
}
constexpr Option memory_option(std::string_view name, int64_t Config::*member, int64_t min, int64_t max,
                               uint32_t flags = 0) {
  return number_option(name, member, min, max, flags, OptionKind::kMemory);
}
constexpr Option text_option(std::string_view name, std::string Config::*member, uint32_t flags = 0,
                             OptionKind kind = OptionKind::kText) {
  return {.name = name, .kind = kind, .flags = flags, .member = member};
}
constexpr Option optional_text_option(std::string_view name, std::string Config::*member, uint32_t flags = 0) {
  return text_option(name, member, flags, OptionKind::kOptionalText);
}
constexpr Option choice_option(std::string_view name, ChoiceMember member, std::span<const OptionName> names,
                               uint32_t flags = 0) {
  return {.name = name, .kind = OptionKind::kChoice, .flags = flags, .member = member, .names = names};
}
constexpr Option flags_option(std::string_view name, ChoiceMember member, std::span<const OptionName> names,
                              uint32_t flags = 0) {
  return {.name = name, .kind = OptionKind::kFlags, .flags = flags | kMultiArg, .member = member, .names = names};
}
constexpr Option special_option(std::string_view name, SpecialFormat format, uint32_t flags = 0) {
  return {.name = name, .kind = OptionKind::kSpecial, .flags = flags, .member = format};
}

// All rows, grouped by theme (server/options_list.cc).
std::span<const std::span<const Option>> option_tables();

// By name or alias, in any case; null when there is none.
const Option* find_option(std::string_view name);

template <class Visit>
void for_each_option(Visit&& visit) {
  for (const std::span<const Option> table : option_tables()) {
    for (const Option& option : table) visit(option);
  }
}

// The values of a server without a configuration file.
const Config& default_config();

// Sets the option's member in `config`. On failure nothing is changed and the detail is Redis's text.
Status parse_option(const Option& option, OptionWords words, bool append, Config* config);
// As CONFIG SET gives a value: one text, which options of several words split at spaces.
Status parse_option_text(const Option& option, std::string_view text, Config* config);

// As CONFIG GET shows it.
std::string format_option(const Option& option, const Config& config);
// The lines (name and value, quoted) that set this value in a file; none for an unset optional text.
std::vector<std::string> option_lines(const Option& option, const Config& config);
bool is_default(const Option& option, const Config& config);

// The name of an enum option's current value: for INFO and the like.
std::string choice_name(std::string_view option_name, const Config& config);

// Fills the variables of a proc-title-template in. Nothing when one is unknown, that is, when `value_of` has no answer.
std::optional<std::string> expand_title(
    std::string_view title_template,
    const std::function<std::optional<std::string>(std::string_view variable)>& value_of);

}  // namespace synap
