// ACL: users, seen and changed; what a change means for the connections of those users; what users were denied.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "datatypes/pubsub/pubsub.h"
#include "server/admin/connection_commands.h"
#include "server/base/log.h"
#include "server/base/number.h"
#include "server/base/random.h"
#include "server/base/text.h"
#include "server/command/acl_store.h"
#include "server/command/context.h"
#include "server/command/help_reply.h"
#include "server/command/server_api.h"

namespace synap {

namespace {

constexpr std::string_view kNoAclFileError =
    "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command "
    "and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the "
    "configuration.";
constexpr int64_t kGeneratedBitsMax = 4096;
constexpr int64_t kGeneratedBits = 256;
constexpr int64_t kLogEntriesShown = 10;

// --- Connections of changed users.

bool is_concerned(const SharedSession& client, const AclStore::Change& change) {
  return client.user_identity.load(std::memory_order_relaxed) == change.before->identity;
}

// Whether a client of the changed user may no longer be what it is, or listen to what it does. On the client's thread.
bool must_go(const PubSub& pubsub, const Session& session, const AclStore::Change& change) {
  if (change.after == nullptr) return true;
  return pubsub.any_subscription(session, [&](PubSubKind kind, std::string_view name) {
    return !acl_may_use_channel(*change.after, name, kind == PubSubKind::kPattern);
  });
}

bool may_send_clients_away(const AclStore::Change& change) {
  if (change.before == nullptr) return false;  // nobody is this user yet
  if (change.after == nullptr) return true;
  const auto& selectors = change.after->rules.selectors;
  return std::none_of(selectors.begin(), selectors.end(), [](const AclSelector& s) { return s.all_channels; });
}

using Concerned = std::vector<std::pair<uint64_t, AclStore::Change>>;

void close_on_this_thread(Server& server, size_t reactor, const Concerned& concerned) {
  for (const auto& [id, change] : concerned) {
    ClientPort* port = server.clients->local(reactor, id);
    const bool closes = port != nullptr && is_concerned(*port->session().shared, change) &&
                        must_go(*server.pubsub, port->session(), change);
    if (closes) port->close(false);
  }
}

// The clients of changed users, by reactor. The own connection is dealt with at once: it ends after its reply.
std::vector<Concerned> find_concerned(Context& ctx, std::span<const AclStore::Change> changes) {
  ClientDirectory& clients = *ctx.server().clients;
  std::vector<Concerned> by_reactor(clients.reactor_count());
  std::unordered_map<uint64_t, const AclStore::Change*> by_user;
  for (const AclStore::Change& change : changes) {
    if (may_send_clients_away(change)) by_user.emplace(change.before->identity, &change);
  }
  if (by_user.empty()) return by_reactor;
  for (const auto& client : clients.all()) {
    const auto found = by_user.find(client->user_identity.load(std::memory_order_relaxed));
    if (found == by_user.end()) continue;
    const AclStore::Change& change = *found->second;
    if (client->id == ctx.session().id()) {
      if (must_go(*ctx.server().pubsub, ctx.session(), change)) ctx.session().set(kSessionCloseAfterReply);
    } else {
      by_reactor[static_cast<size_t>(client->reactor.load(std::memory_order_relaxed))].emplace_back(client->id, change);
    }
  }
  return by_reactor;
}

// Closes connections that the changes have made impossible. Those of other reactors are closed by their own threads.
// True: the caller's client must wait for that without a reply; it is unblocked then.
bool close_concerned_clients(Context& ctx, std::span<const AclStore::Change> changes, bool may_wait) {
  ClientDirectory& clients = *ctx.server().clients;
  const std::vector<Concerned> by_reactor = find_concerned(ctx, changes);
  std::vector<size_t> others;
  for (size_t i = 0; i < by_reactor.size(); ++i) {
    if (by_reactor[i].empty()) continue;
    if (clients.reactor(i).on_thread()) {
      close_on_this_thread(ctx.server(), i, by_reactor[i]);
    } else {
      others.push_back(i);
    }
  }
  const bool waits = may_wait && ctx.may_block() && !others.empty();
  const uint64_t waiting = waits ? ctx.session().id() : 0;
  const auto left = std::make_shared<std::atomic<size_t>>(others.size());
  for (const size_t i : others) {
    clients.reactor(i).post([&server = ctx.server(), i, concerned = by_reactor[i], left, waiting] {
      close_on_this_thread(server, i, concerned);
      if (left->fetch_sub(1) == 1 && waiting != 0) server.clients->post(waiting, [](ClientPort& port) { port.unblock(false); });
    });
  }
  return waits;
}

// OK, once nobody is left who may no longer be there.
void reply_ok_after(Context& ctx, std::span<const AclStore::Change> changes) {
  if (!close_concerned_clients(ctx, changes, true)) return ctx.reply().ok();
  BlockRequest request;
  request.type = ValueType::kString;
  request.timeout_reply = "+OK\r\n";
  ctx.block(std::move(request));
}

// --- Users.

void cmd_acl_setuser(Context& ctx) {
  if (has_spaces_or_nulls(ctx.arg(2))) return ctx.error("ERR Usernames can't contain spaces or null characters");
  AclStore::Change change;
  const Status status = ctx.server().acl->set_user(ctx.arg(2), ctx.args().subspan(3), &change);
  if (!status.ok()) return ctx.error("ERR " + status.detail());
  reply_ok_after(ctx, {&change, 1});
}

void cmd_acl_deluser(Context& ctx) {
  for (const std::string_view name : ctx.args().subspan(2)) {
    if (name == AclStore::kDefaultName) return ctx.error("ERR The 'default' user cannot be removed");
  }
  std::vector<AclStore::Change> changes;
  for (const std::string_view name : ctx.args().subspan(2)) {
    AclStore::UserPointer user = ctx.server().acl->delete_user(name);
    if (user != nullptr) changes.push_back({std::move(user), nullptr});
  }
  // Until they are closed, every command of these connections is refused.
  close_concerned_clients(ctx, changes, false);
  ctx.reply().integer(static_cast<int64_t>(changes.size()));
}

void reply_selector(Reply& reply, const AclSelector& selector) {
  reply.bulk("commands");
  reply.bulk(describe_commands(selector));
  reply.bulk("keys");
  reply.bulk(describe_keys(selector));
  reply.bulk("channels");
  reply.bulk(describe_channels(selector));
}

void cmd_acl_getuser(Context& ctx) {
  const AclStore::UserPointer user = ctx.server().acl->find(ctx.arg(2));
  Reply& reply = ctx.reply();
  if (user == nullptr) return reply.null();
  const UserRules& rules = user->rules;
  reply.map(6);
  reply.bulk("flags");
  const std::vector<std::string_view> flags = user_flags(rules);
  reply.set(flags.size());
  for (const std::string_view flag : flags) reply.bulk(flag);
  reply.bulk("passwords");
  reply.array(rules.passwords.size());
  for (const std::string& password : rules.passwords) reply.bulk(password);
  reply_selector(reply, rules.selectors.front());
  reply.bulk("selectors");
  reply.array(rules.selectors.size() - 1);
  for (size_t i = 1; i < rules.selectors.size(); ++i) {
    reply.map(3);
    reply_selector(reply, rules.selectors[i]);
  }
}

void cmd_acl_list(Context& ctx) {
  const std::vector<std::string> users = ctx.server().acl->describe_all();
  ctx.reply().array(users.size());
  for (const std::string& user : users) ctx.reply().bulk("user " + user);
}

void cmd_acl_users(Context& ctx) {
  const std::vector<AclStore::UserPointer> users = ctx.server().acl->all();
  ctx.reply().array(users.size());
  for (const AclStore::UserPointer& user : users) ctx.reply().bulk(user->name);
}

void cmd_acl_whoami(Context& ctx) {
  const auto& user = ctx.session().user;
  user == nullptr ? ctx.reply().null() : ctx.reply().bulk(user->name);
}

// --- The file.

void cmd_acl_load(Context& ctx) {
  const std::string& path = ctx.config().aclfile;
  if (path.empty()) return ctx.error(kNoAclFileError);
  std::vector<AclStore::Change> changes;
  const Status status = ctx.server().acl->load_file(path, &changes);
  if (!status.ok()) return ctx.error("ERR " + status.detail());
  reply_ok_after(ctx, changes);
}

void cmd_acl_save(Context& ctx) {
  const std::string& path = ctx.config().aclfile;
  if (path.empty()) return ctx.error(kNoAclFileError);
  const Status status = ctx.server().acl->save_file(path);
  if (status.ok()) return ctx.reply().ok();
  log_warning("Writing ACL file for ACL SAVE: %s", status.detail().c_str());
  ctx.error("ERR There was an error trying to save the ACLs. Please check the server logs for more information");
}

// --- Questions.

void reply_category(Context& ctx, uint64_t category) {
  Reply& reply = ctx.reply();
  const size_t mark = reply.deferred_begin();
  size_t count = 0;
  const auto add = [&](const Command& command) {
    if ((command.categories & category) == 0) return;
    reply.bulk(command.display_name());
    ++count;
  };
  for (const Command* command : ctx.server().commands->all()) {
    add(*command);
    for (const Command& sub : command->subcommands) add(sub);
  }
  reply.deferred_end_array(mark, count);
}

// The error of containers whose subcommand exists but not with this many arguments.
void subcommand_syntax_error(Context& ctx) {
  ctx.reply().error({kUnknownSubcommandArityBegin, ctx.arg(1), "'. Try ACL HELP."});
}

void cmd_acl_cat(Context& ctx) {
  if (ctx.argc() > 3) return subcommand_syntax_error(ctx);
  if (ctx.argc() == 3) {
    const uint64_t category = category_bit(ctx.arg(2));
    if (category != 0) return reply_category(ctx, category);
    return ctx.reply().error({"ERR Unknown category '", printed(ctx.arg(2), 128), "'"});
  }
  ctx.reply().array(category_names().size());
  for (const std::string_view name : category_names()) ctx.reply().bulk(name);
}

void cmd_acl_genpass(Context& ctx) {
  static constexpr char kDigits[] = "0123456789abcdef";
  if (ctx.argc() > 3) return subcommand_syntax_error(ctx);
  int64_t bits = kGeneratedBits;
  if (ctx.argc() == 3 && !ctx.parse(ctx.arg(2), &bits)) return;
  if (bits <= 0 || bits > kGeneratedBitsMax) {
    return ctx.error(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up "
        "to " +
        to_text(kGeneratedBitsMax));
  }
  unsigned char random[kGeneratedBitsMax / 8];
  secure_random_bytes(random, sizeof random);
  std::string password;
  const auto digits = static_cast<size_t>((bits + 3) / 4);
  for (size_t i = 0; i < digits; ++i) password += kDigits[(random[i / 2] >> (i % 2 * 4)) & 15];
  ctx.reply().bulk(password);
}

void cmd_acl_dryrun(Context& ctx) {
  const AclStore::UserPointer user = ctx.server().acl->find(ctx.arg(2));
  if (user == nullptr) return ctx.reply().error({"ERR User '", ctx.arg(2), "' not found"});
  const CommandTable& commands = *ctx.server().commands;
  const ArgViews call = ctx.args().subspan(3);
  const Command* command = commands.find_call(call);
  if (command == nullptr || (!command->subcommands.empty() && call.size() >= 2)) {
    return ctx.reply().error({"ERR Command '", call[0], "' not found"});
  }
  const auto argc = static_cast<int>(call.size());
  if (command->arity > 0 ? argc != command->arity : argc < -command->arity) {
    return ctx.reply().error({kArityErrorBegin, command->display_name(), kArityErrorEnd});
  }
  const AclVerdict verdict = acl_verdict(*user, commands, *command, call);
  if (verdict.denial == AclDenial::kNone) return ctx.reply().ok();
  ctx.reply().bulk(acl_denial_text(verdict, *user, *command, &call[verdict.position]));
}

// --- The log.

std::string_view reason_name(AclDenial denial) {
  switch (denial) {
    case AclDenial::kCommand:
      return "command";
    case AclDenial::kKey:
      return "key";
    case AclDenial::kChannel:
      return "channel";
    case AclDenial::kAuth:
      return "auth";
    case AclDenial::kNone:
      break;
  }
  return "unknown";
}

std::string_view context_name(AclContext context) {
  switch (context) {
    case AclContext::kTopLevel:
      return "toplevel";
    case AclContext::kMulti:
      return "multi";
    case AclContext::kScript:
      return "lua";
  }
  return "unknown";
}

void reply_log_entry(Context& ctx, const AclLogEntry& entry) {
  Reply& reply = ctx.reply();
  reply.map(10);
  reply.bulk("count");
  reply.integer(static_cast<int64_t>(entry.count));
  reply.bulk("reason");
  reply.bulk(reason_name(entry.event.denial));
  reply.bulk("context");
  reply.bulk(context_name(entry.event.context));
  reply.bulk("object");
  reply.bulk(entry.event.object);
  reply.bulk("username");
  reply.bulk(entry.event.user);
  reply.bulk("age-seconds");
  reply.dbl(static_cast<double>(ctx.now_ms() - entry.updated_ms) / 1000);
  reply.bulk("client-info");
  reply.bulk(entry.client);
  reply.bulk("entry-id");
  reply.integer(entry.id);
  reply.bulk("timestamp-created");
  reply.integer(entry.created_ms);
  reply.bulk("timestamp-last-updated");
  reply.integer(entry.updated_ms);
}

void cmd_acl_log(Context& ctx) {
  if (ctx.argc() > 3) return subcommand_syntax_error(ctx);
  AclLog& log = ctx.server().acl->log();
  int64_t count = kLogEntriesShown;
  if (ctx.argc() == 3) {
    if (equals_ignore_case(ctx.arg(2), "reset")) {
      log.reset();
      return ctx.reply().ok();
    }
    if (!ctx.parse(ctx.arg(2), &count)) return;
  }
  const std::vector<AclLogEntry> entries = log.newest(static_cast<size_t>(std::max<int64_t>(count, 0)));
  ctx.reply().array(entries.size());
  for (const AclLogEntry& entry : entries) reply_log_entry(ctx, entry);
}

void cmd_acl_help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "CAT [<category>]",
      "    List all commands that belong to <category>, or all command categories",
      "    when no category is specified.",
      "DELUSER <username> [<username> ...]",
      "    Delete a list of users.",
      "DRYRUN <username> <command> [<arg> ...]",
      "    Returns whether the user can execute the given command without executing the command.",
      "GETUSER <username>",
      "    Get the user's details.",
      "GENPASS [<bits>]",
      "    Generate a secure 256-bit user password. The optional `bits` argument can",
      "    be used to specify a different size.",
      "LIST",
      "    Show users details in config file format.",
      "LOAD",
      "    Reload users from the ACL file.",
      "LOG [<count> | RESET]",
      "    Show the ACL log entries.",
      "SAVE",
      "    Save the current config to the ACL file.",
      "SETUSER <username> <attribute> [<attribute> ...]",
      "    Create or modify a user with the specified attributes.",
      "USERS",
      "    List all the registered usernames.",
      "WHOAMI",
      "    Return the current connection username.",
  };
  reply_help(ctx, kLines);
}

