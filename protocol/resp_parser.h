// RespParser: turns the bytes a client sends into commands, multibulk and inline. One object per client; it reads the
// reactor's buffer in place and keeps only the incomplete tail, whose scanning goes on where it stopped.
//
//   parser.feed(bytes just read);
//   do {
//     outcome = parser.parse(&batch, 64, limits);   // views into those bytes
//     run batch …                                   // or stop early: parser.unparse(&batch, k); break;
//     batch.clear();
//   } while (outcome == ParseOutcome::kBatchFull);
//   parser.keep_tail();                             // before the buffer is reused
//
// A bulk of over 32 KiB that has not arrived completely gets its own block at once; while direct_read_target() is
// not empty the socket is best read into it, then direct_read_done(n) replaces feed().
// After kError the stream is lost: send error() and close.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/args.h"
#include "server/base/shared_bytes.h"

namespace synap {

struct ParserLimits {
  int64_t bulk_bytes_max = 512 * 1024 * 1024;  // proto-max-bulk-len; INT64_MAX for the link to a primary
  int64_t multibulk_max = INT32_MAX;
  // Strangers get 10 arguments of 16 KiB. Parse their commands one at a time: the first may be AUTH.
  bool authenticated = true;
};

enum class ParseOutcome {
  kNeedInput,  // all that was complete is in the batch
  kBatchFull,  // there may be more
  kError,      // run what is in the batch, then give up
};

class RespParser {
 public:
  static constexpr size_t kLineBytesMax = 64 * 1024;  // inline commands and length lines
  static constexpr int64_t kDirectBytesMin = 32 * 1024;

  RespParser() = default;
  RespParser(const RespParser&) = delete;
  RespParser& operator=(const RespParser&) = delete;

  // `input` must stay readable until keep_tail(). An empty input goes on with what unparse() gave back.
  void feed(std::string_view input);
  // Adds commands to the batch until it holds commands_max.
  ParseOutcome parse(CommandBatch* batch, size_t commands_max, const ParserLimits& limits);
  // Gives the batch's commands from the k-th on back to the input. The k-th must not have begun in an earlier input
  // (only the first command of a feed can, and that one can be stored instead).
  void unparse(CommandBatch* batch, size_t k);
  // Copies what is unparsed, so that the input may go. Views in the batch end here.
  void keep_tail();

  // What an incomplete command holds beyond the bytes that came goes back, until more come: a client that promises a big
  // argument and falls silent shall not keep its memory.
  void trim();

  std::span<char> direct_read_target();
  void direct_read_done(size_t n) {
    direct_filled_ += n;
    carried_bytes_ += n;
  }

  // The reply to send after kError, and the short reason for the log.
  const std::string& error() const { return error_; }

  // Bytes of incomplete commands held now (what client-query-buffer-limit is about), and the heap they take.
  size_t buffered_bytes() const { return stash_.size() + direct_filled_ + (input_.size() - cursor_); }
  // The same as Redis shows it (CLIENT LIST's qbuf): of a command whose big argument is arriving, that argument alone.
  size_t shown_bytes() const { return stage_ == Stage::kDirect ? direct_filled_ : buffered_bytes(); }
  size_t memory_bytes() const {
    return stash_.capacity() + (direct_ ? direct_.heap_bytes() : 0) + tokens_.capacity() * sizeof(Token);
  }

 private:
  // What the tail's last, incomplete token is.
  enum class Stage : uint8_t { kNone, kInlineLine, kMultibulkLine, kBulkLine, kPayload, kDirect };
  enum class Step : uint8_t { kCommand, kSkipped, kIncomplete, kFailed };

  // A finished argument of the tail, as a place in its stream, or with kInBlock the index of its block.
  struct Token {
    uint64_t offset;
    uint64_t size;
  };
  static constexpr uint64_t kInBlock = uint64_t{1} << 63;

  // Bytes kept between inputs.
  struct Stash {
    void append(std::string_view more);
    // To a block with room for `capacity` bytes, at least those that are here.
    void move_to_block(size_t capacity);
    bool empty() const { return size() == 0; }
    size_t size() const { return block ? block.size() : 0; }
    size_t capacity() const { return block ? block.capacity() : 0; }
    std::string_view view() const { return block.view(); }

    SharedBytes block;
  };

  Step scan_command(CommandBatch* batch, const ParserLimits& limits);
  Step scan_arguments(const char* p, CommandBatch* batch, const ParserLimits& limits);
  Step scan_inline(CommandBatch* batch);
  Step resume(CommandBatch* batch, const ParserLimits& limits);
  Step resume_direct();
  Step resume_payload();
  Step resume_line(CommandBatch* batch, const ParserLimits& limits);
  Step finish_inline(std::string_view line, size_t input_begin, CommandBatch* batch);
  // The fresh arguments are those after the batch's last command, not yet counted; the tokens go before them.
  Step finish_resumed(CommandBatch* batch, size_t fresh_count);
  void stash_whole_command(std::span<std::string_view> fresh);
  // The input ends inside a token that starts at `token`.
  Step stop_at(Stage stage, const char* token, const std::string_view* fresh, size_t fresh_count);
  bool start_direct(const char* payload);
  bool grow_direct();
  bool read_multibulk_count(std::string_view line, const ParserLimits& limits);
  bool read_bulk_length(std::string_view line, const ParserLimits& limits);
  // `arena_views`: how many of its views lie in the batch itself, all or none.
  void push_command(CommandBatch* batch, size_t view_count, size_t input_begin, size_t arena_views);
  Step fail(std::string_view error);
  void forget_tail();

  const char* input_end() const { return input_.data() + input_.size(); }
  size_t input_offset(const char* p) const { return static_cast<size_t>(p - input_.data()); }

  std::string_view input_;
  size_t cursor_ = 0;         // of what is consumed in input_
  size_t command_begin_ = 0;  // in input_, with what was skipped
  size_t carried_bytes_ = 0;  // of the current command, consumed in earlier inputs

  // The tail. Its stream is the stash, then input_ from stream_begin_ to stream_end_; direct payloads are left out.
  Stage stage_ = Stage::kNone;
  int64_t args_left_ = 0;
  int64_t bulk_length_ = -1;  // -1: its line comes first
  size_t stream_begin_ = 0;
  size_t stream_end_ = 0;
  uint64_t token_offset_ = 0;  // in the stream, of the incomplete token
  size_t direct_filled_ = 0;
  SharedBytes direct_;
  Stash stash_;  // with kNone: bytes not scanned yet
  Stash held_;   // what the batch's views or input_ rest on until keep_tail()
  std::vector<Token> tokens_;
  std::vector<SharedBytes> blocks_;
  std::string error_;
};

}  // namespace synap
