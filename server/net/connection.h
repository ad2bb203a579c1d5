// Connection: one socket on one reactor. Bytes and callbacks, no protocol. Reads go into the buffer its owner names,
// writes leave at once as far as the socket takes them; the rest waits here. Touched on its reactor's thread only.
// Life: open() → … → close() → ConnectionOwner::on_closed(), after which the owner may delete it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "protocol/output_buffer.h"
#include "server/net/reactor.h"
#include "server/net/tls_handshakes.h"
#include "server/net/tls_session.h"

namespace synap {

// What a connection needs to speak TLS. Without a session it does not.
struct TlsStart {
  std::unique_ptr<TlsSession> session;
  TlsHandshakes* handshakes = nullptr;
};

class ConnectionOwner {
 public:
  // Where the next bytes shall be read to. An empty span means the reactor's buffer.
  virtual std::span<char> read_target() = 0;
  // Bytes arrived (in the target named before). They may be overwritten when this returns.
  virtual void on_data(std::span<char> bytes) = 0;
  // The peer closed or the socket failed; the owner should close().
  virtual void on_end(std::string_view reason) = 0;
  // Everything written so far has left.
  virtual void on_drained() = 0;
  // The socket is gone, no callback will follow.
  virtual void on_closed() = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection {
 public:
  Connection(Reactor* reactor, ConnectionOwner* owner);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Takes the connected socket over. keepalive_seconds 0: none. With TLS the owner hears of data once the handshake is
  // through, and of a handshake that fails or takes too long as of any other end.
  bool open(int fd, bool is_unix, int64_t keepalive_seconds, TlsStart tls = {});

  // Sends the buffer's content after what was sent before; leaves it empty. One system call when nothing waits, and the
  // rest of what is long in the next turns, so that no reply holds up the reactor.
  void write(OutputBuffer* buffer);
  // Bytes given to write() that the kernel has not taken yet, and the heap they hold.
  size_t pending_bytes() const { return in_flight_.size() + waiting_.size() + plain_.size(); }
  size_t pending_memory_bytes() const {
    return in_flight_.memory_bytes() + waiting_.memory_bytes() + plain_.memory_bytes();
  }

  // Stops and resumes reading, so that a busy client's input stays in the kernel.
  void pause_reading();
  void resume_reading();
  bool reading() const { return reading_; }

  // Closes at once, dropping what was not sent.
  void close();
  bool closing() const { return closing_; }

  int fd() const { return fd_; }
  bool is_unix() const { return is_unix_; }
  bool is_tls() const { return tls_ != nullptr; }
  // "127.0.0.1:50001", "[::1]:50001" or the unix socket's "path:0".
  std::string peer_name() const;
  std::string local_name() const;

  uint64_t bytes_in() const { return bytes_in_; }
  uint64_t bytes_out() const { return bytes_out_; }

 private:
  struct Handles;
  friend class TlsHandshakes;
  static constexpr size_t kPiecesMax = 64;
  // Read and written at once, and then a turn, of one connection: a fraction of a millisecond.
  static constexpr size_t kReadBytesATurn = 128 * 1024;
  static constexpr size_t kWrittenAtOnce = 128 * 1024;
  // Encrypted before the socket is asked to take it; more waits as it is, so that no reply holds up the reactor.
  static constexpr size_t kEncryptedAtOnce = 256 * 1024;
  static constexpr size_t kRecordBytesMax = 16 * 1024;
  // Of a peer whose handshake waits for its turn.
  static constexpr size_t kHandshakeBytesMax = 128 * 1024;

  void handle_read(ssize_t count, const char* bytes);
  std::span<char> next_target();
  void send(OutputBuffer* buffer);
  void tls_data(std::string_view ciphertext);
  void handshake_step();
  void read_plaintext(std::span<char> buffer);
  bool encrypt_waiting();
  void send_tls_output();
  void fail_tls(const std::string& reason);
  void flush_waiting();
  void write_done(int status);
  void fail(int status);

  Reactor* const reactor_;
  ConnectionOwner* const owner_;
  std::unique_ptr<Handles> handles_;
  OutputBuffer in_flight_;  // handed to uv_write, untouched until it is done
  OutputBuffer waiting_;
  std::unique_ptr<TlsSession> tls_;
  TlsHandshakes* handshakes_ = nullptr;
  OutputBuffer plain_;  // with TLS: not encrypted yet
  size_t write_bytes_ = 0;  // given to the uv_write under way
  bool writing_ = false;
  bool reading_ = false;
  bool closing_ = false;
  bool is_unix_ = false;
  int fd_ = -1;
  uint64_t read_turn_ = 0;  // the reactor's turn that read_in_turn_ is of
  size_t read_in_turn_ = 0;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
};

}  // namespace synap
