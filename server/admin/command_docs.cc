// Finding rows, and the parser of the argument notation that command_docs.h describes.
#include "server/admin/command_docs.h"

#include <array>
#include <utility>

namespace synap {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTypes = {{
    {"int", "integer"},
    {"double", "double"},
    {"pattern", "pattern"},
    {"time", "unix-time"},
    {"str", "string"},
    {"key", "key"},
}};

// Recursive descent over the notation. Every function leaves `rest_` behind what it understood.
class NotationParser {
 public:
  explicit NotationParser(std::string_view notation) : rest_(notation) {}

  std::optional<std::vector<DocArgument>> parse() {
    std::vector<DocArgument> arguments;
    if (rest_.empty()) return arguments;
    if (!parse_list(' ', &arguments) || !rest_.empty()) return std::nullopt;
    return arguments;
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view take_word() {
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" :#(|)=?*+@!'"));
    rest_.remove_prefix(word.size());
    return word;
  }

  bool parse_list(char separator, std::vector<DocArgument>* list) {
    do {
      if (!parse_argument(&list->emplace_back())) return false;
    } while (take(separator));
    return true;
  }

  bool parse_argument(DocArgument* argument) {
    argument->name = take_word();
    if (argument->name.empty()) return false;
    bool typed = true;
    if (take('#')) {
      argument->type = "key";
      argument->key_spec = 0;
      for (const char c : take_word()) {
        if (c < '0' || c > '9') return false;
        argument->key_spec = argument->key_spec * 10 + (c - '0');
      }
    } else if (take(':')) {
      if (!parse_type(argument)) return false;
    } else if (take('(')) {
      if (!parse_children(argument)) return false;
    } else {
      typed = false;
    }
    if (take('=')) {
      if (!parse_token(argument)) return false;
      if (!typed) argument->type = "pure-token";
    }
    if (take('?')) argument->flags |= DocArgument::kOptional;
    if (take('*')) argument->flags |= DocArgument::kMultiple;
    if (take('+')) argument->flags |= DocArgument::kMultipleToken;
    if (take('@')) argument->since = take_word();
    if (take('!')) argument->deprecated_since = take_word();
    return true;
  }

  bool parse_type(DocArgument* argument) {
    const std::string_view word = take_word();
    for (const auto& [notation, type] : kTypes) {
      if (notation != word) continue;
      argument->type = type;
      return true;
    }
    return false;
  }

  bool parse_children(DocArgument* argument) {
    bool choice = take('|');
    if (!parse_argument(&argument->children.emplace_back())) return false;
    if (!rest_.empty() && rest_.front() == '|') choice = true;
    const char separator = choice ? '|' : ' ';
    if (take(separator) && !parse_list(separator, &argument->children)) return false;
    argument->type = choice ? "oneof" : "block";
    return take(')');
  }

  bool parse_token(DocArgument* argument) {
    if (!take('\'')) {
      argument->token = take_word();
      return !argument->token->empty();
    }
    const size_t end = rest_.find('\'');
    if (end == std::string_view::npos) return false;
    argument->token = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

FoundDoc find_command_doc(std::string_view full_name) {
  FoundDoc found;
  for_each_command_doc([&](const CommandDocGroup& group, const CommandDoc& doc) {
    if (doc.name == full_name) found = {&group, &doc};
  });
  return found;
}

std::optional<std::vector<DocArgument>> parse_doc_arguments(std::string_view notation) {
  return NotationParser(notation).parse();
}

}  // namespace synap
