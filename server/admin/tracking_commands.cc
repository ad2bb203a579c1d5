// CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO: client-side caching as one connection wants it. What is remembered
// and who is told is server/command/tracking's.
#include "server/admin/tracking_commands.h"

#include <string>
#include <string_view>
#include <utility>

#include "server/base/text.h"
#include "server/command/context.h"
#include "server/command/server_api.h"
#include "server/command/tracking.h"

namespace synap {

namespace {

bool overlap(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

void overlap_error(Context& ctx, std::string_view prefix, std::string_view which, std::string_view other) {
  ctx.reply().error({"ERR Prefix '", prefix, "' overlaps with ", which, " prefix '", other,
                     "'. Prefixes for a single client must not overlap."});
}

bool check_prefixes(Context& ctx, const std::vector<std::string>& prefixes) {
  for (size_t i = 0; i < prefixes.size(); ++i) {
    for (const std::string& existing : ctx.session().tracking_prefixes) {
      if (!overlap(existing, prefixes[i])) continue;
      overlap_error(ctx, prefixes[i], "an existing", existing);
      return false;
    }
    for (size_t j = i + 1; j < prefixes.size(); ++j) {
      if (!overlap(prefixes[i], prefixes[j])) continue;
      overlap_error(ctx, prefixes[i], "another provided", prefixes[j]);
      return false;
    }
  }
  return true;
}

bool parse_redirection(Context& ctx, std::string_view text, Tracking::Request* request) {
  if (request->redirect != nullptr) {
    ctx.error("ERR A client can only redirect to a single other client");
    return false;
  }
  int64_t id;
  if (!ctx.parse(text, &id)) return false;
  request->redirect = ctx.server().clients->find(static_cast<uint64_t>(id));
  if (request->redirect != nullptr) return true;
  ctx.error("ERR The client ID you want redirect to does not exist");
  return false;
}

uint64_t mode_flag(std::string_view option) {
  if (equals_ignore_case(option, "bcast")) return kSessionTrackingBcast;
  if (equals_ignore_case(option, "optin")) return kSessionTrackingOptin;
  if (equals_ignore_case(option, "optout")) return kSessionTrackingOptout;
  if (equals_ignore_case(option, "noloop")) return kSessionTrackingNoloop;
  return 0;
}

bool parse_options(Context& ctx, Tracking::Request* request) {
  for (size_t i = 3; i < ctx.argc(); ++i) {
    const std::string_view option = ctx.arg(i);
    const bool more = i + 1 < ctx.argc();
    if (const uint64_t flag = mode_flag(option); flag != 0) {
      request->mode |= flag;
    } else if (equals_ignore_case(option, "redirect") && more) {
      if (!parse_redirection(ctx, ctx.arg(++i), request)) return false;
    } else if (equals_ignore_case(option, "prefix") && more) {
      request->prefixes.emplace_back(ctx.arg(++i));
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

// Whether the options go together, and with what the client has switched on already. Empty: they do.
std::string_view contradiction(const Session& session, const Tracking::Request& request) {
  const auto wants = [&request](uint64_t flag) { return (request.mode & flag) != 0; };
  if (!wants(kSessionTrackingBcast) && !request.prefixes.empty()) {
    return "ERR PREFIX option requires BCAST mode to be enabled";
  }
  if (session.has(kSessionTracking) && session.has(kSessionTrackingBcast) != wants(kSessionTrackingBcast)) {
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
           "with "
           "a different mode.";
  }
  if (wants(kSessionTrackingBcast) && wants(kSessionTrackingOptin | kSessionTrackingOptout)) {
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  }
  if (wants(kSessionTrackingOptin) && wants(kSessionTrackingOptout)) {
    return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  }
  if ((wants(kSessionTrackingOptin) && session.has(kSessionTrackingOptout)) ||
      (wants(kSessionTrackingOptout) && session.has(kSessionTrackingOptin))) {
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
           "with "
           "a different mode.";
  }
  return {};
}

int64_t redirection(const Session& session) {
  if (!session.has(kSessionTracking)) return -1;
  return static_cast<int64_t>(session.shared->tracking_redirect.load(std::memory_order_relaxed));
}

}  // namespace

void cmd_client_tracking(Context& ctx) {
  Tracking::Request request;
  if (!parse_options(ctx, &request)) return;
  Session& session = ctx.session();
  Tracking& tracking = *ctx.server().tracking_table;
  if (equals_ignore_case(ctx.arg(2), "off")) {
    tracking.disable(session);
    return ctx.reply().ok();
  }
  if (!equals_ignore_case(ctx.arg(2), "on")) return ctx.syntax_error();
  if (const std::string_view error = contradiction(session, request); !error.empty()) return ctx.error(error);
  if (!check_prefixes(ctx, request.prefixes)) return;
  tracking.enable(session, std::move(request));
  ctx.reply().ok();
}

void cmd_client_caching(Context& ctx) {
  Session& session = ctx.session();
  if (!session.has(kSessionTracking)) {
    return ctx.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
        "enabled");
  }
  if (equals_ignore_case(ctx.arg(2), "yes")) {
    if (!session.has(kSessionTrackingOptin)) {
      return ctx.error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    }
  } else if (equals_ignore_case(ctx.arg(2), "no")) {
    if (!session.has(kSessionTrackingOptout)) {
      return ctx.error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    }
  } else {
    return ctx.syntax_error();
  }
  session.set(kSessionTrackingCaching);
  ctx.reply().ok();
}

void cmd_client_getredir(Context& ctx) {
  ctx.reply().integer(redirection(ctx.session()));
}

void cmd_client_trackinginfo(Context& ctx) {
  const Session& session = ctx.session();
  Reply& reply = ctx.reply();
  reply.map(3);
  reply.bulk("flags");
  const size_t mark = reply.deferred_begin();
  size_t count = 1;
  reply.bulk(session.has(kSessionTracking) ? "on" : "off");
  const auto add = [&](uint64_t flags, std::string_view name) {
    if ((session.flags() & flags) != flags) return;
    reply.bulk(name);
    ++count;
  };
  add(kSessionTrackingBcast, "bcast");
  add(kSessionTrackingOptin, "optin");
  add(kSessionTrackingOptin | kSessionTrackingCaching, "caching-yes");
  add(kSessionTrackingOptout, "optout");
  add(kSessionTrackingOptout | kSessionTrackingCaching, "caching-no");
  add(kSessionTrackingNoloop, "noloop");
  add(kSessionTrackingBroken, "broken_redirect");
  reply.deferred_end_set(mark, count);
  reply.bulk("redirect");
  reply.integer(redirection(session));
  reply.bulk("prefixes");
  reply.array(session.tracking_prefixes.size());
  for (const std::string& prefix : session.tracking_prefixes) reply.bulk(prefix);
}

}  // namespace synap
