// Listening: the listening sockets that the configuration asks for (port, tls-port, unixsocket on all of bind), and the
// TLS context that connections begin with; CONFIG SET changes both while the server runs.
// Sockets are watched by one reactor, the acceptor; what it accepts goes to the function given.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "server/base/status.h"
#include "server/base/sync.h"
#include "server/command/config_store.h"
#include "server/net/listener.h"
#include "server/net/reactor.h"
#include "server/net/tls_context.h"
#include "server/net/tls_session.h"

namespace synap {

enum class SocketKind : uint8_t { kTcp, kTls, kUnix };

class Listening {
 public:
  using Accepted = std::function<void(int fd, SocketKind kind)>;

  // Follows changes of the configuration from now on.
  Listening(Reactor* acceptor, ConfigStore* config, Accepted accepted);
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  // Opens everything, before the acceptor runs. False: the log says why.
  bool start();
  // On the acceptor's thread.
  void stop();
  // Any thread: from now on nobody can connect. The sockets themselves go with stop().
  void refuse();
  // The lines that tell the world.
  void announce() const;

  // For a connection that came through tls-port. Any thread.
  std::unique_ptr<TlsSession> new_tls_session() const;

 private:
  using Listeners = std::vector<std::shared_ptr<Listener>>;

  static constexpr size_t kKinds = 3;

  bool open_tcp(const Config& config, SocketKind kind, Listeners* opened);
  bool open_unix(const Config& config, Listeners* opened);
  void accept_on(SocketKind kind, const Listeners& listeners);
  bool reopen(const Config& config, SocketKind kind);
  bool load_tls(const Config& config);
  void follow_changes();
  std::shared_ptr<const TlsContext> tls() const;  // null until TLS is in use
  Listeners take(SocketKind kind);

  Reactor* const acceptor_;
  ConfigStore* const config_;
  const Accepted accepted_;
  mutable Mutex mutex_{LockRank::kLeaf};
  std::array<Listeners, kKinds> listeners_ GUARDED_BY(mutex_);
  std::shared_ptr<const TlsContext> tls_ GUARDED_BY(mutex_);
};

}  // namespace synap
