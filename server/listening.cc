#include "server/listening.h"

#include <cstdint>
#include <string>
#include <utility>

#include "server/base/log.h"
#include "server/command/tls_settings.h"

namespace synap {

namespace {

constexpr const char* kCannotListen = "Unable to listen on this port. Check server logs.";
constexpr const char* kCannotBind = "Failed to bind to specified addresses.";
constexpr const char* kCannotLoadTls = "Unable to update TLS configuration. Check server logs.";

bool wants_tls(const Config& config) {
  return config.tls_port != 0 || config.tls_replication || config.tls_cluster;
}

int64_t port_of(const Config& config, SocketKind kind) {
  return kind == SocketKind::kTls ? config.tls_port : config.port;
}

TlsClientCertificates certificates_of(const Config& config) {
  switch (config.tls_auth_clients) {
    case TlsAuthClients::kNo:
      return TlsClientCertificates::kIgnored;
    case TlsAuthClients::kOptional:
      return TlsClientCertificates::kOptional;
    case TlsAuthClients::kYes:
      break;
  }
  return TlsClientCertificates::kRequired;
}

Status refuse_unless(bool done, const char* text) {
  return done ? Status() : Status(StatusCode::kIoError, text);
}

}  // namespace

Listening::Listening(Reactor* acceptor, ConfigStore* config, Accepted accepted)
    : acceptor_(acceptor), config_(config), accepted_(std::move(accepted)) {
  follow_changes();
}

void Listening::follow_changes() {
  config_->on_change({"port"}, [this](const Config&, const Config& after) {
    return refuse_unless(reopen(after, SocketKind::kTcp), kCannotListen);
  });
  config_->on_change({"bind"}, [this](const Config&, const Config& after) {
    const bool done = reopen(after, SocketKind::kTcp) && reopen(after, SocketKind::kTls);
    return refuse_unless(done, kCannotBind);
  });
  config_->on_change({"tls-port"}, [this](const Config&, const Config& after) {
    if (after.tls_port != 0 && tls() == nullptr && !load_tls(after)) return refuse_unless(false, kCannotLoadTls);
    return refuse_unless(reopen(after, SocketKind::kTls), kCannotListen);
  });
  config_->on_change(
      {"tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file", "tls-client-key-file",
       "tls-client-key-file-pass", "tls-dh-params-file", "tls-ca-cert-file", "tls-ca-cert-dir", "tls-protocols",
       "tls-ciphers", "tls-ciphersuites", "tls-prefer-server-ciphers", "tls-session-caching", "tls-session-cache-size",
       "tls-session-cache-timeout", "tls-cluster", "tls-replication"},
      [this](const Config&, const Config& after) {
        return refuse_unless(!wants_tls(after) || load_tls(after), kCannotLoadTls);
      });
}

bool Listening::start() {
  const Config& config = config_->current();
  if (wants_tls(config) && !load_tls(config)) {
    log_warning("Failed to configure TLS. Check logs for more info.");
    return false;
  }
  Listeners unix_listeners;
  for (const SocketKind kind : {SocketKind::kTcp, SocketKind::kTls}) {
    if (reopen(config, kind)) continue;
    log_warning("Failed listening on port %lld (%s), aborting.", static_cast<long long>(port_of(config, kind)),
                kind == SocketKind::kTls ? "tls" : "tcp");
    return false;
  }
  if (!open_unix(config, &unix_listeners)) return false;
  accept_on(SocketKind::kUnix, unix_listeners);
  LockGuard guard(mutex_);
  listeners_[static_cast<size_t>(SocketKind::kUnix)] = std::move(unix_listeners);
  for (const Listeners& listeners : listeners_) {
    if (!listeners.empty()) return true;
  }
  log_warning("Configured to not listen anywhere, exiting.");
  return false;
}

void Listening::stop() {
  for (const SocketKind kind : {SocketKind::kTcp, SocketKind::kTls, SocketKind::kUnix}) {
    for (const auto& listener : take(kind)) listener->close();
  }
}

void Listening::refuse() {
  LockGuard guard(mutex_);
  for (const Listeners& listeners : listeners_) {
    for (const auto& listener : listeners) listener->release();
  }
}

void Listening::announce() const {
  const Config& config = config_->current();
  if (config.port != 0) log_notice("Ready to accept connections tcp");
  if (config.tls_port != 0) log_notice("Ready to accept connections tls");
  if (!config.unixsocket.empty()) log_notice("Ready to accept connections unix");
}

std::unique_ptr<TlsSession> Listening::new_tls_session() const {
  return std::make_unique<TlsSession>(*tls(), certificates_of(config_->current()));
}

std::shared_ptr<const TlsContext> Listening::tls() const {
  LockGuard guard(mutex_);
  return tls_;
}

Listening::Listeners Listening::take(SocketKind kind) {
  LockGuard guard(mutex_);
  return std::exchange(listeners_[static_cast<size_t>(kind)], {});
}

bool Listening::load_tls(const Config& config) {
  auto context = TlsContext::make(tls_settings(config));
  if (!context.ok()) {
    log_warning("%s", context.status().detail().c_str());
    return false;
  }
  LockGuard guard(mutex_);
  tls_ = std::move(*context);
  return true;
}

// Addresses with '-' before them may be lacking on this machine.
bool Listening::open_tcp(const Config& config, SocketKind kind, Listeners* opened) {
  const auto port = static_cast<int>(port_of(config, kind));
  for (const std::string& bind : config.bind) {
    const bool optional = bind.starts_with('-');
    const std::string address = optional ? bind.substr(1) : bind;
    auto listener = std::make_shared<Listener>(acceptor_);
    const Status status = listener->listen_tcp(address, port, static_cast<int>(config.tcp_backlog));
    if (status.ok()) {
      opened->push_back(std::move(listener));
      continue;
    }
    const bool lacking = is_unsupported_address(status);
    if (lacking && (optional || bind == "*")) continue;
    log_warning("Warning: Could not create server TCP listening socket %s:%d: %s", address.c_str(), port,
                status.detail().c_str());
    return false;
  }
  return true;
}

bool Listening::open_unix(const Config& config, Listeners* opened) {
  if (config.unixsocket.empty()) return true;
  auto listener = std::make_shared<Listener>(acceptor_);
  const UnixSocketOptions options{static_cast<unsigned>(config.unixsocketperm), config.unixsocketgroup};
  const Status status = listener->listen_unix(config.unixsocket, options, static_cast<int>(config.tcp_backlog));
  if (!status.ok()) {
    log_warning("Failed opening Unix socket: %s", status.detail().c_str());
    return false;
  }
  opened->push_back(std::move(listener));
  return true;
}

void Listening::accept_on(SocketKind kind, const Listeners& listeners) {
  for (const auto& listener : listeners) {
    listener->start([this, kind](int fd) { accepted_(fd, kind); });
  }
}

// The old sockets go first: the new ones may want their port. On whatever thread the change was asked for, so the
// acceptor is only told; that the old ones are released means nobody can connect to them any more.
bool Listening::reopen(const Config& config, SocketKind kind) {
  for (const auto& old : take(kind)) {
    old->release();
    acceptor_->post([old] { old->close(); });
  }
  if (port_of(config, kind) == 0) return true;
  Listeners opened;
  if (!open_tcp(config, kind, &opened)) return false;
  acceptor_->post([this, kind, opened] { accept_on(kind, opened); });
  LockGuard guard(mutex_);
  listeners_[static_cast<size_t>(kind)] = std::move(opened);
  return true;
}

}  // namespace synap
