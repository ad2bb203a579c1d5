// Reply: writes RESP2 or RESP3 values into an OutputBuffer, byte for byte as Redis does. Knows nothing of clients and
// decides nothing: a handler calls one method per value, aggregates first, then their elements. Remembers only the
// last error, which the dispatcher needs for its statistics.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/output_buffer.h"
#include "server/base/shared_bytes.h"

namespace synap {

class Reply {
 public:
  Reply(OutputBuffer* out, int resp) : out_(out), resp_(resp) {}
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;

  int resp() const { return resp_; }
  bool resp3() const { return resp_ == 3; }
  // HELLO and scripts change the version in the middle of a connection.
  void set_resp(int resp) { resp_ = resp; }
  OutputBuffer& buffer() { return *out_; }
  void set_buffer(OutputBuffer* out) { out_ = out; }

  // Constants.
  void ok() { constant("+OK\r\n"); }
  void pong() { constant("+PONG\r\n"); }
  void queued() { constant("+QUEUED\r\n"); }
  void zero() { constant(":0\r\n"); }
  void one() { constant(":1\r\n"); }
  void empty_bulk() { constant("$0\r\n\r\n"); }
  void empty_array() { constant("*0\r\n"); }
  void empty_map() { resp_ == 3 ? constant("%0\r\n") : constant("*0\r\n"); }
  void empty_set() { resp_ == 3 ? constant("~0\r\n") : constant("*0\r\n"); }
  void null() { resp_ == 3 ? constant("_\r\n") : constant("$-1\r\n"); }
  void null_array() { resp_ == 3 ? constant("_\r\n") : constant("*-1\r\n"); }

  // Scalars.
  void integer(int64_t value) {
    if (static_cast<uint64_t>(value) < kShortHeaders) return header(':', kHeaders[static_cast<size_t>(value)]);
    integer_slow(value);
  }
  void bulk(std::string_view bytes) {
    if (bytes.size() >= kShortHeaders) return bulk_slow(bytes);
    char* out = out_->reserve(bytes.size() + kHeaderBytesMax + 2);
    char* cursor = put_header(out, '$', kHeaders[bytes.size()]);
    if (!bytes.empty()) std::memcpy(cursor, bytes.data(), bytes.size());
    cursor += bytes.size();
    cursor[0] = '\r';
    cursor[1] = '\n';
    out_->commit(static_cast<size_t>(cursor + 2 - out));
  }
  // A bulk that quotes a value (or the part of it) without copying when it is big.
  void bulk_shared(SharedBytes bytes);
  void bulk_shared(SharedBytes bytes, std::string_view part);
  void bulk_int(int64_t value);
  // A null for a pointer that is null.
  void bulk_or_null(const std::string_view* bytes) { bytes == nullptr ? null() : bulk(*bytes); }
  // A status line; the text must hold no line break.
  void simple(std::string_view text);
  // RESP2 bulk, RESP3 double.
  void dbl(double value);
  // The same for a number that is already text (long doubles).
  void dbl_text(std::string_view digits);
  // RESP2 :1 / :0, RESP3 #t / #f.
  void boolean(bool value) {
    if (resp_ == 3) {
      value ? constant("#t\r\n") : constant("#f\r\n");
    } else {
      value ? one() : zero();
    }
  }
  // RESP2 bulk, RESP3 big number.
  void big_number(std::string_view digits);
  // RESP2 bulk, RESP3 verbatim string; `format` has three letters, such as "txt".
  void verbatim(std::string_view format, std::string_view text);

  // `text` starts with its code: "ERR syntax error". Line breaks in it become spaces.
  void error(std::string_view text);
  void error(std::initializer_list<std::string_view> parts);

