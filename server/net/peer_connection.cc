#include "server/net/peer_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "server/base/clock.h"

namespace synap {

namespace {

constexpr size_t kLineBytesMax = 1 << 20;
constexpr int64_t kGiveUpCheckMs = 100;

Status io_error(const char* what, int error) {
  return Status(StatusCode::kIoError, std::string(what) + ": " + std::strerror(error));
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int64_t deadline_after(int64_t timeout_ms) {
  constexpr int64_t kTimeoutMsMax = INT64_C(1) << 40;  // years, far from an overflow
  return monotonic_us() + std::min(timeout_ms, kTimeoutMsMax) * 1000;
}

}  // namespace

void PeerConnection::Free::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

PeerConnection::~PeerConnection() {
  ::close(fd_);
}

Result<std::unique_ptr<PeerConnection>> PeerConnection::open(const std::string& host, int port, Options options,
                                                             int64_t timeout_ms) {
  const int64_t deadline_us = deadline_after(timeout_ms);
  auto connected = connect(host, port, options, deadline_us);
  if (!connected.ok() || options.tls == nullptr) return connected;
  if ((*connected)->handshake(deadline_us) != Outcome::kDone)
    return Status(StatusCode::kIoError, "TLS handshake failed");
  return connected;
}

Result<std::unique_ptr<PeerConnection>> PeerConnection::connect(const std::string& host, int port,
                                                                const Options& options, int64_t deadline_us) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) return Status(StatusCode::kIoError, gai_strerror(failed));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(list, freeaddrinfo);
  Status status(StatusCode::kIoError, "no address");
  for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
    const int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
      status = io_error("socket", errno);
      continue;
    }
    std::unique_ptr<PeerConnection> attempt(new PeerConnection(fd, options));
    int error = ::connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      socklen_t size = sizeof error;
      if (attempt->wait_for(POLLOUT, deadline_us) != Outcome::kDone) return io_error("connect", ETIMEDOUT);
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) {
      const int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      return attempt;
    }
    status = io_error("connect", error);
  }
  return status;
}

PeerConnection::Outcome PeerConnection::wait_for(short events, int64_t deadline_us) const {
  for (;;) {
    const int64_t left_ms = (deadline_us - monotonic_us() + 999) / 1000;
    if (left_ms <= 0 || (options_.give_up && options_.give_up())) return Outcome::kTimedOut;
    pollfd watched = {fd_, events, 0};
    const int ready = poll(&watched, 1, static_cast<int>(std::min(left_ms, kGiveUpCheckMs)));
    if (ready > 0) return Outcome::kDone;
    if (ready < 0 && errno != EINTR) return Outcome::kBroken;
  }
}

PeerConnection::Outcome PeerConnection::handshake(int64_t deadline_us) {
  ssl_.reset(SSL_new(options_.tls->client()));
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), fd_) != 1) return Outcome::kBroken;
  for (;;) {
    short events = 0;
    const long done = tls_result(SSL_connect(ssl_.get()), &events);
    if (done > 0) return Outcome::kDone;
    if (done < 0) return Outcome::kBroken;
    if (const Outcome waited = wait_for(events, deadline_us); waited != Outcome::kDone) return waited;
  }
}

long PeerConnection::tls_result(int result, short* events) {
  if (result > 0) return result;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      *events = POLLIN;
      return 0;
    case SSL_ERROR_WANT_WRITE:
      *events = POLLOUT;
      return 0;
    default:
      return -1;
  }
}

long PeerConnection::send_some(std::string_view bytes, short* events) {
  if (ssl_ != nullptr) {
    return tls_result(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX))),
                      events);
  }
  *events = POLLOUT;
  const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent >= 0 ? sent : would_block() ? 0 : -1;
}

long PeerConnection::receive_some(char* target, size_t size, short* events) {
  if (ssl_ != nullptr) return tls_result(SSL_read(ssl_.get(), target, static_cast<int>(size)), events);
  *events = POLLIN;
  const ssize_t received = ::recv(fd_, target, size, 0);
  return received > 0 ? received : received < 0 && would_block() ? 0 : -1;
}

PeerConnection::Outcome PeerConnection::write(std::string_view bytes, int64_t timeout_ms) {
  while (!bytes.empty()) {
    short events = 0;
    const long sent = send_some(bytes, &events);
    if (sent < 0) return Outcome::kBroken;
    if (sent == 0) {
      if (const Outcome waited = wait_for(events, deadline_after(timeout_ms)); waited != Outcome::kDone) return waited;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return Outcome::kDone;
}

PeerConnection::Outcome PeerConnection::read_line(std::string* line, int64_t timeout_ms) {
  for (;;) {
    if (const size_t end = received_.find('\n'); end != std::string::npos) {
      line->assign(received_, 0, end > 0 && received_[end - 1] == '\r' ? end - 1 : end);
      received_.erase(0, end + 1);
      return Outcome::kDone;
    }
    if (received_.size() > kLineBytesMax) return Outcome::kBroken;
    char bytes[4096];
    short events = 0;
    const long count = receive_some(bytes, sizeof bytes, &events);
    if (count < 0) return Outcome::kBroken;
    received_.append(bytes, static_cast<size_t>(count));
    if (count > 0) continue;
    if (const Outcome waited = wait_for(events, deadline_after(timeout_ms)); waited != Outcome::kDone) return waited;
  }
}

}  // namespace synap
