// What a client does with its own connection.
#include "datatypes/pubsub/pubsub.h"
#include "server/admin/connection_commands.h"

#include <climits>
#include <optional>
#include <string_view>

#include "server/admin/authentication.h"
#include "server/admin/client_info.h"
#include "server/admin/transaction_commands.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/monitor.h"
#include "server/command/server_api.h"
#include "server/command/tracking.h"
#include "server/command/version.h"

namespace synap {

namespace {

constexpr int kFirstDb = 0;

void set_db(Session& session, int db) {
  session.db = db;
  session.shared->db.store(db, std::memory_order_relaxed);
}

void set_resp(Context& ctx, int resp) {
  ctx.session().resp = resp;
  ctx.session().shared->resp.store(resp, std::memory_order_relaxed);
  ctx.reply().set_resp(resp);
}

void set_name(Session& session, std::string_view name) {
  LockGuard guard(session.shared->mutex);
  session.shared->name = name;
}

void cmd_ping(Context& ctx) {
  if (ctx.argc() > 2) return ctx.arity_error();
  Reply& reply = ctx.reply();
  if (ctx.session().resp == 2 && ctx.session().has(kSessionPubsub)) {  // there only arrays are expected
    reply.array(2);
    reply.bulk("pong");
    return reply.bulk(ctx.argc() == 2 ? ctx.arg(1) : std::string_view());
  }
  ctx.argc() == 1 ? reply.pong() : reply.bulk(ctx.arg(1));
}

void cmd_echo(Context& ctx) {
  SharedBytes* owned = ctx.owned_arg(1);
  owned == nullptr ? ctx.reply().bulk(ctx.arg(1)) : ctx.reply().bulk_shared(owned->share());
}

void cmd_auth(Context& ctx) {
  if (ctx.argc() > 3) return ctx.syntax_error();
  const bool with_user = ctx.argc() == 3;
  if (!with_user && default_user_has_no_password(ctx)) return ctx.error(kAuthWithoutPasswordError);
  if (authenticate(ctx, with_user ? ctx.arg(1) : "default", ctx.arg(ctx.argc() - 1))) ctx.reply().ok();
}

struct HelloOptions {
  int64_t version = 0;  // 0: stay
  std::optional<std::string_view> user;
  std::string_view password;
  std::optional<std::string_view> name;
};

bool parse_hello(Context& ctx, HelloOptions* options) {
  if (ctx.argc() < 2) return true;
  if (!ctx.parse(ctx.arg(1), &options->version, kProtocolNotIntegerError)) return false;
  if (options->version < 2 || options->version > 3) {
    ctx.error(kNoProtoError);
    return false;
  }
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const size_t more = ctx.argc() - 1 - i;
    if (equals_ignore_case(ctx.arg(i), "auth") && more >= 2) {
      options->user = ctx.arg(i + 1);
      options->password = ctx.arg(i + 2);
      i += 2;
    } else if (equals_ignore_case(ctx.arg(i), "setname") && more >= 1) {
      options->name = ctx.arg(++i);
      if (is_valid_client_attribute(*options->name)) continue;
      ctx.error(kClientNameError);
      return false;
    } else {
      ctx.reply().error({"ERR Syntax error in HELLO option '", ctx.arg(i), "'"});
      return false;
    }
  }
  return true;
}

void cmd_hello(Context& ctx) {
  HelloOptions options;
  if (!parse_hello(ctx, &options)) return;
  if (options.user.has_value() && !authenticate(ctx, *options.user, options.password)) return;
  if (ctx.session().user == nullptr) return ctx.error(kHelloNoAuthError);
  if (options.name.has_value()) set_name(ctx.session(), *options.name);
  if (options.version != 0) set_resp(ctx, static_cast<int>(options.version));
  Reply& reply = ctx.reply();
  reply.map(7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(kRedisVersion);
  reply.bulk("proto");
  reply.integer(ctx.session().resp);
  reply.bulk("id");
  reply.integer(static_cast<int64_t>(ctx.session().id()));
  reply.bulk("mode");
  reply.bulk("standalone");
  reply.bulk("role");
  reply.bulk(ctx.environment().replica ? "replica" : "master");
  reply.bulk("modules");
  reply.empty_array();
}

// The two arguments after AUTH.
bool is_secret_of_hello(ArgViews args, size_t index) {
  const auto is_auth = [&](size_t at) { return at >= 2 && equals_ignore_case(args[at], "auth"); };
  return index >= 3 && (is_auth(index - 1) || is_auth(index - 2));
}

void cmd_select(Context& ctx) {
  int64_t db;
  if (!ctx.parse(ctx.arg(1), &db)) return;
  if (db < INT_MIN || db > INT_MAX) {
    return ctx.error("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (db < 0 || db >= ctx.config().databases) return ctx.error(kDbOutOfRangeError);
  set_db(ctx.session(), static_cast<int>(db));
  ctx.reply().ok();
}

void cmd_quit(Context& ctx) {
  ctx.reply().ok();
  ctx.session().set(kSessionCloseAfterReply);
}

void cmd_reset(Context& ctx) {
  Session& session = ctx.session();
  const bool monitors = session.has(kSessionMonitor);
  if (session.has(kSessionMaster) || (session.has(kSessionReplica) && !monitors)) {
    return ctx.error("ERR can only reset normal client connections");
  }
  if (monitors) ctx.server().monitor->remove(session.id());
  ctx.server().pubsub->forget(session);
  ctx.server().tracking_table->disable(session);
  discard_transaction(ctx);  // the row's kUsesWatched has locked the shards of the watched keys
  session.clear(kSessionMonitor | kSessionReplica | kSessionMulti | kSessionDirtyCas | kSessionDirtyExec |
                kSessionReadonly | kSessionReplyOff | kSessionReplySkipNext | kSessionNoEvict | kSessionNoTouch);
  set_db(session, kFirstDb);
  set_resp(ctx, 2);
  set_name(session, {});
  authenticate_by_default(ctx.server(), session);
  ctx.reply().simple("RESET");
}

// What clients of a cluster say to its nodes; this server is none.
void cmd_needs_cluster(Context& ctx) { ctx.error("ERR This instance has cluster support disabled"); }

constexpr uint64_t kBeforeAuth = kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy;

constexpr Command kRows[] = {
    {.name = "asking", .handler = cmd_needs_cluster, .arity = 1, .flags = kFast, .categories = kCatConnection},
    {.name = "readonly",
     .handler = cmd_needs_cluster,
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .categories = kCatConnection},
    {.name = "readwrite",
     .handler = cmd_needs_cluster,
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .categories = kCatConnection},
    {.name = "auth",
     .handler = cmd_auth,
     .arity = -2,
     .flags = kBeforeAuth,
     .categories = kCatConnection,
     .secret_from = 1},
    {.name = "echo", .handler = cmd_echo, .arity = 2, .flags = kLoading | kStale | kFast, .categories = kCatConnection},
    {.name = "hello",
     .handler = cmd_hello,
     .arity = -1,
     .flags = kBeforeAuth,
     .categories = kCatConnection,
     .secret = is_secret_of_hello},
    {.name = "ping",
     .handler = cmd_ping,
     .arity = -1,
     .flags = kFast | kPubsubInResp2,
     .categories = kCatConnection,
     .tips = {"request_policy:all_shards", "response_policy:all_succeeded"}},
    {.name = "quit",
     .handler = cmd_quit,
     .arity = -1,
     .flags = kBeforeAuth | kRunsInMulti | kPubsubInResp2,
     .categories = kCatConnection},
    {.name = "reset",
     .handler = cmd_reset,
     .arity = 1,
     .flags = kBeforeAuth | kRunsInMulti | kPubsubInResp2 | kUsesWatched,
     .categories = kCatConnection},
    {.name = "select",
     .handler = cmd_select,
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .categories = kCatConnection},
};

}  // namespace

const CommandFamily kConnectionCommands = kRows;

}  // namespace synap
