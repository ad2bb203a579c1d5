// XADD and XTRIM: entries in at the end, out at the front.
#include <algorithm>
#include <string>
#include <vector>

#include "datatypes/stream/stream_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

constexpr std::string_view kTwoTrimsError =
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
constexpr std::string_view kMaxlenError = "ERR The MAXLEN argument must be >= 0.";
constexpr std::string_view kLimitError = "ERR The LIMIT argument must be >= 0.";
constexpr std::string_view kLimitWithoutTrimError =
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
constexpr std::string_view kXtrimWithoutTrimError = "ERR syntax error, XTRIM must be called with a trimming strategy";
constexpr std::string_view kLimitWithoutTildeError =
    "ERR syntax error, LIMIT cannot be used without the special ~ option";
constexpr std::string_view kZeroIdError = "ERR The ID specified in XADD must be greater than 0-0";
constexpr std::string_view kIdsExhaustedError =
    "ERR The stream has exhausted the last possible ID, unable to add more items";
constexpr std::string_view kSmallIdError =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";
constexpr std::string_view kTooLargeError = "ERR Elements are too large to be stored";

// Elements of the slow lane's measure that freeing a block takes.
constexpr uint64_t kCostPerBlock = 2;

StreamBlockLimits block_limits(const Config& config) {
  return {.bytes_max = static_cast<size_t>(config.stream_node_max_bytes),
          .entries_max = static_cast<size_t>(config.stream_node_max_entries)};
}

// --- XADD's and XTRIM's options.

struct TrimArguments {
  StreamTrim trim;
  size_t threshold_index = 0;  // of the length or id; what stands before it may be "~"
  size_t limit_index = 0;      // of the word LIMIT, 0 when absent
};

// [=|~] threshold, behind the MAXLEN or MINID at *index, which is moved onto the threshold.
bool parse_threshold(Context& ctx, bool is_maxlen, size_t* index, TrimArguments* arguments) {
  StreamTrim& trim = arguments->trim;
  if (trim.strategy != StreamTrim::Strategy::kNone) {
    ctx.error(kTwoTrimsError);
    return false;
  }
  size_t at = *index + 1;
  if (at + 1 < ctx.argc() && (ctx.arg(at) == "~" || ctx.arg(at) == "=")) {
    trim.approximate = ctx.arg(at) == "~";
    ++at;
  }
  if (is_maxlen) {
    int64_t length_max;
    if (!ctx.parse(ctx.arg(at), &length_max)) return false;
    if (length_max < 0) {
      ctx.error(kMaxlenError);
      return false;
    }
    trim.length_max = static_cast<uint64_t>(length_max);
    trim.strategy = StreamTrim::Strategy::kMaxLen;
  } else {
    if (!parse_id_argument(ctx, ctx.arg(at), &trim.id_min)) return false;
    trim.strategy = StreamTrim::Strategy::kMinId;
  }
  arguments->threshold_index = *index = at;
  return true;
}

// The option at *index, if it is one of those that XADD and XTRIM share; *index moves onto its last argument.
// False: an error was replied.
bool parse_trim_option(Context& ctx, size_t* index, TrimArguments* arguments, bool* recognized) {
  const std::string_view option = ctx.arg(*index);
  const bool has_value = *index + 1 < ctx.argc();
  *recognized = true;
  if (parse_references(option, &arguments->trim.references)) return true;
  if (has_value && equals_ignore_case(option, "maxlen")) return parse_threshold(ctx, true, index, arguments);
  if (has_value && equals_ignore_case(option, "minid")) return parse_threshold(ctx, false, index, arguments);
  if (has_value && equals_ignore_case(option, "limit")) {
    int64_t limit;
    if (!ctx.parse(ctx.arg(*index + 1), &limit)) return false;
    if (limit < 0) {
      ctx.error(kLimitError);
      return false;
    }
    arguments->trim.limit = static_cast<uint64_t>(limit);
    arguments->limit_index = (*index)++;
    return true;
  }
  *recognized = false;
  return true;
}

