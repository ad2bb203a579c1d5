#include "server/net/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/base/assert.h"

namespace synap {

// OpenSSL's view of the session: a BIO that reads input_ and appends to output_.
struct TlsSession::Io {
  static int read(BIO* bio, char* out, int size) {
    std::string_view& input = of(bio).input_;
    BIO_clear_retry_flags(bio);
    if (input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t count = std::min(input.size(), static_cast<size_t>(size));
    std::memcpy(out, input.data(), count);
    input.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* bytes, int size) {
    of(bio).output_.append({bytes, static_cast<size_t>(size)});
    return size;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static TlsSession& of(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static BIO_METHOD* make_method() {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "synap connection");
    BIO_meth_set_read(made, read);
    BIO_meth_set_write(made, write);
    BIO_meth_set_ctrl(made, control);
    return made;
  }
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const kMethod = make_method();
    return kMethod;
  }
};

void TlsSession::Free::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

TlsSession::TlsSession(const TlsContext& context, TlsClientCertificates client_certificates)
    : ssl_(SSL_new(context.server())) {
  BIO* bio = BIO_new(Io::method());
  SYNAP_ASSERT(ssl_ != nullptr && bio != nullptr);  // out of memory
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
  if (client_certificates == TlsClientCertificates::kIgnored) SSL_set_verify(ssl_.get(), SSL_VERIFY_NONE, nullptr);
  if (client_certificates == TlsClientCertificates::kOptional) SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
}

TlsSession::~TlsSession() = default;

void TlsSession::feed(std::string_view ciphertext) {
  if (input_.empty()) {
    input_ = ciphertext;
    return;
  }
  keep_input();
  kept_.append(ciphertext);
  input_ = kept_;
}

void TlsSession::keep_input() {
  if (input_.empty()) return;
  kept_ = std::string(input_);
  input_ = kept_;
}

TlsSession::Step TlsSession::step_of(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      return Step::kDone;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Step::kNeedsInput;
    case SSL_ERROR_ZERO_RETURN:
      return Step::kClosed;
    default:
      break;
  }
  char text[256];
  const unsigned long code = ERR_get_error();
  ERR_error_string_n(code, text, sizeof text);
  error_ = code == 0 ? "unexpected end of the TLS session" : text;
  return Step::kFailed;
}

TlsSession::Step TlsSession::handshake() {
  ERR_clear_error();
  const Step step = step_of(SSL_do_handshake(ssl_.get()));
  established_ = step == Step::kDone;
  return step;
}

TlsSession::Step TlsSession::read(std::span<char> target, size_t* count) {
  ERR_clear_error();
  return step_of(SSL_read_ex(ssl_.get(), target.data(), target.size(), count));
}

bool TlsSession::drained() const {
  return input_.empty() && SSL_pending(ssl_.get()) == 0;
}

bool TlsSession::encrypt(OutputBuffer* plain, size_t bytes_max) {
  constexpr size_t kPieces = 16;
  ERR_clear_error();
  while (!plain->empty() && bytes_max > 0) {
    iovec pieces[kPieces];
    const size_t count = plain->gather(pieces);
    size_t taken = 0;
    for (size_t i = 0; i < count && bytes_max > 0; ++i) {
      size_t written = 0;
      const size_t size = std::min(pieces[i].iov_len, bytes_max);
      if (size == 0) continue;
      const int result = SSL_write_ex(ssl_.get(), pieces[i].iov_base, size, &written);
      if (result <= 0) return step_of(result), false;
      taken += written;
      bytes_max -= written;
      if (written < pieces[i].iov_len) break;  // a record's size at a time
    }
    plain->consume(taken);
  }
  return true;
}

void TlsSession::say_goodbye() {
  ERR_clear_error();
  if (established_ && error_.empty()) SSL_shutdown(ssl_.get());
}

}  // namespace synap
