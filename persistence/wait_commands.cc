// WAIT and WAITAOF while nothing replicates: no replica ever acknowledges, so they wait for their time-out. The local
// part of WAITAOF waits for the AOF's writer, which wakes the client.
#include <climits>
#include <string>

#include "persistence/aof.h"
#include "persistence/persistence_commands.h"
#include "server/command/context.h"
#include "server/command/server_api.h"
#include "server/command/state_bits.h"

namespace synap {

namespace {

bool refuse_on_replica(Context& ctx, std::string_view error) {
  if (!ctx.server().state->has(kStateReplica)) return false;
  ctx.error(error);
  return true;
}

void wait_for_timeout(Context& ctx, int64_t timeout_ms, std::string_view reply) {
  BlockRequest request;
  request.type = ValueType::kString;
  request.timeout_ms = timeout_ms;
  request.timeout_reply = reply;
  ctx.block(std::move(request));
}

void cmd_wait(Context& ctx) {
  constexpr std::string_view kNobody = ":0\r\n";
  if (refuse_on_replica(ctx, "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a "
                             "replica is configured to be writable (which is not the default) writes to replicas are just "
                             "local and are not propagated.")) {
    return;
  }
  int64_t replicas;
  int64_t timeout_ms;
  if (!ctx.parse(ctx.arg(1), &replicas) || !ctx.parse_timeout_ms(ctx.arg(2), &timeout_ms)) return;
  if (replicas <= 0 || !ctx.may_block()) return ctx.reply().raw(kNobody);
  wait_for_timeout(ctx, timeout_ms, kNobody);
}

void cmd_waitaof(Context& ctx) {
  int64_t local;
  int64_t replicas;
  int64_t timeout_ms;
  if (!ctx.parse(ctx.arg(1), &local)) return;
  if (local < 0 || local > 1) return ctx.error("ERR value is out of range, value must between 0 and 1");
  if (!ctx.parse_range(ctx.arg(2), 0, INT64_MAX, &replicas)) return;
  if (!ctx.parse_timeout_ms(ctx.arg(3), &timeout_ms)) return;
  if (refuse_on_replica(ctx, "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas "
                             "are just local and are not propagated.")) {
    return;
  }
  if (local != 0 && !ctx.config().appendonly) {
    return ctx.error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  }
  Server& server = ctx.server();
  const uint64_t offset = ctx.session().written_offset;
  // Until the first base is there, nothing that was written before is in the AOF.
  const bool synced = server.aof->is_on() && !server.aof->waits_for_base() && server.aof->writer().synced_offset() >= offset;
  const std::string_view now = synced ? "*2\r\n:1\r\n:0\r\n" : "*2\r\n:0\r\n:0\r\n";
  if (((synced || local == 0) && replicas == 0) || !ctx.may_block()) return ctx.reply().raw(now);
  if (!synced && server.aof->is_on()) {
    server.aof->writer().when_synced(offset, [clients = server.clients, id = ctx.session().id()] {
      clients->post(id, [](ClientPort& port) { port.retry_waiting(); });
    });
  }
  wait_for_timeout(ctx, timeout_ms, now);
}

constexpr Command kRows[] = {
    {.name = "wait", .handler = cmd_wait, .arity = 3, .flags = kBlocking, .categories = kCatConnection,
     .tips = {"request_policy:all_shards", "response_policy:agg_min"}},
    {.name = "waitaof", .handler = cmd_waitaof, .arity = 4, .flags = kBlocking, .categories = kCatConnection,
     .tips = {"request_policy:all_shards", "response_policy:agg_min"}},
};

}  // namespace

const CommandFamily kWaitCommands = kRows;

}  // namespace synap
