// Status and Result: how functions report failure. No exceptions are thrown.
// A Status is a code plus an optional detail for people (log lines); reply texts live in protocol/errors.h.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "server/base/assert.h"

namespace synap {

enum class StatusCode {
  kOk,
  kNotFound,
  kNotInteger,    // bytes that should be a 64-bit integer are not
  kNotFloat,      // bytes that should be a double are not, or the result is NaN or infinite
  kOverflow,      // arithmetic would leave the range
  kOutOfRange,    // an index, id or limit outside what is allowed
  kTooLarge,      // a size above a configured or fixed limit
  kSyntax,        // a configuration line or option that cannot be parsed
  kCorrupt,       // serialized bytes that do not hold together
  kUnsupported,   // well-formed, but a feature this build does not have
  kIoError,       // a system call failed; detail says which, on what and errno's text
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  explicit Status(StatusCode code, std::string detail = {}) : code_(code), detail_(std::move(detail)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& detail() const { return detail_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string detail_;
};

// A value or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT: implicit by design, `return value;`
  Result(Status status) : state_(std::move(status)) {
    SYNAP_ASSERT(!std::get<Status>(state_).ok());
  }
  Result(StatusCode code) : Result(Status(code)) {}

  bool ok() const { return std::holds_alternative<T>(state_); }
  StatusCode code() const { return ok() ? StatusCode::kOk : std::get<Status>(state_).code(); }
  Status status() const { return ok() ? Status() : std::get<Status>(state_); }

  T& operator*() { return std::get<T>(state_); }
  const T& operator*() const { return std::get<T>(state_); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace synap