// LIMIT's rules, once all options are known.
bool settle_limit(Context& ctx, TrimArguments* arguments) {
  constexpr uint64_t kBlocksByDefault = 100;
  constexpr uint64_t kLimitWithoutBlockSize = 10000;
  constexpr uint64_t kLimitMax = 1000000;
  StreamTrim& trim = arguments->trim;
  if (trim.limit > 0 && trim.strategy == StreamTrim::Strategy::kNone) {
    ctx.error(kLimitWithoutTrimError);
    return false;
  }
  if (ctx.session().has(kSessionMaster)) {
    trim.limit = 0;  // the master has decided how much
    return true;
  }
  if (arguments->limit_index != 0) {
    if (!trim.approximate) ctx.error(kLimitWithoutTildeError);
    return trim.approximate;
  }
  if (!trim.approximate) return true;
  trim.limit = kBlocksByDefault * static_cast<uint64_t>(std::max<int64_t>(ctx.config().stream_node_max_entries, 0));
  if (trim.limit == 0) trim.limit = kLimitWithoutBlockSize;
  trim.limit = std::min(trim.limit, kLimitMax);
  return true;
}

// Where XADD's id stands, and what it came to.
struct AddedId {
  size_t index = 0;
  std::string_view text;
};

// The command as it is journaled after an approximate trim: with the exact threshold it came to, and without LIMIT.
// `reached` is what Stream::trim said; XADD's id is replaced besides.
void effect_exact_trim(Context& ctx, const Stream& stream, const StreamId& reached, const TrimArguments& arguments,
                       const AddedId& added = {}) {
  if (!ctx.journaling()) return ctx.no_effect();
  std::vector<std::string_view> args(ctx.args().begin(), ctx.args().end());
  std::string threshold;
  if (added.index != 0) args[added.index] = added.text;
  if (arguments.trim.approximate) {
    threshold = arguments.trim.strategy == StreamTrim::Strategy::kMaxLen ? to_text(stream.length())
                : arguments.trim.references == StreamReferences::kKeep   ? stream.first_recorded_id().to_text()
                                                                         : reached.to_text();
    args[arguments.threshold_index - 1] = "=";
    args[arguments.threshold_index] = threshold;
    if (const size_t limit = arguments.limit_index; limit != 0) {
      args.erase(args.begin() + static_cast<ptrdiff_t>(limit), args.begin() + static_cast<ptrdiff_t>(limit) + 2);
    }
  }
  ctx.effect(args);
}

// --- XADD.

struct AddArguments {
  TrimArguments trim;
  StreamIdRequest id;
  size_t id_index = 0;
  bool no_create = false;  // NOMKSTREAM
};

bool parse_id_request(Context& ctx, std::string_view text, StreamIdRequest* request) {
  using Kind = StreamIdRequest::Kind;
  bool auto_seq = false;
  if (text == "*") {
    request->kind = Kind::kAuto;
    return true;
  }
  if (!parse_stream_id_or_auto_seq(text, &request->id, &auto_seq)) {
    ctx.error(kStreamIdError);
    return false;
  }
  request->kind = auto_seq ? Kind::kAutoSeq : Kind::kExplicit;
  return true;
}

bool parse_add(Context& ctx, AddArguments* add) {
  size_t i = 2;
  for (; i < ctx.argc(); ++i) {
    bool recognized = false;
    if (ctx.arg(i) != "*" && !parse_trim_option(ctx, &i, &add->trim, &recognized)) return false;
    if (recognized) continue;
    if (!equals_ignore_case(ctx.arg(i), "nomkstream")) break;
    add->no_create = true;
  }
  add->id_index = i;
  if (i < ctx.argc() && !parse_id_request(ctx, ctx.arg(i), &add->id)) return false;
  if (!settle_limit(ctx, &add->trim)) return false;
  const size_t fields_begin = i + 1;
  if (fields_begin + 2 > ctx.argc() || (ctx.argc() - fields_begin) % 2 != 0) {
    ctx.arity_error();
    return false;
  }
  if (add->id.kind == StreamIdRequest::Kind::kExplicit && add->id.id.is_zero()) {
    ctx.error(kZeroIdError);
    return false;
  }
  return true;
}

}  // namespace

