// The configuration file and command line, read and written: Redis's syntax, its order of precedence (file, standard
// input, command line), its error texts, and CONFIG REWRITE.
// Reading changes nothing outside the result; the server acts on it afterwards.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/command/config.h"

namespace synap {

// Where a directive stood, for errors that show only later (users, renamed commands).
struct ConfigLine {
  std::string file;  // empty: the main file, standard input or the command line
  size_t number = 0;
  std::string text;
};

struct UserLine {
  ConfigLine line;
  std::vector<std::string> words;  // "user", its name, its rules
};

struct RenamedCommand {
  ConfigLine line;
  std::string from;
  std::string to;  // empty: the command is removed
};

struct ConfigSources {
  std::string file = {};  // absolute path; empty: none
  bool standard_input = false;
  std::string options = {};  // the command line's options, as lines of a file
};

struct LoadedConfig {
  Config config;
  std::string file;  // for CONFIG REWRITE and INFO; empty: none
  std::vector<UserLine> users;
  std::vector<RenamedCommand> renamed_commands;
  std::vector<std::string> warnings;  // to be logged once the log is open
};

// Redis's rules: an optional first file name, then "--directive value …", with "-" first or last for standard input.
// `args` are the arguments after the program's name.
ConfigSources parse_command_line(std::span<const std::string> args);

// kIoError: a file cannot be opened; the detail is for the log. kSyntax: the detail is the whole block for standard
// error.
Status load_config(const ConfigSources& sources, LoadedConfig* loaded);

// The block Redis prints when a configuration is refused. Without a line: what is wrong concerns the whole.
std::string fatal_config_error(const ConfigLine* line, std::string_view reason);

struct RewriteOptions {
  bool write_defaults = false;  // DEBUG CONFIG-REWRITE-FORCE-ALL
  // The lines for users, without "user "; nothing: leave what is in the file.
  std::optional<std::vector<std::string>> users = {};
};

// CONFIG REWRITE: the text that makes a file with `old_text` say what `config` says, keeping its comments and order.
std::string rewrite_config_text(std::string_view old_text, const Config& config, const RewriteOptions& options);
// The same on the file, replaced in one step. The detail is errno's text.
Status rewrite_config_file(const std::string& path, const Config& config, const RewriteOptions& options);

}  // namespace synap