  // Aggregates: their elements follow. In RESP2 all of them are arrays, a map of n pairs one of 2n elements.
  void array(size_t n) { aggregate('*', n); }
  void map(size_t pairs) { resp_ == 3 ? aggregate('%', pairs) : aggregate('*', pairs * 2); }
  void set(size_t n) { aggregate(resp_ == 3 ? '~' : '*', n); }
  void push(size_t n) { aggregate(resp_ == 3 ? '>' : '*', n); }
  // Only for RESP3 clients; the attributed value follows the pairs.
  void attribute(size_t pairs) { aggregate('|', pairs); }

  // An aggregate whose length is known only after its elements were written. May nest.
  size_t deferred_begin() const { return out_->size(); }
  void deferred_end_array(size_t mark, size_t n) { deferred_end(mark, '*', n); }
  void deferred_end_map(size_t mark, size_t pairs) {
    resp_ == 3 ? deferred_end(mark, '%', pairs) : deferred_end(mark, '*', pairs * 2);
  }
  void deferred_end_set(size_t mark, size_t n) { deferred_end(mark, resp_ == 3 ? '~' : '*', n); }

  // Bytes that are RESP already.
  void raw(std::string_view encoded) { out_->append(encoded); }

  // The last error written since clear_error(), without the leading '-'; empty when there was none.
  bool error_replied() const { return !last_error_.empty(); }
  const std::string& last_error() const { return last_error_; }
  // Its code, the text up to the first space: what INFO errorstats counts.
  std::string_view last_error_code() const { return std::string_view(last_error_).substr(0, last_error_.find(' ')); }
  void clear_error() {
    if (!last_error_.empty()) last_error_.clear();
  }
  // It passes on an error that the statistics of errors know already.
  void mark_error_counted() { error_counted_ = true; }
  bool error_counted() const { return error_counted_; }

 private:
  // A length as text with its line end, for lengths below kShortHeaders: "17\r\n".
  struct ShortHeader {
    char text[7];
    uint8_t size;
  };
  static constexpr size_t kShortHeaders = 512;
  static constexpr size_t kHeaderBytesMax = 24;  // type, 20 digits, line end
  static constexpr std::array<ShortHeader, kShortHeaders> make_headers() {
    std::array<ShortHeader, kShortHeaders> headers{};
    for (size_t n = 0; n < kShortHeaders; ++n) {
      ShortHeader& entry = headers[n];
      uint8_t at = 0;
      if (n >= 100) entry.text[at++] = static_cast<char>('0' + n / 100);
      if (n >= 10) entry.text[at++] = static_cast<char>('0' + n / 10 % 10);
      entry.text[at++] = static_cast<char>('0' + n % 10);
      entry.text[at++] = '\r';
      entry.text[at++] = '\n';
      entry.size = at;
    }
    return headers;
  }
  static const std::array<ShortHeader, kShortHeaders> kHeaders;

  static char* put_header(char* out, char type, const ShortHeader& header) {
    *out = type;
    std::memcpy(out + 1, &header, sizeof(header));  // one 8-byte store; what is too much is overwritten
    return out + 1 + header.size;
  }
  void header(char type, const ShortHeader& header) {
    char* out = out_->reserve(kHeaderBytesMax);
    out_->commit(static_cast<size_t>(put_header(out, type, header) - out));
  }
  void aggregate(char type, size_t n) {
    if (n < kShortHeaders) return header(type, kHeaders[n]);
    aggregate_slow(type, n);
  }
  // The length is a compile-time constant, so that the copy is one or two stores.
  template <size_t N>
  void constant(const char (&text)[N]) {
    char* out = out_->reserve(N - 1);
    std::memcpy(out, text, N - 1);
    out_->commit(N - 1);
  }

  void integer_slow(int64_t value);
  void bulk_slow(std::string_view bytes);
  void aggregate_slow(char type, size_t n);
  void deferred_end(size_t mark, char type, size_t n);

  OutputBuffer* out_;
  int resp_;
  std::string last_error_;
  bool error_counted_ = false;
};

}  // namespace synap
