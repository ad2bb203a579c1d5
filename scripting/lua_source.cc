#include "scripting/lua_source.h"

#include <algorithm>
#include <vector>

namespace synap {
namespace {

// Built-in functions that give exactly one value and never call back.
constexpr std::string_view kOneValueFunctions[] = {
    "redis.call",         "redis.pcall",        "server.call",  "server.pcall", "redis.error_reply",
    "redis.status_reply", "server.error_reply", "cjson.encode", "cjson.decode", "server.status_reply",
    "redis.sha1hex",      "cmsgpack.pack",      "struct.pack",  "tonumber",     "tostring",
    "setmetatable",       "string.format",      "string.sub",   "string.rep",   "table.concat",
};

enum class Kind : uint8_t { kName, kString, kOpen, kClose, kDot, kColon, kOther, kEnd };

struct Token {
  Kind kind;
  size_t begin;
  size_t end;
};

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view code) : code_(code) {}

  Token next() {
    skip_blanks();
    const size_t begin = at_;
    if (at_ >= code_.size()) return {Kind::kEnd, begin, begin};
    const char c = code_[at_];
    if (is_name_char(c) || (c == '.' && at_ + 1 < code_.size() && code_[at_ + 1] >= '0' && code_[at_ + 1] <= '9')) {
      const bool number = c == '.' || (c >= '0' && c <= '9');
      while (at_ < code_.size() && (is_name_char(code_[at_]) || (number && code_[at_] == '.'))) ++at_;
      return {number ? Kind::kOther : Kind::kName, begin, at_};
    }
    if (c == '"' || c == '\'') {
      skip_string(c);
      return {Kind::kString, begin, at_};
    }
    if (c == '[' && skip_long_bracket()) return {Kind::kString, begin, at_};
    ++at_;
    switch (c) {
      case '(':
      case '[':
      case '{':
        return {Kind::kOpen, begin, at_};
      case ')':
      case ']':
      case '}':
        return {Kind::kClose, begin, at_};
      case ':':
        return {Kind::kColon, begin, at_};
      case '.': {
        while (at_ < code_.size() && code_[at_] == '.') ++at_;
        return {at_ - begin == 1 ? Kind::kDot : Kind::kOther, begin, at_};
      }
      default:
        return {Kind::kOther, begin, at_};
    }
  }

  std::string_view text(const Token& token) const { return code_.substr(token.begin, token.end - token.begin); }

 private:
  void skip_blanks() {
    for (;;) {
      while (at_ < code_.size() && (code_[at_] == ' ' || (code_[at_] >= '\t' && code_[at_] <= '\r'))) ++at_;
      if (code_.substr(at_, 2) != "--") return;
      at_ += 2;
      if (at_ < code_.size() && code_[at_] == '[' && skip_long_bracket()) continue;
      at_ = std::min(code_.find('\n', at_), code_.size());
    }
  }
  void skip_string(char quote) {
    ++at_;
    while (at_ < code_.size() && code_[at_] != quote && code_[at_] != '\n') at_ += code_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_ + 1, code_.size());
  }
  // At "[[" or "[==[": to behind its end.
  bool skip_long_bracket() {
    size_t level = at_ + 1;
    while (level < code_.size() && code_[level] == '=') ++level;
    if (level >= code_.size() || code_[level] != '[') return false;
    const std::string close = "]" + std::string(level - at_ - 1, '=') + "]";
    const size_t end = code_.find(close, level + 1);
    at_ = end == std::string_view::npos ? code_.size() : end + close.size();
    return true;
  }

  std::string_view code_;
  size_t at_ = 0;
};

// The expression after a `return`, as long as it is a chain of names, indexes and calls.
struct Candidate {
  size_t begin;
  size_t depth;     // of brackets around it
  size_t end = 0;   // of its last call
  bool any_callee;  // in the main chunk
  bool starts_open = false;
  std::string callee;  // its text up to the first bracket
  size_t calls = 0;
};

class Rewriter {
 public:
  explicit Rewriter(std::string_view code) : code_(code), lexer_(code) {}

