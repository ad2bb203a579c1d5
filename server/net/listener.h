// Listener: one listening socket on one reactor. Accepts and hands connected descriptors to its owner, which deals them
// to reactors. Errors come back as text for the log, worded as Redis does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "server/base/status.h"
#include "server/net/reactor.h"

namespace synap {

class Listener {
 public:
  using Accepted = std::function<void(int fd, bool is_unix)>;

  explicit Listener(Reactor* reactor) : reactor_(reactor) {}
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // `address`: an IPv4 or IPv6 address, "*" or "::*" for all, or a host name. Unsupported families are kUnsupported.
  Status listen_tcp(const std::string& address, int port, int backlog);
  // mode 0: as the umask says.
  Status listen_unix(const std::string& path, unsigned mode, int backlog);
  // Begins to accept (on the reactor's thread or before it runs).
  void start(Accepted accepted);
  void close();

  bool is_unix() const { return is_unix_; }
  int fd() const { return fd_; }

 private:
  void accept_ready();

  Reactor* const reactor_;
  int fd_ = -1;
  bool is_unix_ = false;
  bool started_ = false;
  std::string path_;
  Accepted accepted_;
};

// The address family is one that this machine may well lack (an optional "-::1" bind).
bool is_unsupported_address(const Status& status);

}  // namespace synap
