// TlsSession: the encryption of one connection. Ciphertext comes in by feed(), leaves through output(); nothing here
// knows a socket. OpenSSL reads the fed bytes where they lie and writes its records into an OutputBuffer.
// Touched by one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "protocol/output_buffer.h"
#include "server/net/tls_context.h"

struct ssl_st;

namespace synap {

class TlsSession {
 public:
  enum class Step { kDone, kNeedsInput, kClosed, kFailed };

  // The side that accepts.
  TlsSession(const TlsContext& context, TlsClientCertificates client_certificates);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // The bytes must stay until the next feed(), keep_input() or the end of all reading.
  void feed(std::string_view ciphertext);
  // Copies what was fed and not read yet.
  void keep_input();
  size_t kept_bytes() const { return kept_.size(); }

  Step handshake();
  bool established() const { return established_; }
  // kDone: at least one byte of plaintext, at most a record.
  Step read(std::span<char> target, size_t* count);
  // Nothing is there to read until more is fed.
  bool drained() const;
  // Turns at most `bytes_max` of the front of `plain` into records. False: the session is broken.
  bool encrypt(OutputBuffer* plain, size_t bytes_max);
  // Tells the peer that nothing more will come.
  void say_goodbye();

  // Records that wait to be sent; the caller takes them.
  OutputBuffer& output() { return output_; }
  // Why the last step failed.
  const std::string& error() const { return error_; }

 private:
  struct Io;
  friend struct Io;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };

  Step step_of(int result);

  std::unique_ptr<ssl_st, Free> ssl_;
  std::string_view input_;
  std::string kept_;  // what input_ views after keep_input()
  OutputBuffer output_;
  std::string error_;
  bool established_ = false;
};

}  // namespace synap
