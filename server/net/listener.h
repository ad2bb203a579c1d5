// Listener: one listening socket on one reactor. Accepts and hands connected descriptors to its owner, which deals them
// to reactors. Errors come back as text for the log, worded as Redis does. All of it on the reactor's thread, but for
// opening and release().
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "server/base/status.h"
#include "server/net/reactor.h"

namespace synap {

struct UnixSocketOptions {
  unsigned mode = 0;   // 0: as the umask says
  std::string group;  // a name or number; empty: the process's own
};

class Listener {
 public:
  using Accepted = std::function<void(int fd)>;

  explicit Listener(Reactor* reactor) : reactor_(reactor) {}
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // `address`: an IPv4 or IPv6 address, "*" or "::*" for all, or a host name. Unsupported families are kUnsupported.
  Status listen_tcp(const std::string& address, int port, int backlog);
  Status listen_unix(const std::string& path, const UnixSocketOptions& options, int backlog);
  // Begins to accept (on the reactor's thread or before it runs).
  void start(Accepted accepted);
  // Any thread: nobody can connect any more, and the address is free again. close() has to follow.
  void release();
  void close();

 private:
  void accept_ready();

  Reactor* const reactor_;
  int fd_ = -1;
  bool is_unix_ = false;
  bool started_ = false;
  std::string path_;
  Accepted accepted_;
};

// Whether the connected socket's other end is on this machine's loopback interface.
bool is_loopback_peer(int fd);

// The address family is one that this machine may well lack (an optional "-::1" bind).
bool is_unsupported_address(const Status& status);

}  // namespace synap
