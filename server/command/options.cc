// See options.h: parsing and printing by kind. The rows are in server/options_*.cc.
#include "server/command/options.h"

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <unordered_map>

#include "server/base/number.h"
#include "server/base/quoted_args.h"
#include "server/base/text.h"

namespace synap {
namespace {

Status refuse(std::string text) {
  return Status(StatusCode::kSyntax, std::move(text));
}

Status parse_boolean(const Option& option, std::string_view word, Config* config) {
  const bool yes = equals_ignore_case(word, "yes");
  if (!yes && !equals_ignore_case(word, "no")) return refuse("argument must be 'yes' or 'no'");
  config->*std::get<bool Config::*>(option.member) = yes;
  return {};
}

bool parse_octal(std::string_view word, int64_t* value) {
  if (word.empty() || word.size() > 20) return false;
  int64_t parsed = 0;
  for (const char c : word) {
    if (c < '0' || c > '7') return false;
    parsed = parsed * 8 + (c - '0');
  }
  *value = parsed;
  return true;
}

bool parse_percent(std::string_view word, int64_t* value) {
  if (word.size() < 2 || word.back() != '%') return false;
  int64_t percent = 0;
  if (!parse_int64(word.substr(0, word.size() - 1), &percent) || percent < 0) return false;
  *value = -percent;
  return true;
}

bool parse_size(std::string_view word, int64_t* value, int64_t if_too_big) {
  uint64_t bytes = 0;
  if (!parse_memory_size(word, &bytes)) return false;
  *value = bytes > INT64_MAX ? if_too_big : static_cast<int64_t>(bytes);
  return true;
}

std::string octal_text(int64_t value) {
  return format_text("%llo", static_cast<unsigned long long>(value));
}

Status read_number(const Option& option, std::string_view word, int64_t* value) {
  switch (option.kind) {
    case OptionKind::kMemory:
      if (parse_size(word, value, -1)) return {};  // no size's range holds -1
      return refuse("argument must be a memory value");
    case OptionKind::kMemoryOrPercent:
      if (parse_size(word, value, INT64_MAX) || parse_percent(word, value)) return {};
      return refuse("argument must be a memory or percent value");
    case OptionKind::kOctal:
      if (parse_octal(word, value)) return {};
      return refuse("argument couldn't be parsed as an octal number");
    default:
      if (parse_int64(word, value)) return {};
      return refuse("argument couldn't be parsed into an integer");
  }
}

Status parse_number(const Option& option, std::string_view word, Config* config) {
  int64_t value = 0;
  if (Status status = read_number(option, word, &value); !status.ok()) return status;
  if (value < option.min || value > option.max) {
    if (option.kind == OptionKind::kMemoryOrPercent && value < 0) {
      return refuse("percentage argument must be less or equal to " + to_text(-option.min));
    }
    const bool octal = option.kind == OptionKind::kOctal;
    return refuse("argument must be between " + (octal ? octal_text(option.min) : to_text(option.min)) + " and " +
                  (octal ? octal_text(option.max) : to_text(option.max)) + " inclusive");
  }
  config->*std::get<int64_t Config::*>(option.member) = value;
  return {};
}

const OptionName* find_name(const Option& option, std::string_view word) {
  for (const OptionName& name : option.names) {
    if (equals_ignore_case(name.name, word)) return &name;
  }
  return nullptr;
}

Status refuse_name(const Option& option) {
  std::string text = "argument(s) must be one of the following: ";
  for (const OptionName& name : option.names) {
    if (&name != option.names.data()) text += ", ";
    text += name.name;
  }
  return refuse(std::move(text));
}

Status parse_names(const Option& option, OptionWords words, Config* config) {
  if (words.empty()) return refuse_name(option);
  int64_t value = 0;
  for (const std::string_view word : words) {
    const OptionName* name = find_name(option, word);
    if (name == nullptr) return refuse_name(option);
    value |= name->value;
  }
  std::get<ChoiceMember>(option.member).set(config, value);
  return {};
}

std::string format_names(const Option& option, const Config& config) {
  const int64_t value = std::get<ChoiceMember>(option.member).get(config);
  std::string text;
  for (const OptionName& name : option.names) {
    if (name.value == value) return std::string(name.name);
    if (option.kind != OptionKind::kFlags || name.value == 0 || (value & name.value) != name.value) continue;
    if (!text.empty()) text += ' ';
    text += name.name;
  }
  return text;
}

std::string format_number(const Option& option, int64_t value) {
  if (option.kind == OptionKind::kOctal) return octal_text(value);
  if (option.kind == OptionKind::kMemoryOrPercent && value < 0) return to_text(-value) + "%";
  return to_text(value);
}

// As people write sizes: the largest unit that divides it.
std::string memory_text(int64_t bytes) {
  static constexpr std::pair<int64_t, const char*> kUnits[] = {{1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}};
  for (const auto& [size, unit] : kUnits) {
    if (bytes != 0 && bytes % size == 0) return to_text(bytes / size) + unit;
  }
  return to_text(bytes);
}

std::string line_value(const Option& option, const Config& config) {
  switch (option.kind) {
    case OptionKind::kText:
    case OptionKind::kOptionalText:
      return quote_arg(format_option(option, config));
    case OptionKind::kMemory:
      return memory_text(config.*std::get<int64_t Config::*>(option.member));
    case OptionKind::kMemoryOrPercent: {
      const int64_t value = config.*std::get<int64_t Config::*>(option.member);
      return value < 0 ? format_option(option, config) : memory_text(value);
    }
    default:
      break;
  }
  const std::string text = format_option(option, config);
  return text.empty() ? "\"\"" : text;
}

Status parse_by_kind(const Option& option, OptionWords words, bool append, Config* config) {
  if (option.kind == OptionKind::kSpecial) return std::get<SpecialFormat>(option.member).parse(words, append, config);
  if (option.kind == OptionKind::kFlags) return parse_names(option, words, config);
  if (words.size() != 1) return refuse("wrong number of arguments");
  switch (option.kind) {
    case OptionKind::kBoolean:
      return parse_boolean(option, words[0], config);
    case OptionKind::kChoice:
      return parse_names(option, words, config);
    case OptionKind::kText:
    case OptionKind::kOptionalText:
      config->*std::get<std::string Config::*>(option.member) = words[0];
      return {};
    default:
      return parse_number(option, words[0], config);
  }
}

using OptionIndex = std::unordered_map<std::string_view, const Option*>;

OptionIndex build_index() {
  OptionIndex index;
  for_each_option([&index](const Option& option) {
    SYNAP_ASSERT(index.emplace(option.name, &option).second);
    if (!option.alias.empty()) SYNAP_ASSERT(index.emplace(option.alias, &option).second);
  });
  return index;
}

}  // namespace

int64_t default_io_threads() {
  return std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 16);
}

