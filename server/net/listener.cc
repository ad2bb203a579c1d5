#include "server/net/listener.h"

#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "server/base/number.h"

namespace synap {

namespace {

// One turn accepts at most this many, so that a storm of connections does not starve clients.
constexpr int kAcceptsPerTurnMax = 1000;

Status io_error(const std::string& what) {
  const int error = errno;
  const bool unsupported = error == EAFNOSUPPORT || error == EPROTONOSUPPORT || error == EPFNOSUPPORT ||
                           error == ESOCKTNOSUPPORT || error == EADDRNOTAVAIL;
  return Status(unsupported ? StatusCode::kUnsupported : StatusCode::kIoError, what + ": " + std::strerror(error));
}

// By name or number; false with errno set.
bool change_group(const std::string& path, const std::string& group) {
  const struct group* found = getgrnam(group.c_str());
  int64_t id = 0;
  if (found == nullptr && !parse_int64(group, &id)) {
    errno = ENOENT;
    return false;
  }
  return chown(path.c_str(), static_cast<uid_t>(-1), found != nullptr ? found->gr_gid : static_cast<gid_t>(id)) == 0;
}

}  // namespace

bool is_loopback_peer(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  if (address.ss_family == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr);
  }
  const auto* in = reinterpret_cast<const sockaddr_in*>(&address);
  return address.ss_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool is_unsupported_address(const Status& status) { return status.code() == StatusCode::kUnsupported; }

Status Listener::listen_tcp(const std::string& address, int port, int backlog) {
  const bool any6 = address == "::*";
  const bool any4 = address == "*";
  addrinfo hints{};
  hints.ai_family = any6 ? AF_INET6 : any4 ? AF_INET : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(any4 || any6 ? nullptr : address.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) return Status(StatusCode::kIoError, gai_strerror(failed));
  Status status(StatusCode::kIoError, "unable to bind socket");
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    fd_ = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
    if (fd_ < 0) {
      status = io_error("socket");
      continue;
    }
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd_, info->ai_addr, info->ai_addrlen) == 0 && listen(fd_, backlog) == 0) {
      status = Status();
      break;
    }
    status = io_error("bind");
    ::close(std::exchange(fd_, -1));
  }
  freeaddrinfo(list);
  return status;
}

Status Listener::listen_unix(const std::string& path, const UnixSocketOptions& options, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Status(StatusCode::kTooLarge, "socket path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return io_error("socket");
  unlink(path.c_str());
  is_unix_ = true;
  path_ = path;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return io_error("bind");
  if (!options.group.empty() && !change_group(path, options.group)) return io_error("chown");
  if (options.mode != 0 && chmod(path.c_str(), static_cast<mode_t>(options.mode)) != 0) return io_error("chmod");
  if (listen(fd_, backlog) != 0) return io_error("listen");
  return Status();
}

void Listener::start(Accepted accepted) {
  accepted_ = std::move(accepted);
  started_ = true;
  reactor_->watch_readable(fd_, [this] { accept_ready(); });
}

void Listener::accept_ready() {
  for (int i = 0; i < kAcceptsPerTurnMax; ++i) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;  // nothing more, or out of descriptors: the kernel keeps the rest in the backlog
    accepted_(fd);
  }
}

// The number stays taken until close(), so that no new descriptor can be mistaken for the one the loop still watches.
void Listener::release() {
  const int nothing = eventfd(0, EFD_CLOEXEC);
  if (nothing < 0) return;
  dup2(nothing, fd_);
  ::close(nothing);
}

void Listener::close() {
  if (fd_ < 0) return;
  if (started_) reactor_->unwatch(fd_);
  ::close(std::exchange(fd_, -1));
  if (is_unix_) unlink(path_.c_str());
}

// Without its reactor: what was watched and not closed has outlived it.
Listener::~Listener() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (is_unix_) unlink(path_.c_str());
}

}  // namespace synap