  std::string run() {
    for (Token token = lexer_.next();; token = lexer_.next()) {
      step(token);
      if (token.kind == Kind::kEnd) break;
    }
    std::sort(marks_.begin(), marks_.end());
    std::string out;
    out.reserve(code_.size() + marks_.size());
    size_t copied = 0;
    for (const auto& [position, bracket] : marks_) {
      out.append(code_.substr(copied, position - copied)).push_back(bracket);
      copied = position;
    }
    return out.append(code_.substr(copied));
  }

 private:
  static bool is_keyword(std::string_view word) {
    static constexpr std::string_view kWords[] = {
        "and", "break", "do",  "else", "elseif", "end",    "false",  "for",  "function", "goto",  "if",
        "in",  "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while"};
    return std::binary_search(std::begin(kWords), std::end(kWords), word);
  }

  void step(const Token& token) {
    const bool keyword = token.kind == Kind::kName && is_keyword(lexer_.text(token));
    while (!candidates_.empty() && candidates_.back().depth == depth_ && !extend(candidates_.back(), token, keyword)) {
      finish(candidates_.back());
      candidates_.pop_back();
    }
    if (expecting_ && !keyword &&
        (token.kind == Kind::kName || (token.kind == Kind::kOpen && code_[token.begin] == '('))) {
      Candidate candidate{token.begin, depth_, 0, function_depth_ == 0, token.kind == Kind::kOpen, {}, 0};
      candidate.callee = lexer_.text(token);
      candidates_.push_back(std::move(candidate));
    }
    expecting_ = false;
    if (keyword) track_block(lexer_.text(token));
    if (token.kind == Kind::kOpen) ++depth_;
    if (token.kind == Kind::kClose) close(token);
    previous_ = keyword ? Kind::kOther : token.kind;
  }

  // Whether the token, outside all brackets of the candidate, continues its chain.
  bool extend(Candidate& candidate, const Token& token, bool keyword) {
    if (keyword) return false;
    switch (token.kind) {
      case Kind::kDot:
      case Kind::kColon:
        if (candidate.calls == 0) candidate.callee += lexer_.text(token);
        return true;
      case Kind::kName:
        if (previous_ != Kind::kDot && previous_ != Kind::kColon) return false;
        if (candidate.calls == 0) candidate.callee += lexer_.text(token);
        return true;
      case Kind::kString:
        candidate.end = token.end;
        ++candidate.calls;
        return true;
      case Kind::kOpen:
        return true;
      default:
        return false;
    }
  }

  void close(const Token& token) {
    if (depth_ > 0) --depth_;
    while (!candidates_.empty() && candidates_.back().depth > depth_) {
      finish(candidates_.back());
      candidates_.pop_back();
    }
    if (candidates_.empty() || candidates_.back().depth != depth_) return;
    Candidate& candidate = candidates_.back();
    if (code_[token.begin] == ']') {
      candidate.callee.clear();
      return;
    }
    if (candidate.starts_open) {
      candidate.starts_open = false;  // the end of "(…)" in front, no call
      candidate.callee.clear();
      return;
    }
    candidate.end = token.end;
    ++candidate.calls;
  }

  void finish(const Candidate& candidate) {
    if (candidate.calls == 0) return;
    const bool one_value = candidate.calls == 1 &&
                           std::find(std::begin(kOneValueFunctions), std::end(kOneValueFunctions), candidate.callee) !=
                               std::end(kOneValueFunctions);
    if (!candidate.any_callee && !one_value) return;
    marks_.emplace_back(candidate.begin, '(');
    marks_.emplace_back(candidate.end, ')');
  }

  void track_block(std::string_view word) {
    if (word == "return") {
      expecting_ = true;
    } else if (word == "function" || word == "do" || word == "if" || word == "repeat") {
      blocks_.push_back(word == "function");
      if (word == "function") ++function_depth_;
    } else if ((word == "end" || word == "until") && !blocks_.empty()) {
      if (blocks_.back()) --function_depth_;
      blocks_.pop_back();
    }
  }

  std::string_view code_;
  Lexer lexer_;
  std::vector<Candidate> candidates_;
  std::vector<bool> blocks_;  // true: a function
  std::vector<std::pair<size_t, char>> marks_;
  size_t depth_ = 0;
  size_t function_depth_ = 0;
  bool expecting_ = false;  // the token after `return` comes
  Kind previous_ = Kind::kOther;
};

}  // namespace

std::string keep_return_frames(std::string_view code) {
  return Rewriter(code).run();
}

}  // namespace synap
