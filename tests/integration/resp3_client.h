// Resp3Client: a connection that speaks RESP3 (which Debian's hiredis does not) and keeps what the server pushes apart
// from its replies, in the order of their arrival.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tests/integration/client.h"

namespace synap_test {

class Resp3Client {
 public:
  explicit Resp3Client(int port) : socket_(port) { call({"HELLO", "3"}); }

  // The reply as text: items of aggregates with spaces between them, "(nil)" for nulls. Pushes that come before it are kept.
  std::string call(const std::vector<std::string>& args) {
    socket_.send(encode(args));
    return reply();
  }
  void send(const std::vector<std::string>& args) { socket_.send(encode(args)); }
  std::string reply() {
    for (;;) {
      bool is_push = false;
      std::string text = read(&is_push);
      if (!is_push || broken_) return text;
      pushes_.push_back(std::move(text));
    }
  }
  // The oldest push; waits for one. What arrived before a reply that was read already is there.
  std::string push() {
    while (pushes_.empty() && !broken_) {
      bool is_push = false;
      std::string text = read(&is_push);
      if (!is_push) return "not a push: " + text;
      pushes_.push_back(std::move(text));
    }
    if (pushes_.empty()) return "(broken)";
    std::string first = std::move(pushes_.front());
    pushes_.pop_front();
    return first;
  }
  // The next thing that arrives, whatever it is; a push begins with ">".
  std::string next() {
    bool is_push = false;
    const std::string text = read(&is_push);
    return is_push ? ">" + text : text;
  }
  bool has_push() const { return !pushes_.empty(); }

 private:
  std::string line() {
    size_t end;
    while ((end = buffer_.find("\r\n")) == std::string::npos && fill()) {
    }
    if (end == std::string::npos) return {};
    std::string text = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return text;
  }
  bool fill() {
    const std::string more = socket_.receive(1, 60000);
    broken_ = broken_ || more.empty();
    buffer_ += more;
    return !broken_;
  }
  std::string read(bool* is_push) {
    const std::string head = line();
    if (head.empty()) return "(broken)";
    const std::string rest = head.substr(1);
    const long long count = std::atoll(rest.c_str());
    switch (head[0]) {
      case '$':
      case '=': {
        if (count < 0) return "(nil)";
        const auto size = static_cast<size_t>(count);
        while (buffer_.size() < size + 2 && fill()) {
        }
        const std::string text = buffer_.substr(0, size);
        buffer_.erase(0, size + 2);
        return text;
      }
      case '>':
        *is_push = true;
        [[fallthrough]];
      case '*':
      case '~':
      case '%': {
        std::string text;
        for (long long i = 0; i < (head[0] == '%' ? 2 * count : count); ++i) {
          bool ignored = false;
          text += (i == 0 ? "" : " ") + read(&ignored);
        }
        return text;
      }
      case '_':
        return "(nil)";
      default:
        return rest;
    }
  }

  RawSocket socket_;
  std::string buffer_;
  std::deque<std::string> pushes_;
  bool broken_ = false;
};

}  // namespace synap_test
