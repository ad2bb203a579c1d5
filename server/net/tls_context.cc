#include "server/net/tls_context.h"

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "server/base/text.h"

namespace synap {

namespace {

constexpr uint64_t kAllProtocols = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3;
constexpr std::string_view kSessionContext = "redis";

Status failed(std::string text) {
  return Status(StatusCode::kSyntax, std::move(text));
}

std::string openssl_error() {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return text;
}

uint64_t refusal_of(std::string_view protocol) {
  if (equals_ignore_case(protocol, "tlsv1")) return SSL_OP_NO_TLSv1;
  if (equals_ignore_case(protocol, "tlsv1.1")) return SSL_OP_NO_TLSv1_1;
  if (equals_ignore_case(protocol, "tlsv1.2")) return SSL_OP_NO_TLSv1_2;
  if (equals_ignore_case(protocol, "tlsv1.3")) return SSL_OP_NO_TLSv1_3;
  return 0;
}

// The options that keep out every protocol which is not in the list.
Status refused_protocols(std::string_view list, uint64_t* refused) {
  *refused = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
  if (list.empty()) return {};
  *refused = kAllProtocols;
  while (!list.empty()) {
    const size_t end = std::min(list.find(' '), list.size());
    const uint64_t bit = refusal_of(list.substr(0, end));
    if (bit == 0) {
      return failed(
          "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.");
    }
    *refused &= ~bit;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return {};
}

// OpenSSL's callback for encrypted keys; without a password it must not ask the terminal.
int give_password(char* buffer, int size, int /*writing*/, void* password) {
  const std::string_view text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<size_t>(size)) return -1;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

const char* or_null(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

Status load_dh_parameters(const std::string& path, SSL_CTX* context) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), BIO_free);
  if (file == nullptr) return failed("Failed to load " + path + ": " + std::strerror(errno));
  EVP_PKEY* parameters = nullptr;
  const std::unique_ptr<OSSL_DECODER_CTX, decltype(&OSSL_DECODER_CTX_free)> decoder(
      OSSL_DECODER_CTX_new_for_pkey(&parameters, "PEM", nullptr, "DH", OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS, nullptr,
                                    nullptr),
      OSSL_DECODER_CTX_free);
  if (decoder == nullptr) return failed("No decoder for DH params.");
  if (OSSL_DECODER_from_bio(decoder.get(), file.get()) <= 0) return failed(path + ": failed to read DH params.");
  if (SSL_CTX_set0_tmp_dh_pkey(context, parameters) > 0) return {};
  EVP_PKEY_free(parameters);
  return failed("Failed to load DH params file: " + path + ": " + openssl_error());
}

Status check(const TlsSettings& settings) {
  if (settings.cert_file.empty()) return failed("No tls-cert-file configured!");
  if (settings.key_file.empty()) return failed("No tls-key-file configured!");
  if (settings.needs_ca && settings.ca_cert_file.empty() && settings.ca_cert_dir.empty()) {
    return failed(
        "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
        "tls-auth-clients are enabled!");
  }
  return {};
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

// What both sides of a connection need.
Status TlsContext::load(const TlsSettings& settings, const Identity& identity, uint64_t refused, Context* made) {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_method()));
  if (context == nullptr) return failed("Failed to create a TLS context: " + openssl_error());
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_options(ctx, refused | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Buffers of idle connections go back to the allocator.
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  std::string password = identity.key_file_pass;
  SSL_CTX_set_default_passwd_cb(ctx, give_password);
  SSL_CTX_set_default_passwd_cb_userdata(ctx, &password);
  if (SSL_CTX_use_certificate_chain_file(ctx, identity.cert_file.c_str()) <= 0) {
    return failed("Failed to load certificate: " + identity.cert_file + ": " + openssl_error());
  }
  const bool has_key = SSL_CTX_use_PrivateKey_file(ctx, identity.key_file.c_str(), SSL_FILETYPE_PEM) > 0;
  SSL_CTX_set_default_passwd_cb_userdata(ctx, nullptr);
  SSL_CTX_set_default_passwd_cb(ctx, nullptr);
  if (!has_key) return failed("Failed to load private key: " + identity.key_file + ": " + openssl_error());
  const bool has_ca = !settings.ca_cert_file.empty() || !settings.ca_cert_dir.empty();
  if (has_ca &&
      SSL_CTX_load_verify_locations(ctx, or_null(settings.ca_cert_file), or_null(settings.ca_cert_dir)) <= 0) {
    return failed("Failed to configure CA certificate(s) file/directory: " + openssl_error());
  }
  if (!settings.ciphers.empty() && SSL_CTX_set_cipher_list(ctx, settings.ciphers.c_str()) == 0) {
    return failed("Failed to configure ciphers: " + settings.ciphers);
  }
  if (!settings.ciphersuites.empty() && SSL_CTX_set_ciphersuites(ctx, settings.ciphersuites.c_str()) == 0) {
    return failed("Failed to configure ciphersuites: " + settings.ciphersuites);
  }
  *made = std::move(context);
  return {};
}

Status TlsContext::set_up_server(const TlsSettings& settings, ssl_ctx_st* context) {
  if (settings.session_caching) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(context, settings.session_cache_size);
    SSL_CTX_set_timeout(context, settings.session_cache_timeout_s);
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                   static_cast<unsigned>(kSessionContext.size()));
  } else {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  }
  if (settings.prefer_server_ciphers) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (!settings.dh_params_file.empty()) return load_dh_parameters(settings.dh_params_file, context);
  SSL_CTX_set_dh_auto(context, 1);
  return {};
}

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsSettings& settings) {
  if (Status status = check(settings); !status.ok()) return status;
  uint64_t refused = 0;
  if (Status status = refused_protocols(settings.protocols, &refused); !status.ok()) return status;
  auto context = std::make_shared<TlsContext>();
  const Identity own{settings.cert_file, settings.key_file, settings.key_file_pass};
  if (Status status = load(settings, own, refused, &context->server_); !status.ok()) return status;
  if (Status status = set_up_server(settings, context->server_.get()); !status.ok()) return status;
  if (!settings.client_cert_file.empty() && !settings.client_key_file.empty()) {
    const Identity client{settings.client_cert_file, settings.client_key_file, settings.client_key_file_pass};
    if (Status status = load(settings, client, refused, &context->client_); !status.ok()) return status;
  }
  return std::shared_ptr<const TlsContext>(std::move(context));
}

}  // namespace synap
