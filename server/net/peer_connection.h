// PeerConnection: a connection to another server for a thread that may wait: every call returns within its time limit.
// Owned and touched by one thread at a time; never used on a reactor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/status.h"
#include "server/net/tls_context.h"

struct ssl_st;

namespace synap {

class PeerConnection {
 public:
  enum class Outcome : uint8_t { kDone, kTimedOut, kBroken };

  struct Options {
    std::shared_ptr<const TlsContext> tls;  // null: plain TCP
    std::function<bool()> give_up;          // asked every now and then while waiting: whether to act as if time were up
  };
  // `timeout_ms` bounds the whole of it, but for the look-up of a name.
  static Result<std::unique_ptr<PeerConnection>> open(const std::string& host, int port, Options options,
                                                      int64_t timeout_ms);
  ~PeerConnection();
  PeerConnection(const PeerConnection&) = delete;
  PeerConnection& operator=(const PeerConnection&) = delete;

  // `timeout_ms`: how long the peer may take without accepting a byte.
  Outcome write(std::string_view bytes, int64_t timeout_ms);
  // A line without its end; longer ones than a megabyte break the connection. `timeout_ms`: without a new byte.
  Outcome read_line(std::string* line, int64_t timeout_ms);

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };

  PeerConnection(int fd, const Options& options) : fd_(fd), options_(options) {}

  static Result<std::unique_ptr<PeerConnection>> connect(const std::string& host, int port, const Options& options,
                                                         int64_t deadline_us);
  Outcome handshake(int64_t deadline_us);
  // Waits until the socket is ready for `events` of poll(2).
  Outcome wait_for(short events, int64_t deadline_us) const;
  // One read or write, as the socket is ready; 0: it is not, and `*events` says what it waits for; -1: broken.
  long send_some(std::string_view bytes, short* events);
  long receive_some(char* target, size_t size, short* events);
  long tls_result(int result, short* events);

  const int fd_;
  const Options options_;
  std::unique_ptr<ssl_st, Free> ssl_;
  std::string received_;  // beyond the last line
};

}  // namespace synap
