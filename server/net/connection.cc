#include "server/net/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include <utility>

#include "server/base/assert.h"
#include "server/base/log.h"

namespace synap {

struct Connection::Handles {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  uv_write_t write_request;
};

namespace {

std::string address_name(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address);
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(in->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&address);
    inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(in6->sin6_port));
  }
  const auto* un = reinterpret_cast<const sockaddr_un*>(&address);
  return std::string(un->sun_path) + ":0";
}

void set_keepalive(int fd, int64_t seconds) {
  const int on = 1;
  const int idle = static_cast<int>(seconds);
  const int interval = idle / 3 > 0 ? idle / 3 : 1;
  const int count = 3;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

// With TLS the reactor's buffer holds what the socket gave and what it says, side by side.
std::span<char> ciphertext_half(std::span<char> buffer) { return buffer.first(buffer.size() / 2); }
std::span<char> plaintext_half(std::span<char> buffer) { return buffer.last(buffer.size() / 2); }

}  // namespace

Connection::Connection(Reactor* reactor, ConnectionOwner* owner)
    : reactor_(reactor), owner_(owner), handles_(std::make_unique<Handles>()) {}

Connection::~Connection() { SYNAP_ASSERT(fd_ == -1); }

bool Connection::open(int fd, bool is_unix, int64_t keepalive_seconds, TlsStart tls) {
  is_unix_ = is_unix;
  tls_ = std::move(tls.session);
  handshakes_ = tls.handshakes;
  int failed;
  if (is_unix) {
    uv_pipe_init(reactor_->loop(), &handles_->pipe, 0);
    failed = uv_pipe_open(&handles_->pipe, fd);
  } else {
    uv_tcp_init(reactor_->loop(), &handles_->tcp);
    failed = uv_tcp_open(&handles_->tcp, fd);
    uv_tcp_nodelay(&handles_->tcp, 1);
    if (keepalive_seconds > 0) set_keepalive(fd, keepalive_seconds);
  }
  handles_->handle.data = this;
  handles_->write_request.data = this;
  fd_ = fd;
  if (tls_ != nullptr) handshakes_->begin(this);
  if (failed == 0) resume_reading();
  return failed == 0;
}

void Connection::resume_reading() {
  if (reading_ || closing_) return;
  reading_ = true;
  uv_read_start(
      &handles_->stream,
      [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
        const std::span<char> target = static_cast<Connection*>(handle->data)->next_target();
        *buffer = uv_buf_init(target.data(), static_cast<unsigned>(target.size()));
      },
      [](uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer) {
        static_cast<Connection*>(stream->data)->handle_read(n, buffer->base);
      });
}

// Empty when the connection has had its share of this turn: libuv then leaves the rest in the socket, which stays ready.
std::span<char> Connection::next_target() {
  if (std::exchange(read_turn_, reactor_->turn()) != reactor_->turn()) read_in_turn_ = 0;
  if (read_in_turn_ >= kReadBytesATurn) return {};
  std::span<char> target = tls_ != nullptr ? ciphertext_half(reactor_->read_buffer()) : owner_->read_target();
  if (target.empty()) target = reactor_->read_buffer();
  return target.first(std::min(target.size(), kReadBytesATurn));
}

void Connection::handle_read(ssize_t count, const char* bytes) {
  if (count == UV_ENOBUFS) return;  // next_target() was empty
  if (count < 0) return owner_->on_end(count == UV_EOF ? "closed" : uv_strerror(static_cast<int>(count)));
  if (count == 0) return;
  const auto size = static_cast<size_t>(count);
  bytes_in_ += size;
  read_in_turn_ += size;
  if (tls_ != nullptr) return tls_data({bytes, size});
  owner_->on_data({const_cast<char*>(bytes), size});
}

void Connection::pause_reading() {
  if (!reading_ || closing_) return;
  reading_ = false;
  uv_read_stop(&handles_->stream);
}

void Connection::write(OutputBuffer* buffer) {
  if (closing_) return buffer->clear();
  if (tls_ == nullptr) return send(buffer);
  plain_.append_all(std::move(*buffer));
  if (writing_ || !tls_->established()) return;
  if (!encrypt_waiting()) return;
  OutputBuffer records = std::move(waiting_);
  send(&records);
  if (!plain_.empty() && !writing_ && !closing_) flush_waiting();  // the rest goes a part a turn
}

void Connection::send(OutputBuffer* buffer) {
  if (writing_) return waiting_.append_all(std::move(*buffer));
  if (buffer->empty()) return;
  iovec pieces[kPiecesMax];
  const size_t count = buffer->gather(pieces, kWrittenAtOnce);
  static_assert(sizeof(uv_buf_t) == sizeof(iovec));
  const int written = uv_try_write(&handles_->stream, reinterpret_cast<uv_buf_t*>(pieces), static_cast<unsigned>(count));
  if (written < 0 && written != UV_EAGAIN) {
    buffer->clear();
    return fail(written);
  }
  if (written > 0) {
    bytes_out_ += static_cast<uint64_t>(written);
    buffer->consume(static_cast<size_t>(written));
  }
  if (buffer->empty()) return;
  waiting_.append_all(std::move(*buffer));
  flush_waiting();
}

