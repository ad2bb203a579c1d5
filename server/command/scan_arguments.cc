#include "server/command/scan_arguments.h"

#include "server/base/text.h"

namespace synap {

bool parse_scan_cursor(Context& ctx, std::string_view text, uint64_t* cursor) {
  if (parse_uint64(text, cursor)) return true;
  ctx.error(kInvalidCursorError);
  return false;
}

bool parse_scan_options(Context& ctx, size_t first, ScanTarget target, ScanArguments* scan) {
  for (size_t i = first; i < ctx.argc(); ++i) {
    const std::string_view option = ctx.arg(i);
    const bool has_value = i + 1 < ctx.argc();
    if (equals_ignore_case(option, "count") && has_value) {
      int64_t count;
      if (!ctx.parse(ctx.arg(++i), &count)) return false;
      if (count < 1) {
        ctx.syntax_error();
        return false;
      }
      scan->count = static_cast<size_t>(count);
    } else if (equals_ignore_case(option, "match") && has_value) {
      scan->pattern = ctx.arg(++i);
      scan->has_pattern = scan->pattern != "*";
    } else if (equals_ignore_case(option, "type") && has_value && target == ScanTarget::kKeys) {
      scan->type_name = ctx.arg(++i);
    } else if (equals_ignore_case(option, "novalues")) {
      if (target != ScanTarget::kHash) {
        ctx.error(kNovaluesError);
        return false;
      }
      scan->names_only = true;
    } else if (equals_ignore_case(option, "noscores")) {
      if (target != ScanTarget::kZset) {
        ctx.error(kNoscoresError);
        return false;
      }
      scan->names_only = true;
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

void reply_scan_cursor(Context& ctx, uint64_t cursor) {
  char text[kInt64CharsMax];
  ctx.reply().bulk({text, format_uint64(text, cursor)});
}

void reply_empty_scan(Context& ctx) {
  ctx.reply().array(2);
  reply_scan_cursor(ctx, 0);
  ctx.reply().empty_array();
}

}  // namespace synap
