// CLIENT: looking at connections and steering them. Other clients are read through their shared part and changed on
// their own reactor only.
#include <climits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/admin/authentication.h"
#include "server/admin/client_info.h"
#include "server/admin/connection_commands.h"
#include "server/admin/tracking_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

// Acts at once when the client lives on this very thread, so that the effect is there when the reply is.
ClientPort* port_on_this_thread(Context& ctx, const SharedSession& client) {
  ClientDirectory& clients = *ctx.server().clients;
  const auto reactor = static_cast<size_t>(client.reactor.load(std::memory_order_relaxed));
  return clients.reactor(reactor).on_thread() ? clients.local(reactor, client.id) : nullptr;
}

bool parse_switch(Context& ctx, std::string_view text, bool* on) {
  *on = equals_ignore_case(text, "on");
  if (*on || equals_ignore_case(text, "off")) return true;
  ctx.syntax_error();
  return false;
}

bool parse_kind(Context& ctx, std::string_view text, std::optional<ClientKind>* kind) {
  *kind = client_kind_by_name(text);
  if (kind->has_value()) return true;
  ctx.reply().error({"ERR Unknown client type '", printed(text, text.size()), "'"});
  return false;
}

void cmd_client_id(Context& ctx) {
  ctx.reply().integer(static_cast<int64_t>(ctx.session().id()));
}

void append_line(Context& ctx, const SharedSession& client, std::string* lines) {
  const bool self = client.id == ctx.session().id();
  append_client_line(client, ctx.now_ms(), self ? &ctx.command() : nullptr, lines);
}

void cmd_client_info(Context& ctx) {
  std::string line;
  append_line(ctx, *ctx.session().shared, &line);
  ctx.reply().verbatim("txt", line);
}

void cmd_client_list(Context& ctx) {
  std::string lines;
  std::optional<ClientKind> kind;
  if (ctx.argc() > 3 && equals_ignore_case(ctx.arg(2), "id")) {
    for (const std::string_view text : ctx.args().subspan(3)) {
      int64_t id;
      if (!ctx.parse(text, &id, kInvalidClientIdError)) return;
      const auto client = ctx.server().clients->find(static_cast<uint64_t>(id));
      if (client != nullptr) append_line(ctx, *client, &lines);
    }
    return ctx.reply().verbatim("txt", lines);
  }
  if (ctx.argc() == 4 && equals_ignore_case(ctx.arg(2), "type")) {
    if (!parse_kind(ctx, ctx.arg(3), &kind)) return;
  } else if (ctx.argc() != 2) {
    return ctx.syntax_error();
  }
  for (const auto& client : ctx.server().clients->all()) {
    if (!kind.has_value() || client_kind(*client) == *kind) append_line(ctx, *client, &lines);
  }
  ctx.reply().verbatim("txt", lines);
}

// --- CLIENT KILL.

struct KillFilter {
  std::optional<std::string_view> peer, local, user;
  std::optional<ClientKind> kind;
  int64_t id = 0;         // 0: any
  int64_t age_s_min = 0;  // 0: any
  bool skip_me = true;

  bool matches(Context& ctx, const SharedSession& client) const {
    if (id != 0 && client.id != static_cast<uint64_t>(id)) return false;
    if (kind.has_value() && client_kind(client) != *kind) return false;
    if (skip_me && client.id == ctx.session().id()) return false;
    const int64_t age_s = (ctx.now_ms() - client.created_ms.load(std::memory_order_relaxed)) / 1000;
    if (age_s_min != 0 && age_s < age_s_min) return false;
    LockGuard guard(client.mutex);
    return (!peer.has_value() || client.peer == *peer) && (!local.has_value() || client.local == *local) &&
           (!user.has_value() || client.user_name == *user);
  }
};

bool parse_kill_option(Context& ctx, std::string_view option, std::string_view value, KillFilter* filter) {
  if (equals_ignore_case(option, "id")) {
    return ctx.parse_range(value, 1, LONG_MAX, &filter->id, kClientIdPositiveError);
  }
  if (equals_ignore_case(option, "maxage")) {
    if (!ctx.parse(value, &filter->age_s_min, "ERR maxage is not an integer or out of range")) return false;
    if (filter->age_s_min > 0) return true;
    ctx.error("ERR maxage should be greater than 0");
    return false;
  }
  if (equals_ignore_case(option, "type")) return parse_kind(ctx, value, &filter->kind);
  if (equals_ignore_case(option, "addr")) {
    filter->peer = value;
  } else if (equals_ignore_case(option, "laddr")) {
    filter->local = value;
  } else if (equals_ignore_case(option, "user")) {
    if (!user_exists(ctx, value)) {
      ctx.reply().error({"ERR No such user '", value, "'"});
      return false;
    }
    filter->user = value;
  } else if (equals_ignore_case(option, "skipme") && equals_ignore_case(value, "yes")) {
    filter->skip_me = true;
  } else if (equals_ignore_case(option, "skipme") && equals_ignore_case(value, "no")) {
    filter->skip_me = false;
  } else {
    ctx.syntax_error();
    return false;
  }
  return true;
}

