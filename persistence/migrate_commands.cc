// MIGRATE: hands keys to another server by DUMP and RESTORE, and deletes those that it has confirmed. The call runs on a
// worker, with its keys' shards in its guard: nobody sees or changes the keys while they are on their way.
#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "persistence/dump_payload.h"
#include "persistence/migrate_targets.h"
#include "persistence/persistence.h"
#include "persistence/persistence_commands.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/server_api.h"
#include "server/command/tls_settings.h"

namespace synap {

namespace {

constexpr int64_t kDefaultTimeoutMs = 1000;
constexpr size_t kSendBytes = 1 << 20;  // requests gather up to this before they leave

struct MigrateCall {
  std::string host;
  int port = 0;
  int64_t db = 0;
  int64_t timeout_ms = 0;
  bool copy = false;
  bool replace = false;
  std::optional<std::string_view> user, password;
  ArgViews keys;

  std::string target_name() const { return host + ":" + std::to_string(port); }
};

// As atoi(3) reads it.
int leading_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// On failure the error was replied.
bool parse_options(Context& ctx, MigrateCall* call) {
  for (size_t i = 6; i < ctx.argc(); ++i) {
    const std::string_view word = ctx.arg(i);
    const size_t more = ctx.argc() - 1 - i;
    if (equals_ignore_case(word, "copy")) {
      call->copy = true;
    } else if (equals_ignore_case(word, "replace")) {
      call->replace = true;
    } else if (equals_ignore_case(word, "auth") && more >= 1) {
      call->password = ctx.arg(++i);
    } else if (equals_ignore_case(word, "auth2") && more >= 2) {
      call->user = ctx.arg(++i);
      call->password = ctx.arg(++i);
    } else if (equals_ignore_case(word, "keys")) {
      if (!ctx.arg(3).empty()) {
        ctx.error("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        return false;
      }
      call->keys = ctx.args().subspan(i + 1);
      return true;
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

bool parse_migrate(Context& ctx, MigrateCall* call) {
  call->keys = ctx.args().subspan(3, 1);
  if (!parse_options(ctx, call)) return false;
  if (!ctx.parse(ctx.arg(5), &call->timeout_ms) || !ctx.parse(ctx.arg(4), &call->db)) return false;
  if (call->timeout_ms <= 0) call->timeout_ms = kDefaultTimeoutMs;
  call->host = ctx.arg(1);
  call->port = leading_number(ctx.arg(2));
  return true;
}

void append_request(std::string* out, std::initializer_list<std::string_view> args) {
  *out += "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    *out += "$" + std::to_string(arg.size()) + "\r\n";
    out->append(arg);
    *out += "\r\n";
  }
}

// One attempt to hand the keys over a connection.
class Transfer {
 public:
  using Outcome = PeerConnection::Outcome;

  Transfer(Context& ctx, const MigrateCall& call, const std::vector<std::string_view>& keys, MigrateTarget* target)
      : ctx_(ctx), call_(call), keys_(keys), target_(target) {}

  // kDone: every key has its answer, or the target refused before any was sent.
  Outcome run() {
    Outcome outcome = prepare();
    if (outcome == Outcome::kDone && error_.empty()) outcome = send_keys();
    for (size_t i = 0; i < sent_ && outcome == Outcome::kDone; ++i) {
      bool accepted = false;
      outcome = read_answer(&accepted);
      if (accepted) confirmed_.push_back(keys_[i]);
    }
    target_->db = outcome == Outcome::kDone && error_.empty() ? call_.db : -1;
    return outcome;
  }

  bool writing() const { return writing_; }
  // Nothing came back: the connection may just have been closed while it was kept.
  bool unanswered() const { return answers_ == 0; }
  // The target's first error, without its dash.
  const std::string& error() const { return error_; }
  const std::vector<std::string_view>& confirmed() const { return confirmed_; }

 private:
  // User and database. Answered before any key is sent, so that no key goes where it should not.
  Outcome prepare() {
    std::string requests;
    size_t expected = 0;
    if (call_.password) {
      call_.user ? append_request(&requests, {"AUTH", *call_.user, *call_.password})
                 : append_request(&requests, {"AUTH", *call_.password});
      ++expected;
    }
    if (target_->db != call_.db) {
      append_request(&requests, {"SELECT", std::to_string(call_.db)});
      ++expected;
    }
    Outcome outcome = send(requests);
    bool accepted = false;
    for (; expected > 0 && outcome == Outcome::kDone; --expected) outcome = read_answer(&accepted);
    return outcome;
  }

  Outcome send_keys() {
    std::string requests;
    for (const std::string_view key : keys_) {
      const Entry* entry = ctx_.peek(key);
      int64_t ttl_ms = 0;
      if (entry->expiry_ms() != kNoExpiry) ttl_ms = std::max<int64_t>(entry->expiry_ms() - ctx_.now_ms(), 1);
      const std::string ttl = std::to_string(ttl_ms);
      const std::string payload = dump_payload(*entry);
      call_.replace ? append_request(&requests, {"RESTORE", key, ttl, payload, "REPLACE"})
                    : append_request(&requests, {"RESTORE", key, ttl, payload});
      if (requests.size() < kSendBytes) continue;
      if (const Outcome outcome = send(requests); outcome != Outcome::kDone) return outcome;
      requests.clear();
    }
    const Outcome outcome = send(requests);
    if (outcome == Outcome::kDone) sent_ = keys_.size();
    return outcome;
  }

  Outcome send(std::string_view requests) {
    writing_ = true;
    const Outcome outcome = target_->connection->write(requests, call_.timeout_ms);
    writing_ = outcome != Outcome::kDone;
    return outcome;
  }

  Outcome read_answer(bool* accepted) {
    std::string line;
    const Outcome outcome = target_->connection->read_line(&line, call_.timeout_ms);
    if (outcome != Outcome::kDone) return outcome;
    ++answers_;
    *accepted = line == "+OK";
    if (!*accepted && error_.empty()) error_ = line.starts_with('-') ? line.substr(1) : "unexpected reply: " + line;
    return outcome;
  }

  Context& ctx_;
  const MigrateCall& call_;
  const std::vector<std::string_view>& keys_;
  MigrateTarget* const target_;
  bool writing_ = false;
  size_t sent_ = 0;
  size_t answers_ = 0;
  std::string error_;
  std::vector<std::string_view> confirmed_;
};

Result<std::unique_ptr<PeerConnection>> connect(Context& ctx, const MigrateCall& call) {
  PeerConnection::Options options;
  if (ctx.config().tls_cluster) {
    auto context = TlsContext::make(tls_settings(ctx.config()));
    if (!context.ok()) return context.status();
    options.tls = *context;
  }
  const StateBits* state = ctx.server().state;
  options.give_up = [state] { return state->has(kStateShuttingDown); };
  return PeerConnection::open(call.host, call.port, std::move(options), call.timeout_ms);
}

// The keys that arrived leave this server.
void delete_confirmed(Context& ctx, const std::vector<std::string_view>& keys) {
  std::vector<std::string_view> effect = {"DEL"};
  for (const std::string_view key : keys) {
    if (!ctx.remove(key)) continue;  // named twice
    ctx.changed(key, 1, kEventGeneric, "del");
    effect.push_back(key);
  }
  if (effect.size() > 1) ctx.effect(effect);
}

// A kept connection that proves to be closed is replaced once.
void hand_over(Context& ctx, const MigrateCall& call, const std::vector<std::string_view>& keys) {
  MigrateTargets& targets = ctx.server().persistence->migrate_targets();
  MigrateTarget target = targets.take(call.target_name());
  bool may_retry = target.connection != nullptr;
  for (;; may_retry = false) {
    if (target.connection == nullptr) {
      auto opened = connect(ctx, call);
      if (!opened.ok()) {
        log_verbose("MIGRATE cannot reach %s: %s", call.target_name().c_str(), opened.status().detail().c_str());
        return ctx.error("IOERR error or timeout connecting to the client");
      }
      target.connection = std::move(*opened);
    }
    Transfer transfer(ctx, call, keys, &target);
    const Transfer::Outcome outcome = transfer.run();
    if (outcome == Transfer::Outcome::kBroken && may_retry && transfer.unanswered()) {
      target = {};
      continue;
    }
    if (!call.copy) delete_confirmed(ctx, transfer.confirmed());
    if (outcome == Transfer::Outcome::kDone) targets.put_back(call.target_name(), std::move(target), wall_clock_ms());
    if (!transfer.error().empty()) return ctx.error("ERR Target instance replied with error: " + transfer.error());
    if (outcome == Transfer::Outcome::kDone) return ctx.reply().ok();
    return ctx.error(transfer.writing() ? "IOERR error or timeout writing to target instance"
                                        : "IOERR error or timeout reading to target instance");
  }
}

bool on_reactor(ClientDirectory& clients) {
  for (size_t i = 0; i < clients.reactor_count(); ++i) {
    if (clients.reactor(i).on_thread()) return true;
  }
  return false;
}

void cmd_migrate(Context& ctx) {
  MigrateCall call;
  if (!parse_migrate(ctx, &call)) return;
  std::vector<std::string_view> keys;
  for (const std::string_view key : call.keys) {
    if (ctx.lookup(key) != nullptr) keys.push_back(key);
  }
  if (keys.empty()) return ctx.reply().simple("NOKEY");
  if (on_reactor(*ctx.server().clients)) {
    return ctx.error("ERR MIGRATE cannot run inside a script: other clients would have to wait for the target");
  }
  hand_over(ctx, call, keys);
}

bool migrate_keys(ArgViews args, std::vector<KeyRef>* keys) {
  constexpr uint32_t kFlags = kKeyRW | kKeyAccess | kKeyDelete;
  for (size_t i = 6; i < args.size(); ++i) {
    if (equals_ignore_case(args[i], "auth")) {
      i += 1;
    } else if (equals_ignore_case(args[i], "auth2")) {
      i += 2;
    } else if (equals_ignore_case(args[i], "keys")) {
      if (!args[3].empty()) return false;
      while (++i < args.size()) keys->push_back({i, kFlags});
      return true;
    }
  }
  if (args.size() > 3) keys->push_back({3, kFlags});
  return true;
}

bool is_password(ArgViews args, size_t index) {
  for (size_t i = 6; i < args.size() && i < index; ++i) {
    if (equals_ignore_case(args[i], "keys")) return false;
    if (equals_ignore_case(args[i], "auth") && ++i == index) return true;
    if (equals_ignore_case(args[i], "auth2")) {
      if (index - i <= 2) return true;
      i += 2;
    }
  }
  return false;
}

// Whatever waits for another server belongs on a worker, in a transaction that has yet to make its keys, too.
uint64_t migrate_cost(Context&) { return kSlowLaneCost + 1; }

constexpr Command kRows[] = {
    {.name = "migrate", .handler = cmd_migrate, .arity = -6, .flags = kWrite | kMovableKeys | kTalksToOthers,
     .categories = kCatKeyspace | kCatDangerous,
     .key_specs = {key_range(3, 3, 1, kKeyRW | kKeyAccess | kKeyDelete),
                   keyword_keys("KEYS", -2, kKeyRW | kKeyAccess | kKeyDelete | kKeyIncomplete, -1, 0)},
     .cost = migrate_cost, .keys = migrate_keys, .tips = {"nondeterministic_output"}, .secret = is_password},
};

}  // namespace

const CommandFamily kMigrateCommands = kRows;

}  // namespace synap
