// TlsContext: what the tls-* directives say, loaded into OpenSSL: certificates, keys, protocols, ciphers, session
// cache. Immutable once made; a change makes a new one, and connections keep the one they began with. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/base/status.h"

struct ssl_ctx_st;

namespace synap {

enum class TlsClientCertificates : uint8_t { kIgnored, kRequired, kOptional };

// Empty text: not set.
struct TlsSettings {
  std::string cert_file, key_file, key_file_pass;
  std::string client_cert_file, client_key_file, client_key_file_pass;
  std::string ca_cert_file, ca_cert_dir;
  std::string protocols, ciphers, ciphersuites, dh_params_file;
  bool needs_ca = false;  // somebody's certificate will be asked for
  bool prefer_server_ciphers = false;
  bool session_caching = true;
  int64_t session_cache_size = 0;
  int64_t session_cache_timeout_s = 0;
};

class TlsContext {
 public:
  // The detail of a failure is a line for the log, worded as Redis does.
  static Result<std::shared_ptr<const TlsContext>> make(const TlsSettings& settings);

  ssl_ctx_st* server() const { return server_.get(); }
  // For connections that this server makes; the server's own certificate unless another is set.
  ssl_ctx_st* client() const { return client_ == nullptr ? server_.get() : client_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  using Context = std::unique_ptr<ssl_ctx_st, Free>;
  struct Identity {
    const std::string& cert_file;
    const std::string& key_file;
    const std::string& key_file_pass;
  };

  static Status load(const TlsSettings& settings, const Identity& identity, uint64_t refused_protocols, Context* made);
  static Status set_up_server(const TlsSettings& settings, ssl_ctx_st* context);

  Context server_;
  Context client_;
};

}  // namespace synap