void kill_client(Context& ctx, const SharedSession& client) {
  if (client.id == ctx.session().id()) return ctx.session().set(kSessionCloseAfterReply);
  ClientPort* port = port_on_this_thread(ctx, client);
  if (port != nullptr) return port->close(false);
  ctx.server().clients->post(client.id, [](ClientPort& remote) { remote.close(false); });
}

void cmd_client_kill(Context& ctx) {
  KillFilter filter;
  const bool old_form = ctx.argc() == 3;
  if (old_form) {
    filter.peer = ctx.arg(2);
    filter.skip_me = false;
  }
  for (size_t i = 2; !old_form && i < ctx.argc(); i += 2) {
    if (i + 1 == ctx.argc()) return ctx.syntax_error();
    if (!parse_kill_option(ctx, ctx.arg(i), ctx.arg(i + 1), &filter)) return;
  }
  int64_t killed = 0;
  for (const auto& client : ctx.server().clients->all()) {
    if (!filter.matches(ctx, *client)) continue;
    kill_client(ctx, *client);
    ++killed;
  }
  if (!old_form) return ctx.reply().integer(killed);
  killed == 0 ? ctx.error(kNoSuchClientError) : ctx.reply().ok();
}

// --- Attributes and switches of the own connection.

void cmd_client_setname(Context& ctx) {
  if (!is_valid_client_attribute(ctx.arg(2))) return ctx.error(kClientNameError);
  {
    LockGuard guard(ctx.session().shared->mutex);
    ctx.session().shared->name = ctx.arg(2);
  }
  ctx.reply().ok();
}

void cmd_client_getname(Context& ctx) {
  std::string name;
  {
    LockGuard guard(ctx.session().shared->mutex);
    name = ctx.session().shared->name;
  }
  name.empty() ? ctx.reply().null() : ctx.reply().bulk(name);
}

void cmd_client_setinfo(Context& ctx) {
  SharedSession& shared = *ctx.session().shared;
  const std::string_view attribute = ctx.arg(2);
  const bool is_name = equals_ignore_case(attribute, "lib-name");
  if (!is_name && !equals_ignore_case(attribute, "lib-ver")) {
    return ctx.reply().error({"ERR Unrecognized option '", attribute, "'"});
  }
  if (!is_valid_client_attribute(ctx.arg(3))) {
    return ctx.reply().error({"ERR ", attribute, " cannot contain spaces, newlines or special characters."});
  }
  {
    LockGuard guard(shared.mutex);
    (is_name ? shared.lib_name : shared.lib_version) = ctx.arg(3);
  }
  ctx.reply().ok();
}

void set_switch(Context& ctx, uint64_t flag) {
  bool on;
  if (!parse_switch(ctx, ctx.arg(2), &on)) return;
  on ? ctx.session().set(flag) : ctx.session().clear(flag);
  ctx.reply().ok();
}

void cmd_client_no_evict(Context& ctx) {
  set_switch(ctx, kSessionNoEvict);
}
void cmd_client_no_touch(Context& ctx) {
  set_switch(ctx, kSessionNoTouch);
}

// OFF and SKIP themselves are not answered.
void cmd_client_reply(Context& ctx) {
  Session& session = ctx.session();
  if (equals_ignore_case(ctx.arg(2), "on")) {
    session.clear(kSessionReplyOff | kSessionReplySkipNext | kSessionReplySkip);
    ctx.reply().ok();
  } else if (equals_ignore_case(ctx.arg(2), "off")) {
    session.set(kSessionReplyOff);
  } else if (equals_ignore_case(ctx.arg(2), "skip")) {
    if (!session.has(kSessionReplyOff)) session.set(kSessionReplySkipNext);
  } else {
    ctx.syntax_error();
  }
}

// --- Other clients' waiting.

void cmd_client_unblock(Context& ctx) {
  if (ctx.argc() > 4) {
    return ctx.reply().error({kUnknownSubcommandArityBegin, ctx.arg(1), "'. Try CLIENT HELP."});
  }
  const bool error = ctx.argc() == 4 && equals_ignore_case(ctx.arg(3), "error");
  if (ctx.argc() == 4 && !error && !equals_ignore_case(ctx.arg(3), "timeout")) {
    return ctx.error(kClientUnblockReasonError);
  }
  int64_t id;
  if (!ctx.parse(ctx.arg(2), &id)) return;
  const auto client = ctx.server().clients->find(static_cast<uint64_t>(id));
  if (client == nullptr) return ctx.reply().zero();
  ClientPort* port = port_on_this_thread(ctx, *client);
  if (port != nullptr) return ctx.reply().integer(port->unblock(error) ? 1 : 0);
  if ((client->flags.load(std::memory_order_relaxed) & kSessionBlocked) == 0) return ctx.reply().zero();
  ctx.server().clients->post(client->id, [error](ClientPort& remote) { (void)remote.unblock(error); });
  ctx.reply().one();
}

