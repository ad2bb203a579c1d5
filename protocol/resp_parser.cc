// Scanning. Arguments that lie in one input are views into it (scan_arguments). When the input ends in the middle,
// stop_at() notes what the last token is, keep_tail() copies the unfinished command, and resume() first completes
// that one token from the next input, then scans on in place: no byte is looked at twice or copied twice.
// Invariant: while parsing, stash_ is empty unless it begins the command under way.
#include "protocol/resp_parser.h"

#include <algorithm>
#include <new>
#include <utility>

#include "protocol/errors.h"
#include "server/base/number.h"
#include "server/base/quoted_args.h"

namespace synap {

namespace {

constexpr int64_t kStrangerArgsMax = 10;
constexpr int64_t kStrangerBulkBytesMax = 16384;
// The shortest argument on the wire: "$0\r\n\r\n".
constexpr ptrdiff_t kArgBytesMin = 6;
// A parser keeps this many tokens' memory after a command that came in pieces.
constexpr size_t kTokensKeptMax = 1024;
// A command that came in pieces and is longer than this has a block of its own.
constexpr size_t kBackedBytesMin = 64 * 1024;
// What trim() gives back at least, and how much it copies at most: the big argument is copied once more when it goes on.
constexpr size_t kTrimBytesMin = 1024;
constexpr size_t kTrimCopyMax = 64 * 1024;

// The common length line "<up to nine digits>\r\n" at p: returns what follows it. Null leaves the decision to the
// slow path: signs, leading zeros, garbage, or an incomplete line.
inline const char* fast_length(const char* p, const char* end, int64_t* length) {
  if (end - p < 4) return nullptr;
  const unsigned first = static_cast<unsigned char>(p[0]) - unsigned{'0'};
  if (first > 9) return nullptr;
  if (p[1] == '\r') {
    *length = first;
    return p + 3;
  }
  const unsigned second = static_cast<unsigned char>(p[1]) - unsigned{'0'};
  if (second > 9 || first == 0) return nullptr;
  int64_t value = first * 10 + second;
  const char* const limit = end - p > 10 ? p + 9 : end - 1;
  for (p += 2; p != limit; ++p) {
    if (*p == '\r') {
      *length = value;
      return p + 2;
    }
    const unsigned digit = static_cast<unsigned char>(*p) - unsigned{'0'};
    if (digit > 9) return nullptr;
    value = value * 10 + digit;
  }
  return nullptr;
}

enum class LineState { kComplete, kIncomplete, kTooLong };

// A line that ends in '\r' and one more byte (Redis does not look at it). `line` is set without both.
LineState find_line(std::string_view bytes, std::string_view* line) {
  if (bytes.empty()) return LineState::kIncomplete;
  const size_t searched = std::min(bytes.size(), RespParser::kLineBytesMax + 1);
  const void* end = std::memchr(bytes.data(), '\r', searched);
  if (end == nullptr) return bytes.size() > RespParser::kLineBytesMax ? LineState::kTooLong : LineState::kIncomplete;
  const size_t length = static_cast<size_t>(static_cast<const char*>(end) - bytes.data());
  if (bytes.size() - length < 2) return LineState::kIncomplete;
  *line = bytes.substr(0, length);
  return LineState::kComplete;
}

// An inline command's line ends in '\n'. A NUL before it hides it, as in Redis, until the line is too long.
LineState find_inline(std::string_view bytes, std::string_view* line) {
  const size_t searched = std::min(bytes.size(), RespParser::kLineBytesMax + 1);
  const char* const begin = bytes.data();
  const char* const end = static_cast<const char*>(std::memchr(begin, '\n', searched));
  if (end == nullptr || std::memchr(begin, '\0', static_cast<size_t>(end - begin)) != nullptr) {
    return bytes.size() > RespParser::kLineBytesMax ? LineState::kTooLong : LineState::kIncomplete;
  }
  *line = bytes.substr(0, static_cast<size_t>(end - begin));
  return LineState::kComplete;
}

std::string_view without_carriage_return(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

void RespParser::Stash::append(std::string_view more) {
  if (more.empty()) return;
  const size_t before = size();
  if (before + more.size() > capacity()) move_to_block(std::max({size_t{128}, before + more.size(), capacity() * 2}));
  std::memcpy(block.data() + before, more.data(), more.size());
  block.resize(before + more.size());
}

void RespParser::Stash::move_to_block(size_t capacity) {
  SharedBytes moved = SharedBytes::allocate(capacity);
  if (!empty()) std::memcpy(moved.data(), block.data(), size());
  moved.resize(size());
  block = std::move(moved);
}

void RespParser::feed(std::string_view input) {
  SYNAP_ASSERT(input_.empty() && held_.empty());
  input_ = input;
  if (stage_ == Stage::kNone && !stash_.empty()) {  // what unparse() gave back comes first
    stash_.append(input);
    std::swap(held_, stash_);
    input_ = held_.view();
  }
}

ParseOutcome RespParser::parse(CommandBatch* batch, size_t commands_max, const ParserLimits& limits) {
  if (!error_.empty()) return ParseOutcome::kError;
  while (batch->size() < commands_max) {
    const Step step = stage_ == Stage::kNone ? scan_command(batch, limits) : resume(batch, limits);
    if (step == Step::kIncomplete) return ParseOutcome::kNeedInput;
    if (step == Step::kFailed) return ParseOutcome::kError;
  }
  return ParseOutcome::kBatchFull;
}

RespParser::Step RespParser::scan_command(CommandBatch* batch, const ParserLimits& limits) {
  const char* const begin = input_.data() + cursor_;
  if (begin == input_end()) return Step::kIncomplete;
  stream_begin_ = cursor_;
  if (*begin != '*') return scan_inline(batch);
  const char* after = fast_length(begin + 1, input_end(), &args_left_);
  if (after == nullptr || args_left_ > limits.multibulk_max || !limits.authenticated) [[unlikely]] {
    std::string_view line;
    const LineState state = find_line(input_.substr(cursor_), &line);
    if (state == LineState::kTooLong) return fail(kMultibulkStringTooBigError);
    if (state == LineState::kIncomplete) return stop_at(Stage::kMultibulkLine, begin, nullptr, 0);
    if (!read_multibulk_count(line.substr(1), limits)) return Step::kFailed;
    after = begin + line.size() + 2;
  }
  if (args_left_ <= 0) {
    cursor_ = input_offset(after);
    return Step::kSkipped;
  }
  bulk_length_ = -1;
  return scan_arguments(after, batch, limits);
}

RespParser::Step RespParser::scan_arguments(const char* p, CommandBatch* batch, const ParserLimits& limits) {
  const char* const end = input_end();
  const int64_t bulk_max =
      limits.authenticated ? limits.bulk_bytes_max : std::min(limits.bulk_bytes_max, kStrangerBulkBytesMax);
  std::string_view* const first =
      batch->views_end(static_cast<size_t>(std::min<int64_t>(args_left_, (end - p) / kArgBytesMin + 1)));
  std::string_view* out = first;
  int64_t left = args_left_;
  int64_t length = bulk_length_;
  for (; left > 0; --left) {
    if (length < 0) {
      const char* after = p != end && *p == '$' ? fast_length(p + 1, end, &length) : nullptr;
      if (after == nullptr || length > bulk_max) [[unlikely]] {
        args_left_ = left;
        bulk_length_ = -1;
        std::string_view line;
        const LineState state = find_line({p, static_cast<size_t>(end - p)}, &line);
        if (state == LineState::kTooLong) return fail(kBulkStringTooBigError);
        if (state == LineState::kIncomplete) {
          return stop_at(Stage::kBulkLine, p, first, static_cast<size_t>(out - first));
        }
        if (!read_bulk_length(line, limits)) return Step::kFailed;
        length = bulk_length_;
        after = p + line.size() + 2;
      }
      p = after;
    }
    if (end - p - 2 < length) [[unlikely]] {
      args_left_ = left;
      bulk_length_ = length;
      const bool direct = length > kDirectBytesMin;
      if (direct && !start_direct(p)) return fail(kBulkLengthError);
      return stop_at(direct ? Stage::kDirect : Stage::kPayload, p, first, static_cast<size_t>(out - first));
    }
    new (out++) std::string_view(p, static_cast<size_t>(length));
    p += length + 2;
    length = -1;
  }
  cursor_ = input_offset(p);
  if (!stash_.empty()) return finish_resumed(batch, static_cast<size_t>(out - first));
  const auto view_count = static_cast<size_t>(out - first);
  push_command(batch, view_count, command_begin_, view_count);
  return Step::kCommand;
}

RespParser::Step RespParser::scan_inline(CommandBatch* batch) {
  std::string_view line;
  const LineState state = find_inline(input_.substr(cursor_), &line);
  if (state == LineState::kTooLong) return fail(kInlineTooBigError);
  if (state == LineState::kIncomplete) {
    return stop_at(Stage::kInlineLine, input_.data() + cursor_, nullptr, 0);
  }
  cursor_ += line.size() + 1;
  return finish_inline(without_carriage_return(line), command_begin_, batch);
}

RespParser::Step RespParser::finish_inline(std::string_view line, size_t input_begin, CommandBatch* batch) {
  std::vector<std::string_view> words;
  SharedBytes scratch;
  if (has_quotes(line)) scratch = SharedBytes::allocate(line.size());
  if (!split_quoted_args(line, scratch ? scratch.data() : nullptr, &words)) return fail(kUnbalancedQuotesError);
  if (words.empty()) return Step::kSkipped;
  std::copy(words.begin(), words.end(), batch->views_end(words.size()));
  if (scratch) batch->scratch_.push_back(std::move(scratch));
  push_command(batch, words.size(), input_begin, words.size());
  return Step::kCommand;
}

RespParser::Step RespParser::stop_at(Stage stage, const char* token, const std::string_view* fresh,
                                     size_t fresh_count) {
  const char* const stream = input_.data() + stream_begin_;
  for (size_t i = 0; i < fresh_count; ++i) {
    tokens_.push_back({stash_.size() + static_cast<size_t>(fresh[i].data() - stream), fresh[i].size()});
  }
  stage_ = stage;
  token_offset_ = stash_.size() + static_cast<size_t>(token - stream);
  stream_end_ = stage == Stage::kDirect ? input_offset(token) : input_.size();
  cursor_ = input_.size();
  return Step::kIncomplete;
}

bool RespParser::start_direct(const char* payload) {
  direct_ = SharedBytes::try_allocate(static_cast<size_t>(bulk_length_) + 2);
  if (!direct_) return false;
  direct_filled_ = static_cast<size_t>(input_end() - payload);
  if (direct_filled_ != 0) std::memcpy(direct_.data(), payload, direct_filled_);
  return true;
}

RespParser::Step RespParser::resume(CommandBatch* batch, const ParserLimits& limits) {
  Step step = Step::kIncomplete;
  if (stage_ == Stage::kDirect) {
    step = resume_direct();
  } else if (cursor_ != input_.size()) {
    step = stage_ == Stage::kPayload ? resume_payload() : resume_line(batch, limits);
  }
  // kCommand here means that the broken token is whole and the arguments go on in the input.
  if (step != Step::kCommand || stage_ == Stage::kNone) return step;
  return scan_arguments(input_.data() + cursor_, batch, limits);
}

bool RespParser::grow_direct() {
  const size_t whole = static_cast<size_t>(bulk_length_) + 2;
  if (direct_.capacity() >= whole) return true;
  SharedBytes block = SharedBytes::try_allocate(whole);
  if (!block) return false;
  std::memcpy(block.data(), direct_.data(), direct_filled_);
  direct_ = std::move(block);
  return true;
}

void RespParser::trim() {
  if (stash_.capacity() - stash_.size() > kTrimBytesMin) stash_.move_to_block(stash_.size());
  if (stage_ != Stage::kDirect || direct_filled_ > kTrimCopyMax) return;
  SharedBytes block = SharedBytes::allocate(direct_filled_);
  std::memcpy(block.data(), direct_.data(), direct_filled_);
  direct_ = std::move(block);
}

RespParser::Step RespParser::resume_direct() {
  if (!grow_direct()) return fail(kBulkLengthError);
  const size_t taken = std::min(input_.size() - cursor_, direct_.capacity() - direct_filled_);
  if (taken != 0) std::memcpy(direct_.data() + direct_filled_, input_.data() + cursor_, taken);
  direct_filled_ += taken;
  cursor_ += taken;
  // After a stop in this same input its stream still has to be kept: leave it alone.
  if (direct_filled_ < direct_.capacity()) {
    if (taken != 0) stream_begin_ = stream_end_ = cursor_;
    return Step::kIncomplete;
  }
  stream_begin_ = stream_end_ = cursor_;
  direct_.resize(static_cast<size_t>(bulk_length_));
  tokens_.push_back({kInBlock | blocks_.size(), static_cast<uint64_t>(bulk_length_)});
  blocks_.push_back(std::move(direct_));
  direct_filled_ = 0;
  bulk_length_ = -1;
  --args_left_;
  return Step::kCommand;
}

RespParser::Step RespParser::resume_payload() {
  const size_t missing = token_offset_ + static_cast<size_t>(bulk_length_) + 2 - stash_.size();
  const std::string_view taken = input_.substr(cursor_, missing);
  stash_.append(taken);
  cursor_ += taken.size();
  stream_begin_ = stream_end_ = cursor_;
  if (taken.size() < missing) return Step::kIncomplete;
  tokens_.push_back({token_offset_, static_cast<uint64_t>(bulk_length_)});
  bulk_length_ = -1;
  --args_left_;
  return Step::kCommand;
}

RespParser::Step RespParser::resume_line(CommandBatch* batch, const ParserLimits& limits) {
  // Only the input is searched for the line's end: of what is stashed, it could be just the last byte.
  const std::string_view rest = input_.substr(cursor_);
  const bool is_inline = stage_ == Stage::kInlineLine;
  size_t missing = 1;
  if (is_inline) {
    missing = rest.find('\n') + 1;
  } else if (stash_.size() == token_offset_ || stash_.view().back() != '\r') {
    const size_t end = rest.find('\r');
    missing = end == std::string_view::npos ? 0 : end + 2;
  }
  const std::string_view taken = missing == 0 ? rest : rest.substr(0, missing);
  stash_.append(taken);
  cursor_ += taken.size();
  stream_begin_ = stream_end_ = cursor_;
  const std::string_view bytes = stash_.view().substr(token_offset_);
  std::string_view line;
  LineState state = LineState::kIncomplete;
  if ((missing != 0 && missing <= rest.size()) || bytes.size() > kLineBytesMax) {
    state = is_inline ? find_inline(bytes, &line) : find_line(bytes, &line);
  }
  if (state == LineState::kIncomplete) return Step::kIncomplete;
  if (is_inline) {
    if (state == LineState::kTooLong) return fail(kInlineTooBigError);
    std::swap(held_, stash_);
    stage_ = Stage::kNone;
    return finish_inline(without_carriage_return(line), CommandBatch::kResumed, batch);
  }
  if (stage_ == Stage::kBulkLine) {
    if (state == LineState::kTooLong) return fail(kBulkStringTooBigError);
    return read_bulk_length(line, limits) ? Step::kCommand : Step::kFailed;
  }
  if (state == LineState::kTooLong) return fail(kMultibulkStringTooBigError);
  if (!read_multibulk_count(line.substr(1), limits)) return Step::kFailed;
  bulk_length_ = -1;
  if (args_left_ > 0) return Step::kCommand;
  forget_tail();
  return Step::kSkipped;
}

RespParser::Step RespParser::finish_resumed(CommandBatch* batch, size_t fresh_count) {
  const size_t total = tokens_.size() + fresh_count;
  const auto place = static_cast<uint32_t>(batch->size());
  const bool big = stash_.size() + (cursor_ - stream_begin_) > kBackedBytesMin;
  std::string_view* views = batch->views_end(big ? fresh_count : total);
  const std::span<std::string_view> fresh(views, fresh_count);
  if (big) {
    stash_whole_command(fresh);
    SharedBytes block = SharedBytes::allocate(total * sizeof(std::string_view));
    views = reinterpret_cast<std::string_view*>(block.data());
    batch->owned_.push_back({place, OwnedArg::kViews, std::move(block)});
  }
  if (!fresh.empty()) std::memmove(static_cast<void*>(views + tokens_.size()), fresh.data(), fresh.size_bytes());
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const Token& token = tokens_[i];
    if ((token.offset & kInBlock) != 0) {
      SharedBytes& block = blocks_[token.offset & ~kInBlock];
      new (&views[i]) std::string_view(block.view());
      batch->owned_.push_back({place, static_cast<uint32_t>(i), std::move(block)});
    } else {
      const size_t stashed = stash_.size();
      const char* bytes = token.offset < stashed ? stash_.view().data() + token.offset
                                                 : input_.data() + stream_begin_ + (token.offset - stashed);
      new (&views[i]) std::string_view(bytes, token.size);
    }
  }
  if (big) batch->owned_.push_back({place, OwnedArg::kBacking, std::move(stash_.block)});
  push_command(batch, total, CommandBatch::kResumed, big ? 0 : total);
  std::swap(held_, stash_);  // the views stay valid until keep_tail()
  forget_tail();
  return Step::kCommand;
}

// So that one block backs all its arguments, and who wants to keep them need not copy.
void RespParser::stash_whole_command(std::span<std::string_view> fresh) {
  const char* const stream = input_.data() + stream_begin_;
  const size_t before = stash_.size();
  stash_.append(input_.substr(stream_begin_, cursor_ - stream_begin_));
  const char* const moved_to = stash_.view().data() + before;
  for (std::string_view& view : fresh) view = {moved_to + (view.data() - stream), view.size()};
}

void RespParser::push_command(CommandBatch* batch, size_t view_count, size_t input_begin, size_t arena_views) {
  batch->push_command(
      {batch->view_count_, static_cast<uint32_t>(view_count), carried_bytes_ + cursor_ - command_begin_, input_begin});
  batch->view_count_ += static_cast<uint32_t>(arena_views);
  command_begin_ = cursor_;
  carried_bytes_ = 0;
}

bool RespParser::read_multibulk_count(std::string_view line, const ParserLimits& limits) {
  if (!parse_int64(line, &args_left_) || args_left_ > limits.multibulk_max) {
    fail(kMultibulkLengthError);
    return false;
  }
  if (args_left_ > kStrangerArgsMax && !limits.authenticated) {
    fail(kMultibulkUnauthenticatedError);
    return false;
  }
  return true;
}

bool RespParser::read_bulk_length(std::string_view line, const ParserLimits& limits) {
  if (line.empty() || line[0] != '$') {
    error_ = kExpectedDollarBegin;
    error_ += line.empty() ? ' ' : line[0];
    error_ += '\'';
    return false;
  }
  if (!parse_int64(line.substr(1), &bulk_length_) || bulk_length_ < 0 || bulk_length_ > limits.bulk_bytes_max) {
    fail(kBulkLengthError);
    return false;
  }
  if (bulk_length_ > kStrangerBulkBytesMax && !limits.authenticated) {
    fail(kBulkUnauthenticatedError);
    return false;
  }
  return true;
}

RespParser::Step RespParser::fail(std::string_view error) {
  error_ = error;
  return Step::kFailed;
}

void RespParser::forget_tail() {
  stage_ = Stage::kNone;
  stash_.block.reset();
  direct_.reset();
  direct_filled_ = 0;
  blocks_.clear();
  tokens_.clear();
  if (tokens_.capacity() > kTokensKeptMax) tokens_.shrink_to_fit();
}

void RespParser::unparse(CommandBatch* batch, size_t k) {
  if (k >= batch->size()) return;
  const CommandBatch::Command& command = batch->commands_[k];
  SYNAP_ASSERT(command.input_begin != CommandBatch::kResumed);
  const size_t input_end_offset = k + 1 < batch->size() ? batch->commands_[k + 1].input_begin : command_begin_;
  carried_bytes_ = command.wire_bytes - (input_end_offset - command.input_begin);
  cursor_ = command_begin_ = command.input_begin;
  batch->drop_from(k);
  forget_tail();  // it began behind the k-th command, so all of it is in the input
}

void RespParser::keep_tail() {
  if (!error_.empty()) {
    forget_tail();
  } else if (stage_ == Stage::kNone) {
    stash_.append(input_.substr(cursor_));
  } else {
    stash_.append(input_.substr(stream_begin_, stream_end_ - stream_begin_));
  }
  carried_bytes_ += cursor_ - command_begin_;
  cursor_ = command_begin_ = stream_begin_ = stream_end_ = 0;
  input_ = {};
  held_.block.reset();
}

std::span<char> RespParser::direct_read_target() {
  if (stage_ != Stage::kDirect || !grow_direct()) return {};
  return {direct_.data() + direct_filled_, direct_.capacity() - direct_filled_};
}

}  // namespace synap
