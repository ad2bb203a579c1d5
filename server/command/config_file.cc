// See config_file.h: reading. Writing is in config_rewrite.cc.
#include "server/command/config_file.h"

#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "server/base/number.h"
#include "server/base/quoted_args.h"
#include "server/base/text.h"
#include "server/command/config_store.h"
#include "server/command/options.h"

namespace synap {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string read_stream(std::istream& stream) {
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Status read_file(const std::string& path, std::string* text) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) {
    return Status(StatusCode::kIoError,
                  "Fatal error, can't open config file '" + path + "': " + std::string(strerror(errno)));
  }
  *text += read_stream(file);
  return {};
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  return std::filesystem::absolute(path, error).lexically_normal().string();
}

// One load: reads lines into the result, following includes.
class Loader {
 public:
  explicit Loader(LoadedConfig* loaded) : loaded_(*loaded) {}

  Status read_lines(std::string_view text, const std::string& file, int depth);
  Status finish();

 private:
  static constexpr int kIncludeDepthMax = 16;

  Status refuse(std::string_view reason) const {
    return Status(StatusCode::kSyntax, fatal_config_error(&line_, reason));
  }
  Status read_line(int depth);
  Status read_option(const Option& option, const std::vector<std::string>& words);
  Status read_directive(const std::vector<std::string>& words, int depth);
  Status include(const std::string& pattern, int depth);
  // Relative names mean the directory that "dir" has set, as if it had been entered.
  std::string resolve(const std::string& path) const {
    return path[0] == '/' || config().dir.empty() ? path : config().dir + '/' + path;
  }
  Config& config() { return loaded_.config; }
  const Config& config() const { return loaded_.config; }

  LoadedConfig& loaded_;
  ConfigLine line_;
  std::set<const Option*> seen_;
};

Status Loader::read_lines(std::string_view text, const std::string& file, int depth) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    line_ = {file, number, std::string(trim(text.substr(0, end)))};
    if (Status status = read_line(depth); !status.ok()) return status;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

Status Loader::read_line(int depth) {
  if (line_.text.empty() || line_.text[0] == '#') return {};
  std::optional<std::vector<std::string>> words = split_quoted_args(line_.text);
  if (!words.has_value()) return refuse("Unbalanced quotes in configuration line");
  if (words->empty()) return {};
  words->front() = to_lower(words->front());
  const Option* option = find_option(words->front());
  return option == nullptr ? read_directive(*words, depth) : read_option(*option, *words);
}

Status Loader::read_option(const Option& option, const std::vector<std::string>& words) {
  if (!option.has(kMultiArg) && words.size() != 2) return refuse("wrong number of arguments");
  std::vector<std::string> values(words.begin() + 1, words.end());
  if (option.has(kMultiArg) && values.size() == 1 && !values[0].empty()) {
    // "--save '900 1'" means the same as "--save 900 1".
    std::optional<std::vector<std::string>> split = split_quoted_args(values[0]);
    if (!split.has_value()) return refuse("Unbalanced quotes in configuration line");
    values = std::move(*split);
  }
  const std::vector<std::string_view> views(values.begin(), values.end());
  const bool append = !seen_.insert(&option).second;
  const Status status = parse_option(option, views, append, &config());
  return status.ok() ? status : refuse(status.detail());
}

Status Loader::read_directive(const std::vector<std::string>& words, int depth) {
  // What older versions knew and newer ones skip.
  static constexpr std::string_view kForgotten[] = {"list-max-ziplist-entries", "list-max-ziplist-value",
                                                    "lua-replicate-commands"};
  const std::string& name = words[0];
  if (words.size() == 2 && std::find(std::begin(kForgotten), std::end(kForgotten), name) != std::end(kForgotten)) {
    return {};
  }
  if (name == "include" && words.size() == 2) return include(words[1], depth);
  if (name == "rename-command" && words.size() == 3) {
    loaded_.renamed_commands.push_back({line_, words[1], words[2]});
    return {};
  }
  if (name == "user" && words.size() >= 2) {
    loaded_.users.push_back({line_, words});
    return {};
  }
  if (name == "loadmodule" && words.size() >= 2) return refuse("Synap does not load modules");
  if (name.find('.') != std::string::npos) {
    return refuse(words.size() < 2 ? "Module config specified without value" : "Synap does not load modules");
  }
  if (name == "sentinel") return refuse("sentinel directive while not in sentinel mode");
  return refuse("Bad directive or wrong number of arguments");
}

