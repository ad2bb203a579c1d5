// What tests speak to a server with: Client (hiredis, whole replies) and RawSocket (bytes, for everything that is not
// quite the protocol).
#pragma once

#include <arpa/inet.h>
#include <hiredis.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace synap_test {

struct Reply {
  int type = 0;  // REDIS_REPLY_…; 0 when the connection broke
  long long integer = 0;
  std::string text;
  std::vector<Reply> items;

  bool ok() const { return type == REDIS_REPLY_STATUS && text == "OK"; }
  bool nil() const { return type == REDIS_REPLY_NIL; }
  bool error() const { return type == REDIS_REPLY_ERROR; }
  bool broken() const { return type == 0; }
};

class Client {
 public:
  explicit Client(int port) : context_(redisConnect("127.0.0.1", port)) {
    if (context_ != nullptr && context_->err == 0) {
      const timeval limit = {60, 0};
      redisSetTimeout(context_, limit);
    }
  }
  explicit Client(const std::string& path) : context_(redisConnectUnix(path.c_str())) {}
  ~Client() {
    if (context_ != nullptr) redisFree(context_);
  }
  Client(Client&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return context_ != nullptr && context_->err == 0; }
  int fd() const { return context_->fd; }

  void append(const std::vector<std::string>& args) {
    std::vector<const char*> data;
    std::vector<size_t> sizes;
    for (const std::string& arg : args) {
      data.push_back(arg.data());
      sizes.push_back(arg.size());
    }
    redisAppendCommandArgv(context_, static_cast<int>(args.size()), data.data(), sizes.data());
  }
  Reply read() {
    void* raw = nullptr;
    if (!connected() || redisGetReply(context_, &raw) != REDIS_OK || raw == nullptr) return {};
    Reply reply = convert(static_cast<redisReply*>(raw));
    freeReplyObject(raw);
    return reply;
  }
  Reply call(const std::vector<std::string>& args) {
    append(args);
    return read();
  }
  std::string text(const std::vector<std::string>& args) { return call(args).text; }
  long long integer(const std::vector<std::string>& args) { return call(args).integer; }
  // Assertions about commands still to be built are made as soon as the server has them.
  bool has_command(const std::string& name) {
    const Reply reply = call({"COMMAND", "INFO", name});
    return reply.items.size() == 1 && !reply.items[0].nil();
  }

  // One field of INFO; empty when there is none.
  std::string info(const std::string& field) {
    const std::string all = "\r\n" + text({"INFO", "everything"});
    const size_t at = all.find("\r\n" + field + ":");
    if (at == std::string::npos) return {};
    const size_t begin = at + field.size() + 3;
    return all.substr(begin, all.find("\r\n", begin) - begin);
  }

 private:
  static Reply convert(const redisReply* raw) {
    Reply reply;
    reply.type = raw->type;
    reply.integer = raw->integer;
    if (raw->str != nullptr) reply.text.assign(raw->str, static_cast<size_t>(raw->len));
    for (size_t i = 0; i < raw->elements; ++i) reply.items.push_back(convert(raw->element[i]));
    return reply;
  }

  redisContext* context_;
};

class RawSocket {
 public:
  explicit RawSocket(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawSocket() { close(); }
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  // Its own.
  int port() const {
    sockaddr_in address = {};
    socklen_t bytes = sizeof(address);
    return ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &bytes) == 0 ? ntohs(address.sin_port) : 0;
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // Whether everything was taken.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // The peer reads to the end; what it answers can still be received.
  void end_sending() { ::shutdown(fd_, SHUT_WR); }
  // What arrives until `bytes_min` are there, the peer closes, or nothing came for the time.
  std::string receive(size_t bytes_min, int timeout_ms = 5000) {
    std::string got;
    char buffer[65536];
    while (got.size() < bytes_min) {
      pollfd waiting = {fd_, POLLIN, 0};
      if (::poll(&waiting, 1, timeout_ms) <= 0) break;
      const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) {
        closed_ = true;
        break;
      }
      got.append(buffer, static_cast<size_t>(n));
    }
    return got;
  }
  // Everything up to the peer's close.
  std::string receive_all(int timeout_ms = 5000) { return receive(SIZE_MAX, timeout_ms); }
  // The peer has closed (seen by an earlier receive, or now).
  bool closed_by_peer(int timeout_ms = 5000) {
    if (!closed_) receive(SIZE_MAX, timeout_ms);
    return closed_;
  }

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
};

inline std::string encode(const std::vector<std::string>& args) {
  std::string out = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return out;
}

// Whether the condition came true in time.
inline bool eventually(const std::function<bool()>& condition, int timeout_ms = 10000) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace synap_test
