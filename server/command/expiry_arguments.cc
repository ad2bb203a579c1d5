#include "server/command/expiry_arguments.h"

namespace synap {

bool parse_expiry(Context& ctx, std::string_view text, ExpiryUnit unit, bool absolute, bool allow_past,
                  int64_t* expiry_ms) {
  int64_t value;
  if (!ctx.parse(text, &value)) return false;
  const auto refuse = [&ctx] {
    ctx.reply().error({kExpireErrorBegin, ctx.command().display_name(), kExpireErrorEnd});
    return false;
  };
  if (value <= 0 && !allow_past) return refuse();
  if (unit == ExpiryUnit::kSeconds) {
    if (value > INT64_MAX / 1000 || value < INT64_MIN / 1000) return refuse();
    value *= 1000;
  }
  if (!absolute) {
    if (value > INT64_MAX - ctx.now_ms()) return refuse();
    value += ctx.now_ms();
  }
  *expiry_ms = value;
  return true;
}

}  // namespace synap
