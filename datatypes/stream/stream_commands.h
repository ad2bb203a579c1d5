// The stream commands' table, and what its files share: ids as arguments and replies, entries as replies, effects.
#pragma once

#include <string_view>

#include "datatypes/stream/stream.h"
#include "server/command/context.h"

namespace synap {

extern const CommandFamily kStreamCommands;

// An id as text, for effects.
class StreamIdText {
 public:
  explicit StreamIdText(const StreamId& id) : size_(id.format(text_)) {}
  std::string_view view() const { return {text_, size_}; }

 private:
  char text_[StreamId::kTextBytesMax];
  size_t size_;
};

inline constexpr std::string_view kStreamIdError = "ERR Invalid stream ID specified as stream command argument";

// An id argument. False: the error was replied.
bool parse_id_argument(Context& ctx, std::string_view text, StreamId* id, uint64_t missing_seq = 0);
// Several, from argument `first` on.
bool parse_id_arguments(Context& ctx, size_t first, size_t count, std::vector<StreamId>* ids);

struct StreamRange {
  StreamId start = StreamId::min();
  StreamId end = StreamId::max();
};
// Two range edges; exclusive ones are moved inwards.
bool parse_range_start(Context& ctx, std::string_view text, StreamId* start);
bool parse_range_end(Context& ctx, std::string_view text, StreamId* end);

inline void reply_id(Reply& reply, const StreamId& id) {
  reply.bulk(StreamIdText(id).view());
}
// [id, [field, value, …]]
void reply_entry(Reply& reply, StreamEntry& entry);
// The entry with this id; false, and nothing replied, when there is none.
bool reply_entry_of(Reply& reply, const Stream& stream, const StreamId& id);
// An array of entries, at most `count_max` (0: all).
void reply_range(Reply& reply, const Stream& stream, const StreamRange& range, uint64_t count_max,
                 StreamCursor::Direction direction = StreamCursor::Direction::kForward);
// Whether COUNT (0: none) alone keeps a call out of the slow lane, wherever its entries are.
bool are_few_entries(uint64_t count_max, size_t streams = 1);
uint64_t cost_of_entries(const Stream& stream, const StreamRange& range, uint64_t count_max);

// "NOGROUP No such key 'k' or consumer group 'g'"
void reply_no_group(Context& ctx, std::string_view key, std::string_view group);
// "NOGROUP No such consumer group 'g' for key name 'k'"
void reply_no_group_of_key(Context& ctx, std::string_view key, std::string_view group);

// "ERR unknown subcommand or wrong number of arguments for 'x'. Try XGROUP HELP."
void reply_subcommand_error(Context& ctx);
// What of an argument Redis's errors quote: C's strings end at a zero byte.
inline std::string_view quoted(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

// The consumer, created, with its event, if it is new.
StreamConsumer* consumer_for(Context& ctx, std::string_view key, ConsumerGroup& group, std::string_view name,
                             bool* created);
// What is journaled for a pending entry: XCLAIM key group consumer 0 id TIME t RETRYCOUNT n FORCE JUSTID LASTID last.
void effect_claim(Context& ctx, std::string_view key, std::string_view group_name, const ConsumerGroup& group,
                  const PendingEntry& pending);
// XGROUP SETID key group last-id ENTRIESREAD n.
void effect_group_position(Context& ctx, std::string_view key, std::string_view group_name, const ConsumerGroup& group);

// KEEPREF, DELREF or ACKED, and IDS numids id…: the arguments of XDELEX and XACKDEL from `first` on.
struct StreamDeletion {
  StreamReferences references = StreamReferences::kKeep;
  std::vector<StreamId> ids;
};
// The option, if it is one of these three.
bool parse_references(std::string_view option, StreamReferences* references);
bool parse_deletion(Context& ctx, size_t first, StreamDeletion* deletion);
// Replies of XDELEX and XACKDEL for one id.
inline constexpr int64_t kDeletionNoId = -1;
inline constexpr int64_t kDeletionDone = 1;
inline constexpr int64_t kDeletionStillReferenced = 2;

// stream_add_commands.cc
void cmd_xadd(Context& ctx);
void cmd_xtrim(Context& ctx);
uint64_t cost_of_trim(Context& ctx);

// stream_read_commands.cc
void cmd_xread(Context& ctx);
void cmd_xreadgroup(Context& ctx);
uint64_t cost_of_xread(Context& ctx);
bool keys_of_xread(ArgViews args, std::vector<KeyRef>* keys);
bool keys_of_xreadgroup(ArgViews args, std::vector<KeyRef>* keys);

// stream_group_commands.cc
void cmd_xgroup_create(Context& ctx);
void cmd_xgroup_createconsumer(Context& ctx);
void cmd_xgroup_delconsumer(Context& ctx);
void cmd_xgroup_destroy(Context& ctx);
void cmd_xgroup_help(Context& ctx);
void cmd_xgroup_setid(Context& ctx);
uint64_t cost_of_xgroup_destroy(Context& ctx);

// stream_pending_commands.cc
void cmd_xack(Context& ctx);
void cmd_xackdel(Context& ctx);
void cmd_xpending(Context& ctx);
void cmd_xclaim(Context& ctx);
void cmd_xautoclaim(Context& ctx);
uint64_t cost_of_xpending(Context& ctx);
uint64_t cost_of_xautoclaim(Context& ctx);

// stream_info_commands.cc
void cmd_xinfo_consumers(Context& ctx);
void cmd_xinfo_groups(Context& ctx);
void cmd_xinfo_help(Context& ctx);
void cmd_xinfo_stream(Context& ctx);
uint64_t cost_of_xinfo_stream(Context& ctx);

}  // namespace synap