void cmd_client_pause(Context& ctx) {
  if (ctx.argc() > 4) {
    return ctx.reply().error({kUnknownSubcommandArityBegin, ctx.arg(1), "'. Try CLIENT HELP."});
  }
  const bool writes_only = ctx.argc() == 4 && equals_ignore_case(ctx.arg(3), "write");
  if (ctx.argc() == 4 && !writes_only && !equals_ignore_case(ctx.arg(3), "all")) {
    return ctx.error(kClientPauseModeError);
  }
  int64_t timeout_ms;
  if (!ctx.parse_timeout_ms(ctx.arg(2), &timeout_ms)) return;
  Server& server = ctx.server();
  server.pause.pause(server.state, ctx.now_ms() + timeout_ms, writes_only);
  ctx.reply().ok();
}

void cmd_client_unpause(Context& ctx) {
  Server& server = ctx.server();
  server.pause.unpause(server.state, server.clients);
  ctx.reply().ok();
}

constexpr std::string_view kHelp[] = {
    "CACHING (YES|NO)",
    "    Track the keys of the next command, or not, in OPTIN and OPTOUT mode.",
    "GETNAME",
    "    Return the name of this connection.",
    "GETREDIR",
    "    Return the id of the client that gets this one's invalidations.",
    "ID",
    "    Return the id of this connection.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    Close the connection from this address.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close all connections that fit. Options:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      by the address they come from",
    "    * ID <client-id>",
    "      by their id",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      by the address they came to",
    "    * MAXAGE <seconds>",
    "      that are at least this old",
    "    * SKIPME (YES|NO)",
    "      but not this one (default: yes)",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      by what they are used for",
    "    * USER <username>",
    "      by their user",
    "LIST [options ...]",
    "    Describe the connections. Options:",
    "    * ID <client-id> [...]",
    "      only these",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      only these",
    "NO-EVICT (ON|OFF)",
    "    Protect this connection from being closed to save memory.",
    "NO-TOUCH (ON|OFF)",
    "    Leave the access times of keys alone.",
    "PAUSE <milliseconds> [WRITE|ALL]",
    "    Hold back all commands, or only writes.",
    "REPLY (ON|OFF|SKIP)",
    "    Answer everything, nothing, or all but the next command.",
    "SETINFO <option> <value>",
    "    Describe the client library. Options:",
    "    * LIB-NAME, LIB-VER",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Support client-side caching.",
    "TRACKINGINFO",
    "    Describe the client-side caching of this connection.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    End the waiting of a blocked client.",
    "UNPAUSE",
    "    Stop holding back commands.",
};

void cmd_client_help(Context& ctx) {
  reply_help(ctx, kHelp);
}

constexpr uint64_t kOwn = kNoScript | kLoading | kStale | kKeepsCaching;
constexpr uint64_t kOthers = kAdmin | kOwn;
constexpr std::array<std::string_view, 3> kEverywhere = {"request_policy:all_nodes", "response_policy:all_succeeded"};
constexpr std::array<std::string_view, 3> kVaries = {"nondeterministic_output"};

constexpr Command subcommand(std::string_view name, Handler handler, int arity, uint64_t flags,
                             std::array<std::string_view, 3> tips = {}) {
  return {.name = name, .handler = handler, .arity = arity, .flags = flags, .categories = kCatConnection, .tips = tips};
}

constexpr Command kSubcommands[] = {
    subcommand("caching", cmd_client_caching, 3, kOwn),
    subcommand("getname", cmd_client_getname, 2, kOwn),
    subcommand("getredir", cmd_client_getredir, 2, kOwn),
    subcommand("help", cmd_client_help, 2, kLoading | kStale | kKeepsCaching),
    subcommand("id", cmd_client_id, 2, kOwn),
    subcommand("info", cmd_client_info, 2, kOwn, kVaries),
    subcommand("kill", cmd_client_kill, -3, kOthers),
    subcommand("list", cmd_client_list, -2, kOthers, kVaries),
    subcommand("no-evict", cmd_client_no_evict, 3, kOthers),
    subcommand("no-touch", cmd_client_no_touch, 3, kOwn),
    subcommand("pause", cmd_client_pause, -3, kOthers),
    subcommand("reply", cmd_client_reply, 3, kOwn),
    subcommand("setinfo", cmd_client_setinfo, 4, kOwn, kEverywhere),
    subcommand("setname", cmd_client_setname, 3, kOwn, kEverywhere),
    subcommand("tracking", cmd_client_tracking, -3, kOwn),
    subcommand("trackinginfo", cmd_client_trackinginfo, 2, kOwn),
    subcommand("unblock", cmd_client_unblock, -3, kOthers),
    subcommand("unpause", cmd_client_unpause, 2, kOthers),
};

constexpr Command kRows[] = {
    {.name = "client", .arity = -2, .subcommands = kSubcommands},
};

}  // namespace

const CommandFamily kClientCommands = kRows;

}  // namespace synap
