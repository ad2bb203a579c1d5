#include "scripting/debug_wire.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "server/base/number.h"

namespace synap {

namespace {

constexpr size_t kInputBytesMax = 1024 * 1024;
constexpr int64_t kWordsMax = 1024;

enum class Parsed { kWhole, kPart, kBroken };

// The number of a header line such as "*2\r\n" at *at, which is moved behind it.
Parsed parse_header(std::string_view input, size_t* at, char type, int64_t* value) {
  const size_t end = input.find("\r\n", *at);
  if (*at < input.size() && input[*at] != type) return Parsed::kBroken;
  if (end == std::string_view::npos) return Parsed::kPart;
  if (!parse_int64(input.substr(*at + 1, end - *at - 1), value)) return Parsed::kBroken;
  *at = end + 2;
  return Parsed::kWhole;
}

Parsed parse_command(std::string_view input, std::vector<std::string>* words) {
  words->clear();
  if (input.empty()) return Parsed::kPart;
  size_t at = 0;
  int64_t count = 0;
  Parsed parsed = parse_header(input, &at, '*', &count);
  if (parsed != Parsed::kWhole) return parsed;
  if (count <= 0 || count > kWordsMax) return Parsed::kBroken;
  for (int64_t i = 0; i < count; ++i) {
    int64_t size = 0;
    parsed = parse_header(input, &at, '$', &size);
    if (parsed != Parsed::kWhole) return parsed;
    if (size <= 0 || size > static_cast<int64_t>(kInputBytesMax)) return Parsed::kBroken;
    if (input.size() - at < static_cast<size_t>(size) + 2) return Parsed::kPart;
    words->emplace_back(input.substr(at, static_cast<size_t>(size)));
    at += static_cast<size_t>(size) + 2;
  }
  return Parsed::kWhole;
}

}  // namespace

void DebugWire::log(std::string_view line, bool may_cut) {
  std::string text(line);
  const bool cut = may_cut && line_bytes_max_ != 0 && text.size() > line_bytes_max_;
  if (cut) text.replace(line_bytes_max_, std::string::npos, " ...");
  for (char& c : text) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  lines_.push_back(std::move(text));
  if (!cut || hint_sent_) return;
  hint_sent_ = true;
  lines_.emplace_back("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
}

void DebugWire::send_logs() {
  std::string out = "*" + to_text(static_cast<int64_t>(lines_.size())) + "\r\n";
  for (const std::string& line : lines_) out.append("+").append(line).append("\r\n");
  lines_.clear();
  send(out);
}

// False when the client or the server is gone.
bool DebugWire::wait(short events) {
  pollfd watched[2] = {{fd_, events, 0}, {lifeline_, POLLIN, 0}};
  while (poll(watched, lifeline_ < 0 ? 1 : 2, -1) < 0) {
    if (errno != EINTR) return false;
  }
  return lifeline_ < 0 || watched[1].revents == 0;
}

void DebugWire::send(std::string_view bytes) {
  while (!bytes.empty() && !closed_) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if ((errno != EAGAIN && errno != EINTR) || !wait(POLLOUT)) {
      closed_ = true;
    }
  }
}

DebugWire::Input DebugWire::read_command(std::vector<std::string>* words) {
  for (;;) {
    const Parsed parsed = parse_command(input_, words);
    if (parsed == Parsed::kWhole) {
      input_.clear();  // commands do not come in pipelines here
      return Input::kCommand;
    }
    if (parsed == Parsed::kBroken || input_.size() > kInputBytesMax) return Input::kBroken;
    if (closed_ || !wait(POLLIN)) return Input::kClosed;
    char bytes[4096];
    const ssize_t count = ::recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count > 0) {
      input_.append(bytes, static_cast<size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      closed_ = true;
    }
  }
}

}  // namespace synap