void settle_config(Config* config) {
  config->hz = std::clamp<int64_t>(config->hz, 1, 500);
  config->io_threads = std::min<int64_t>(config->io_threads, 16);
  config->repl_backlog_size = std::max<int64_t>(config->repl_backlog_size, 16 << 10);
  if (config->cluster_enabled) config->databases = 1;
}

const Option* find_option(std::string_view name) {
  static const OptionIndex kIndex = build_index();
  const auto found = kIndex.find(to_lower(name));
  return found == kIndex.end() ? nullptr : found->second;
}

const Config& default_config() {
  static const Config kDefaults;
  return kDefaults;
}

Status parse_option(const Option& option, OptionWords words, bool append, Config* config) {
  if (option.check == nullptr) return parse_by_kind(option, words, append, config);
  Config trial = *config;
  if (Status status = parse_by_kind(option, words, append, &trial); !status.ok()) return status;
  if (const char* error = option.check(trial); error != nullptr) return refuse(error);
  *config = std::move(trial);
  return {};
}

Status parse_option_text(const Option& option, std::string_view text, Config* config) {
  if (!option.has(kMultiArg)) return parse_option(option, OptionWords(&text, 1), false, config);
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    words.push_back(text.substr(0, space));
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
    if (text.empty()) words.emplace_back();  // a trailing space ends in an empty word, as in Redis
  }
  return parse_option(option, words, false, config);
}

std::string format_option(const Option& option, const Config& config) {
  switch (option.kind) {
    case OptionKind::kBoolean:
      return config.*std::get<bool Config::*>(option.member) ? "yes" : "no";
    case OptionKind::kText:
    case OptionKind::kOptionalText:
      return config.*std::get<std::string Config::*>(option.member);
    case OptionKind::kChoice:
    case OptionKind::kFlags:
      return format_names(option, config);
    case OptionKind::kSpecial:
      return std::get<SpecialFormat>(option.member).format(config);
    default:
      return format_number(option, config.*std::get<int64_t Config::*>(option.member));
  }
}

std::vector<std::string> option_lines(const Option& option, const Config& config) {
  if (option.kind == OptionKind::kOptionalText && format_option(option, config).empty()) return {};
  std::vector<std::string> lines;
  if (option.kind == OptionKind::kSpecial && std::get<SpecialFormat>(option.member).rewrite != nullptr) {
    lines = std::get<SpecialFormat>(option.member).rewrite(config);
  } else {
    lines.push_back(line_value(option, config));
  }
  for (std::string& line : lines) line.insert(0, std::string(option.name) + ' ');
  return lines;
}

bool is_default(const Option& option, const Config& config) {
  return format_option(option, config) == format_option(option, default_config());
}

std::string choice_name(std::string_view option_name, const Config& config) {
  const Option* option = find_option(option_name);
  SYNAP_ASSERT(option != nullptr);
  return format_option(*option, config);
}

std::optional<std::string> expand_title(
    std::string_view title_template,
    const std::function<std::optional<std::string>(std::string_view variable)>& value_of) {
  std::string title;
  for (size_t i = 0; i < title_template.size();) {
    const char c = title_template[i];
    const bool quoted = c == '{' && i + 1 < title_template.size() && title_template[i + 1] == '{';
    if (c == '{' && !quoted) {
      const size_t end = title_template.find('}', i);
      if (end == std::string_view::npos) return std::nullopt;
      const std::optional<std::string> value = value_of(title_template.substr(i + 1, end - i - 1));
      if (!value.has_value()) return std::nullopt;
      title += *value;
      i = end + 1;
      continue;
    }
    title += c;
    i += quoted ? 2 : 1;
  }
  const size_t first = title.find_first_not_of(' ');
  if (first == std::string::npos) return std::string();
  return title.substr(first, title.find_last_not_of(' ') - first + 1);
}

}  // namespace synap