void cmd_xadd(Context& ctx) {
  AddArguments add;
  if (!parse_add(ctx, &add)) return;
  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  if (!stream.exists() && add.no_create) return ctx.reply().null();

  const Stream empty;
  const Stream& before = stream.exists() ? *stream : empty;
  if (before.last_id() == StreamId::max()) return ctx.error(kIdsExhaustedError);
  const Result<StreamId> id = before.next_id(add.id, ctx.now_ms());
  if (!id.ok()) return ctx.error(kSmallIdError);
  const ArgViews fields = ctx.args().subspan(add.id_index + 1);
  if (!Stream::fits(fields)) return ctx.error(kTooLargeError);
  stream.create_if_absent().append(*id, fields, block_limits(ctx.config()));

  const StreamIdText id_text(*id);
  ctx.reply().bulk(id_text.view());
  stream.changed(1, kEventStream, "xadd");
  StreamId reached;
  if (stream->trim(add.trim.trim, &reached) > 0) ctx.notify(kEventStream, "xtrim", ctx.arg(1));
  if (add.id.kind != StreamIdRequest::Kind::kExplicit || add.trim.trim.approximate) {
    effect_exact_trim(ctx, *stream, reached, add.trim, {add.id_index, id_text.view()});
  }
}

void cmd_xtrim(Context& ctx) {
  TrimArguments arguments;
  for (size_t i = 2; i < ctx.argc(); ++i) {
    bool recognized;
    if (!parse_trim_option(ctx, &i, &arguments, &recognized)) return;
    if (!recognized) return ctx.syntax_error();
  }
  if (arguments.trim.limit > 0 && arguments.trim.strategy == StreamTrim::Strategy::kNone) {
    return ctx.error(kLimitWithoutTrimError);
  }
  if (arguments.trim.strategy == StreamTrim::Strategy::kNone) return ctx.error(kXtrimWithoutTrimError);
  if (!settle_limit(ctx, &arguments)) return;

  auto stream = ctx.edit<Stream>(ctx.arg(1));
  if (stream.wrong_type()) return;
  StreamId reached;
  const uint64_t removed = stream.exists() ? stream->trim(arguments.trim, &reached) : 0;
  if (removed > 0) {
    stream.changed(removed, kEventStream, "xtrim");
    if (arguments.trim.approximate) effect_exact_trim(ctx, *stream, reached, arguments);
  }
  ctx.reply().integer(static_cast<int64_t>(removed));
}

// Trimming frees blocks; only very many of them take time.
uint64_t cost_of_trim(Context& ctx) {
  if (ctx.arg(2) == "*") return 0;  // XADD without options
  const Stream* stream = ctx.peek_as<Stream>(ctx.arg(1));
  if (stream == nullptr || stream->blocks().size() < kSlowLaneCost / kCostPerBlock) return 0;
  bool by_entry = false;
  for (const std::string_view word : ctx.args()) {
    StreamReferences references;
    by_entry = by_entry || (parse_references(word, &references) && references != StreamReferences::kKeep);
  }
  for (size_t i = 2; i + 1 < ctx.argc(); ++i) {
    const bool is_maxlen = equals_ignore_case(ctx.arg(i), "maxlen");
    if (!is_maxlen && !equals_ignore_case(ctx.arg(i), "minid")) continue;
    const bool marked = ctx.arg(i + 1) == "~" || ctx.arg(i + 1) == "=";
    if (ctx.arg(i + 1) == "~" || i + (marked ? 2 : 1) >= ctx.argc()) return 0;
    const std::string_view threshold = ctx.arg(i + (marked ? 2 : 1));
    uint64_t removed = 0;
    int64_t length_max;
    StreamId id_min;
    if (is_maxlen && parse_int64(threshold, &length_max) && length_max >= 0) {
      removed = stream->length() - std::min(stream->length(), static_cast<uint64_t>(length_max));
    } else if (!is_maxlen && parse_stream_id(threshold, 0, &id_min)) {
      removed = stream->estimate_count(StreamId::min(), id_min);
    }
    return by_entry ? removed : removed / (stream->length() / stream->blocks().size() + 1) * kCostPerBlock;
  }
  return 0;
}

}  // namespace synap