Status Loader::include(const std::string& pattern, int depth) {
  if (depth >= kIncludeDepthMax) return refuse("Too many levels of include");
  std::vector<std::string> files;
  if (pattern.find_first_of("*?[") == std::string::npos) {
    files.push_back(resolve(pattern));
  } else {
    glob_t found{};
    if (::glob(resolve(pattern).c_str(), 0, nullptr, &found) == 0) {
      files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    globfree(&found);  // a pattern that matches nothing is fine: an empty conf.d
  }
  const ConfigLine including = line_;
  for (const std::string& file : files) {
    std::string text;
    if (Status status = read_file(file, &text); !status.ok()) return status;
    if (Status status = read_lines(text, file, depth + 1); !status.ok()) return status;
  }
  line_ = including;
  return {};
}

Status Loader::finish() {
  const auto refuse_all = [](std::string_view reason) {
    return Status(StatusCode::kSyntax, fatal_config_error(nullptr, reason));
  };
  if (!config().logfile.empty()) {
    const int fd = open(resolve(config().logfile).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return refuse_all("Can't open the log file: " + std::string(strerror(errno)));
    close(fd);
  }
  if (config().cluster_enabled && !config().replicaof.host.empty()) {
    return refuse_all("replicaof directive not allowed in cluster mode");
  }
  if (config().cluster_enabled && config().databases > 1) {
    loaded_.warnings.push_back("WARNING: Changing databases number from " + to_text(config().databases) +
                               " to 1 since we are in cluster mode");
  }
  settle_config(&config());
  std::string names;
  for (const std::string_view name : remembered_options_in_use(config())) {
    names += names.empty() ? "" : ", ";
    names += name;
  }
  if (!names.empty()) {
    loaded_.warnings.push_back("WARNING: accepted for compatibility, but without effect in Synap: " + names);
  }
  return {};
}

}  // namespace

std::string fatal_config_error(const ConfigLine* line, std::string_view reason) {
  std::string text = "\n*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***\n";
  if (line != nullptr) {
    text += "Reading the configuration file" + (line->file.empty() ? "" : " " + line->file) + ", at line " +
            to_text(line->number) + "\n>>> '" + line->text + "'\n";
  }
  return text.append(reason) + '\n';
}

ConfigSources parse_command_line(std::span<const std::string> args) {
  ConfigSources sources;
  size_t i = 0;
  if (!args.empty() && !args[0].starts_with('-')) sources.file = absolute_path(args[i++]);
  // After an option's name the next word is its value, even when it starts with "--".
  bool value_due = false;
  for (; i < args.size(); ++i) {
    const std::string& arg = args[i];
    const bool last = i + 1 == args.size();
    if (arg == "-" && (i == 0 || last)) {
      sources.standard_input = true;
      continue;
    }
    if (value_due || !arg.starts_with("--")) {
      sources.options += quote_arg(arg) + ' ';
      value_due = false;
      continue;
    }
    if (!sources.options.empty()) sources.options += '\n';
    sources.options += arg.substr(2) + ' ';
    const auto words = split_quoted_args(arg);
    value_due = words.has_value() && words->size() == 1;
    // "--save" alone, as scripts write it for an empty list, means --save "".
    if (value_due && equals_ignore_case(arg, "--save") && (last || args[i + 1].starts_with("--"))) {
      sources.options += "\"\"";
      value_due = false;
    }
  }
  return sources;
}

Status load_config(const ConfigSources& sources, LoadedConfig* loaded) {
  std::string text;
  if (!sources.file.empty()) {
    if (Status status = read_file(sources.file, &text); !status.ok()) return status;
  }
  if (sources.standard_input) text += read_stream(std::cin);
  // One text, so that line numbers go on through the command line, as in Redis.
  if (!sources.options.empty()) text += '\n' + sources.options;
  *loaded = {};
  loaded->file = sources.file;
  Loader loader(loaded);
  if (Status status = loader.read_lines(text, {}, 0); !status.ok()) return status;
  return loader.finish();
}

}  // namespace synap
