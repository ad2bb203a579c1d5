// The parts of Reply that are too rare or too big to be inlined.
#include "protocol/reply.h"

#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

constinit const std::array<Reply::ShortHeader, Reply::kShortHeaders> Reply::kHeaders = Reply::make_headers();

namespace {

// "<type><n>\r\n"; returns how many bytes were written, at most 23.
size_t format_header(char* out, char type, int64_t n) {
  out[0] = type;
  const size_t digits = format_int64(out + 1, n);
  out[1 + digits] = '\r';
  out[2 + digits] = '\n';
  return digits + 3;
}

}  // namespace

void Reply::integer_slow(int64_t value) {
  out_->commit(format_header(out_->reserve(kHeaderBytesMax), ':', value));
}

void Reply::aggregate_slow(char type, size_t n) {
  out_->commit(format_header(out_->reserve(kHeaderBytesMax), type, static_cast<int64_t>(n)));
}

void Reply::bulk_slow(std::string_view bytes) {
  aggregate('$', bytes.size());
  out_->append(bytes);
  constant("\r\n");
}

void Reply::bulk_shared(SharedBytes bytes) {
  const std::string_view all = bytes.view();
  bulk_shared(std::move(bytes), all);
}

void Reply::bulk_shared(SharedBytes bytes, std::string_view part) {
  if (part.size() < OutputBuffer::kSharedBytesMin) return bulk(part);
  aggregate('$', part.size());
  out_->append_shared(std::move(bytes), part);
  constant("\r\n");
}

void Reply::bulk_int(int64_t value) {
  char digits[24];
  bulk({digits, format_int64(digits, value)});
}

void Reply::simple(std::string_view text) {
  char* out = out_->reserve(text.size() + 3);
  out[0] = '+';
  std::memcpy(out + 1, text.data(), text.size());
  std::memcpy(out + 1 + text.size(), "\r\n", 2);
  out_->commit(text.size() + 3);
}

void Reply::dbl(double value) {
  char digits[kDoubleCharsMax];
  dbl_text({digits, format_double(digits, value)});
}

void Reply::dbl_text(std::string_view digits) {
  if (resp_ != 3) return bulk(digits);
  constant(",");
  out_->append(digits);
  constant("\r\n");
}

void Reply::big_number(std::string_view digits) {
  if (resp_ != 3) return bulk(digits);
  constant("(");
  out_->append(digits);
  constant("\r\n");
}

void Reply::verbatim(std::string_view format, std::string_view text) {
  if (resp_ != 3) return bulk(text);
  aggregate('=', text.size() + 4);
  out_->append(format.substr(0, 3));
  constant(":");
  out_->append(text);
  constant("\r\n");
}

void Reply::error(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  last_error_.assign(text);
  error_counted_ = false;
  for (char& c : last_error_) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  constant("-");
  out_->append(last_error_);
  constant("\r\n");
}

void Reply::error(std::initializer_list<std::string_view> parts) {
  std::string text;
  // Arguments are quoted up to a NUL, as Redis's printf does.
  for (const std::string_view part : parts) text += printed(part, part.size());
  error(text);
}

void Reply::deferred_end(size_t mark, char type, size_t n) {
  char header[kHeaderBytesMax];
  out_->insert(mark, {header, format_header(header, type, static_cast<int64_t>(n))});
}

}  // namespace synap
