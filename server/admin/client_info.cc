// The fields of CLIENT LIST, in Redis's order and spelling, from the part of a session that any thread may read.
#include "server/admin/client_info.h"

#include <utility>

#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/client_memory.h"

namespace synap {

namespace {

// In the order Redis prints them; without any: N.
constexpr std::pair<uint64_t, char> kFlagLetters[] = {
    {kSessionMonitor, 'O'},  {kSessionReplica, 'S'},         {kSessionMaster, 'M'},
    {kSessionPubsub, 'P'},   {kSessionMulti, 'x'},           {kSessionBlocked | kSessionPostponed, 'b'},
    {kSessionTracking, 't'}, {kSessionTrackingBroken, 'R'},  {kSessionTrackingBcast, 'B'},
    {kSessionDirtyCas, 'd'}, {kSessionCloseAfterReply, 'c'}, {kSessionUnblocked, 'u'},
    {kSessionCloseNow, 'A'}, {kSessionUnixSocket, 'U'},      {kSessionReadonly, 'r'},
    {kSessionNoEvict, 'e'},  {kSessionNoTouch, 'T'},
};

std::string flag_letters(uint64_t flags) {
  std::string letters;
  for (const auto& [flag, letter] : kFlagLetters) {
    if ((flags & flag) != 0 && (letter != 'S' || (flags & kSessionMonitor) == 0)) letters += letter;
  }
  return letters.empty() ? "N" : letters;
}

template <class T>
T load(const std::atomic<T>& value) {
  return value.load(std::memory_order_relaxed);
}

// Writes " name=value" fields.
class FieldWriter {
 public:
  explicit FieldWriter(std::string* out) : out_(out) {}
  void text(std::string_view name, std::string_view value) {
    out_->append(name);
    out_->append(value);
  }
  template <class T>
  void number(std::string_view name, T value) {
    text(name, to_text(value));
  }

 private:
  std::string* out_;
};

}  // namespace

ClientKind client_kind(const SharedSession& client) {
  const uint64_t flags = load(client.flags);
  if ((flags & kSessionMaster) != 0) return ClientKind::kMaster;
  if ((flags & kSessionReplica) != 0 && (flags & kSessionMonitor) == 0) return ClientKind::kReplica;
  return (flags & kSessionPubsub) != 0 ? ClientKind::kPubsub : ClientKind::kNormal;
}

std::optional<ClientKind> client_kind_by_name(std::string_view name) {
  if (equals_ignore_case(name, "normal")) return ClientKind::kNormal;
  if (equals_ignore_case(name, "master") || equals_ignore_case(name, "primary")) return ClientKind::kMaster;
  if (equals_ignore_case(name, "replica") || equals_ignore_case(name, "slave")) return ClientKind::kReplica;
  if (equals_ignore_case(name, "pubsub")) return ClientKind::kPubsub;
  return std::nullopt;
}

void append_client_line(const SharedSession& client, int64_t now_ms, const Command* running, std::string* out) {
  FieldWriter field(out);
  const uint64_t flags = load(client.flags);
  const uint64_t output_bytes = load(client.output_bytes);
  const Command* command = running != nullptr ? running : load(client.last_command);
  const int64_t idle_ms = running != nullptr ? 0 : now_ms - load(client.last_interaction_ms);
  field.number("id=", client.id);
  {
    LockGuard guard(client.mutex);
    field.text(" addr=", client.peer);
    field.text(" laddr=", client.local);
    field.number(" fd=", load(client.fd));
    field.text(" name=", client.name);
  }
  field.number(" age=", (now_ms - load(client.created_ms)) / 1000);
  field.number(" idle=", idle_ms / 1000);
  field.text(" flags=", flag_letters(flags));
  field.number(" db=", load(client.db));
  field.number(" sub=", load(client.channels));
  field.number(" psub=", load(client.patterns));
  field.number(" ssub=", load(client.shard_channels));
  field.number(" multi=", load(client.multi_commands));
  field.number(" watch=", load(client.watched_keys));
  field.number(" qbuf=", load(client.query_buffer_bytes));
  field.number(" qbuf-free=", load(client.query_buffer_free_bytes));
  field.number(" argv-mem=", load(client.argv_bytes));
  field.number(" multi-mem=", load(client.multi_bytes));
  field.number(" rbs=", load(client.output_chunk_bytes));
  field.number(" rbp=", load(client.output_chunk_bytes));
  field.text(" obl=", "0");
  field.number(" oll=", load(client.output_list_length));
  field.number(" omem=", output_bytes);
  field.number(" tot-mem=", client_memory_bytes(client));
  field.text(" events=", output_bytes == 0 ? "r" : "rw");
  field.text(" cmd=", command == nullptr ? "NULL" : command->display_name());
  LockGuard guard(client.mutex);
  field.text(" user=", client.user_name);
  field.number(" redir=", (flags & kSessionTracking) != 0 ? static_cast<int64_t>(load(client.tracking_redirect)) : -1);
  field.number(" resp=", load(client.resp));
  field.text(" lib-name=", client.lib_name);
  field.text(" lib-ver=", client.lib_version);
  field.number(" tot-net-in=", load(client.network_in_bytes));
  field.number(" tot-net-out=", load(client.network_out_bytes));
  field.number(" tot-cmds=", load(client.commands));
  out->push_back('\n');
}

bool is_valid_client_attribute(std::string_view value) {
  for (const char c : value) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

}  // namespace synap