constexpr uint64_t kOwnFlags = kNoScript | kLoading | kStale;
constexpr uint64_t kAdminFlags = kOwnFlags | kAdmin;

constexpr Command kSubcommands[] = {
    {.name = "cat", .handler = cmd_acl_cat, .arity = -2, .flags = kOwnFlags},
    {.name = "deluser",
     .handler = cmd_acl_deluser,
     .arity = -3,
     .flags = kAdminFlags,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"},
     .secret_from = 2},
    {.name = "dryrun", .handler = cmd_acl_dryrun, .arity = -4, .flags = kAdminFlags},
    {.name = "genpass", .handler = cmd_acl_genpass, .arity = -2, .flags = kOwnFlags},
    {.name = "getuser", .handler = cmd_acl_getuser, .arity = 3, .flags = kAdminFlags, .secret_from = 2},
    {.name = "help", .handler = cmd_acl_help, .arity = 2, .flags = kLoading | kStale},
    {.name = "list", .handler = cmd_acl_list, .arity = 2, .flags = kAdminFlags},
    {.name = "load", .handler = cmd_acl_load, .arity = 2, .flags = kAdminFlags},
    {.name = "log", .handler = cmd_acl_log, .arity = -2, .flags = kAdminFlags},
    {.name = "save",
     .handler = cmd_acl_save,
     .arity = 2,
     .flags = kAdminFlags,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"}},
    {.name = "setuser",
     .handler = cmd_acl_setuser,
     .arity = -3,
     .flags = kAdminFlags,
     .tips = {"request_policy:all_nodes", "response_policy:all_succeeded"},
     .secret_from = 2},
    {.name = "users", .handler = cmd_acl_users, .arity = 2, .flags = kAdminFlags},
    {.name = "whoami", .handler = cmd_acl_whoami, .arity = 2, .flags = kOwnFlags},
};

constexpr Command kRows[] = {{.name = "acl", .arity = -2, .subcommands = kSubcommands}};

}  // namespace

const CommandFamily kAclCommands = kRows;

}  // namespace synap