// Gives the next pieces to libuv, which writes them as the socket becomes writable.
void Connection::flush_waiting() {
  SYNAP_ASSERT(!writing_);
  if (!encrypt_waiting()) return;
  in_flight_ = std::move(waiting_);
  if (in_flight_.empty()) return owner_->on_drained();
  iovec pieces[kPiecesMax];
  const size_t count = in_flight_.gather(pieces, kWrittenAtOnce);
  writing_ = true;
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += pieces[i].iov_len;
  write_bytes_ = bytes;
  const int failed = uv_write(&handles_->write_request, &handles_->stream, reinterpret_cast<uv_buf_t*>(pieces),
                              static_cast<unsigned>(count), [](uv_write_t* request, int status) {
                                static_cast<Connection*>(request->data)->write_done(status);
                              });
  if (failed != 0) {
    writing_ = false;
    fail(failed);
  }
}

void Connection::write_done(int status) {
  writing_ = false;
  if (closing_) return;
  if (status < 0) return fail(status);
  bytes_out_ += write_bytes_;
  in_flight_.consume(write_bytes_);
  in_flight_.append_all(std::move(waiting_));
  waiting_ = std::move(in_flight_);
  flush_waiting();
}

// --- TLS.

void Connection::tls_data(std::string_view ciphertext) {
  tls_->feed(ciphertext);
  if (tls_->established()) return read_plaintext(plaintext_half(reactor_->read_buffer()));
  // The bytes lie in the reactor's buffer, and the handshake has to wait for its turn.
  tls_->keep_input();
  if (tls_->kept_bytes() > kHandshakeBytesMax) return fail_tls("too much data before the end of the handshake");
  handshakes_->wants_step(this);
}

void Connection::handshake_step() {
  const TlsSession::Step step = tls_->handshake();
  if (step == TlsSession::Step::kClosed || step == TlsSession::Step::kFailed) {
    send_tls_output();  // the alert
    return fail_tls(tls_->error());
  }
  send_tls_output();
  if (closing_ || !tls_->established()) return;
  handshakes_->end(this);
  if (!plain_.empty() && !writing_) flush_waiting();
  if (closing_ || tls_->drained()) return;
  // The reactor's buffer may just hold what another connection has read.
  char record[kRecordBytesMax];
  read_plaintext(record);
}

void Connection::read_plaintext(std::span<char> buffer) {
  for (;;) {
    std::span<char> target = owner_->read_target();
    if (target.empty()) target = buffer;
    size_t count = 0;
    const TlsSession::Step step = tls_->read(target, &count);
    if (step == TlsSession::Step::kClosed) return owner_->on_end("closed");
    if (step == TlsSession::Step::kFailed) {
      send_tls_output();
      return owner_->on_end(tls_->error());
    }
    if (step == TlsSession::Step::kDone) {
      owner_->on_data(target.first(count));
      if (closing_) return;
    }
    if (!tls_->output().empty()) send_tls_output();  // a key update's answer
    if (step == TlsSession::Step::kNeedsInput || tls_->drained()) return;
  }
}

// Tops up what waits for the socket. False: the session broke, and its owner has heard of it.
bool Connection::encrypt_waiting() {
  if (tls_ == nullptr || !tls_->established() || plain_.empty()) return true;
  const size_t room = waiting_.size() < kEncryptedAtOnce ? kEncryptedAtOnce - waiting_.size() : 0;
  if (!tls_->encrypt(&plain_, room)) {
    plain_.clear();
    fail_tls(tls_->error());
    return false;
  }
  waiting_.append_all(std::move(tls_->output()));
  return true;
}

// What the session itself has to say goes after what waits already.
void Connection::send_tls_output() {
  if (closing_ || tls_->output().empty()) return;
  OutputBuffer records = std::move(tls_->output());
  send(&records);
}

void Connection::fail_tls(const std::string& reason) {
  if (!tls_->established()) {
    log_warning("Error accepting a client connection: %s (addr=%s laddr=%s)", reason.c_str(), peer_name().c_str(),
                local_name().c_str());
  }
  owner_->on_end(reason);
}

void Connection::fail(int status) { owner_->on_end(uv_strerror(status)); }

void Connection::close() {
  if (closing_) return;
  if (tls_ != nullptr) {
    handshakes_->end(this);
    tls_->say_goodbye();
    send_tls_output();
  }
  closing_ = true;
  reading_ = false;
  uv_close(&handles_->handle, [](uv_handle_t* handle) {
    auto* self = static_cast<Connection*>(handle->data);
    self->fd_ = -1;
    self->in_flight_.clear();
    self->waiting_.clear();
    self->plain_.clear();
    self->owner_->on_closed();
  });
}

std::string Connection::peer_name() const {
  if (is_unix_) return local_name();
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?:0";
  return address_name(address);
}

std::string Connection::local_name() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?:0";
  return address_name(address);
}

}  // namespace synap
