// Geo commands: sorted sets whose scores are geohashes.
#include "datatypes/geo/geo_commands.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "datatypes/geo/geo_query.h"
#include "datatypes/geo/geo_search.h"
#include "datatypes/geo/geohash.h"
#include "datatypes/zset/zset_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {
namespace {

// Always a bulk string, with four decimals.
void reply_distance(Reply& reply, double distance) {
  const long long scaled = std::llrint(distance * 10000.0);
  reply.bulk(format_text("%lld.%04lld", scaled / 10000, scaled % 10000));
}

void reply_point(Reply& reply, GeoPoint point) {
  char text[kLongDoubleCharsMax];
  reply.array(2);
  reply.dbl_text({text, format_long_double(text, point.longitude)});
  reply.dbl_text({text, format_long_double(text, point.latitude)});
}

// ---- adding and looking

// ZADD is what is journaled: its scores need no geohash on the other side.
void journal_as_zadd(Context& ctx, size_t first, std::span<const ScoredMember> elements) {
  std::vector<std::string> scores;
  scores.reserve(elements.size());
  std::vector<std::string_view> args{"ZADD"};
  args.insert(args.end(), ctx.args().begin() + 1, ctx.args().begin() + static_cast<ptrdiff_t>(first));
  for (const ScoredMember& element : elements) {
    scores.push_back(to_text(static_cast<int64_t>(element.score)));
    args.push_back(scores.back());
    args.push_back(element.member);
  }
  ctx.effect(args);
}

void cmd_geoadd(Context& ctx) {
  ZsetAdd options;
  bool reply_changed = false;
  size_t first = 2;
  for (; first < ctx.argc(); ++first) {
    if (equals_ignore_case(ctx.arg(first), "nx")) {
      options.only_new = true;
    } else if (equals_ignore_case(ctx.arg(first), "xx")) {
      options.only_present = true;
    } else if (equals_ignore_case(ctx.arg(first), "ch")) {
      reply_changed = true;
    } else {
      break;
    }
  }
  const size_t values = ctx.argc() - first;
  if (values == 0 || values % 3 != 0 || (options.only_new && options.only_present)) return ctx.syntax_error();
  std::vector<ScoredMember> elements(values / 3);
  for (size_t i = 0; i < elements.size(); ++i) {
    GeoPoint point;
    std::string error;
    if (!parse_geo_point(ctx.args(), first + 3 * i, &point, &error)) return ctx.error(error);
    elements[i] = {geo_score(point), ctx.arg(first + 3 * i + 2)};
  }
  const bool changed = add_elements(ctx, elements, options, reply_changed);
  if (changed && ctx.journaling()) journal_as_zadd(ctx, first, elements);
}

void cmd_geodist(Context& ctx) {
  double unit_metres = 1;
  if (ctx.argc() > 5) return ctx.syntax_error();
  std::string error;
  if (ctx.argc() == 5 && !parse_geo_unit(ctx.arg(4), &unit_metres, &error)) return ctx.error(error);
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  auto from = zset == nullptr ? std::nullopt : zset->score(ctx.arg(2));
  auto to = zset == nullptr ? std::nullopt : zset->score(ctx.arg(3));
  if (!from || !to) return ctx.reply().null();
  reply_distance(ctx.reply(), geo_distance(geo_point(*from), geo_point(*to)) / unit_metres);
}

void cmd_geohash(Context& ctx) {
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  ctx.reply().array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    auto score = zset == nullptr ? std::nullopt : zset->score(ctx.arg(i));
    score ? ctx.reply().bulk(geo_text(geo_point(*score))) : ctx.reply().null();
  }
}

void cmd_geopos(Context& ctx) {
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(1), &zset)) return;
  ctx.reply().array(ctx.argc() - 2);
  for (size_t i = 2; i < ctx.argc(); ++i) {
    auto score = zset == nullptr ? std::nullopt : zset->score(ctx.arg(i));
    score ? reply_point(ctx.reply(), geo_point(*score)) : ctx.reply().null_array();
  }
}

// ---- searching

// Sorts the first `kept`. All of them keep their order among equals, as in Redis.
template <class Before>
void sort_matches(std::vector<GeoMatch>& matches, size_t kept, Before before) {
  if (kept == matches.size()) return std::stable_sort(matches.begin(), matches.end(), before);
  std::partial_sort(matches.begin(), matches.begin() + static_cast<ptrdiff_t>(kept), matches.end(), before);
}

std::vector<GeoMatch> find_matches(const Zset& zset, const GeoQuery& query) {
  auto matches = geo_search(zset, query.shape, query.any ? query.count : 0);
  const size_t kept = query.count == 0 ? matches.size() : std::min(query.count, matches.size());
  auto nearer = [](const GeoMatch& a, const GeoMatch& b) { return a.distance_metres < b.distance_metres; };
  auto farther = [](const GeoMatch& a, const GeoMatch& b) { return a.distance_metres > b.distance_metres; };
  if (query.sort == GeoSort::kAscending) sort_matches(matches, kept, nearer);
  if (query.sort == GeoSort::kDescending) sort_matches(matches, kept, farther);
  matches.resize(kept);
  return matches;
}

void reply_matches(Reply& reply, const GeoQuery& query, const std::vector<GeoMatch>& matches) {
  const size_t extras = size_t{query.with_distance} + query.with_hash + query.with_point;
  reply.array(matches.size());
  for (const GeoMatch& match : matches) {
    if (extras > 0) reply.array(extras + 1);
    reply.bulk(match.member);
    if (query.with_distance) reply_distance(reply, match.distance_metres / query.unit_metres);
    if (query.with_hash) reply.integer(static_cast<int64_t>(match.score));
    if (query.with_point) reply_point(reply, match.point);
  }
}

void store_matches(Context& ctx, const GeoQuery& query, const std::vector<GeoMatch>& matches, std::string_view event) {
  ZsetBuilder result;
  for (const GeoMatch& match : matches) {
    result.add(match.member, query.store_distance ? match.distance_metres / query.unit_metres : match.score);
  }
  ctx.store(*query.store_key, result.finish(zset_limits(ctx.config())), kEventZset, event);
  ctx.reply().integer(static_cast<int64_t>(matches.size()));
}

void search(Context& ctx, const GeoForm& form) {
  const Zset* zset = nullptr;
  if (!ctx.read(ctx.arg(form.source), &zset)) return;
  GeoQuery query;
  std::string error;
  if (!parse_geo_query(ctx.args(), form, zset, &query, &error)) return ctx.error(error);
  std::vector<GeoMatch> matches;
  if (zset != nullptr) matches = find_matches(*zset, query);
  if (!query.store_key) return reply_matches(ctx.reply(), query, matches);
  const bool searching = form.centre == GeoForm::Centre::kOptions;
  store_matches(ctx, query, matches, searching ? "geosearchstore" : "georadiusstore");
}

constexpr GeoForm kRadius{.centre = GeoForm::Centre::kCoordinates, .may_store = true};
constexpr GeoForm kRadiusRo{.centre = GeoForm::Centre::kCoordinates};
constexpr GeoForm kRadiusByMember{.centre = GeoForm::Centre::kMember, .may_store = true};
constexpr GeoForm kRadiusByMemberRo{.centre = GeoForm::Centre::kMember};
constexpr GeoForm kSearch{};
constexpr GeoForm kSearchStore{.source = 2, .stores = true};

template <const GeoForm& kForm>
void cmd_search(Context& ctx) {
  search(ctx, kForm);
}

// The elements in the searched cells; each costs some sines.
template <const GeoForm& kForm>
uint64_t cost_of_search(Context& ctx) {
  constexpr uint64_t kCostOfElement = 3;
  const Zset* zset = ctx.peek_as<Zset>(ctx.arg(kForm.source));
  if (zset == nullptr || zset->size() * kCostOfElement < kSlowLaneCost) return 1;
  GeoQuery query;
  std::string error;
  if (!parse_geo_query(ctx.args(), kForm, zset, &query, &error)) return 1;
  return geo_candidates(*zset, query.shape, kSlowLaneCost / kCostOfElement) * kCostOfElement;
}

// The keys that STORE and STOREDIST name among the options.
bool georadius_keys(ArgViews args, std::vector<KeyRef>* keys) {
  keys->push_back({1, kKeyRO | kKeyAccess});
  size_t store_at = 0;
  for (size_t i = 5; i + 1 < args.size(); ++i) {
    if (!equals_ignore_case(args[i], "store") && !equals_ignore_case(args[i], "storedist")) continue;
    store_at = ++i;
  }
  if (store_at != 0) keys->push_back({store_at, kKeyOW | kKeyUpdate});
  return true;
}

constexpr Command geo_row(std::string_view name, Handler handler, int arity, uint64_t flags, KeySpec keys,
                          CostFunction cost = nullptr) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = flags,
          .categories = kCatGeo,
          .key_specs = {keys},
          .cost = cost};
}

constexpr Command storing(Command row, int options_at) {
  row.key_specs[1] = keyword_keys("STORE", options_at, kKeyOW | kKeyUpdate, 0, 0);
  row.key_specs[2] = keyword_keys("STOREDIST", options_at, kKeyOW | kKeyUpdate, 0, 0);
  row.keys = georadius_keys;
  row.flags |= kWritesLast;
  return row;
}

constexpr Command geosearchstore_row() {
  Command row = geo_row("geosearchstore", cmd_search<kSearchStore>, -8, kWrite | kDenyOom | kWritesLast,
                        one_key(kKeyOW | kKeyUpdate), cost_of_search<kSearchStore>);
  row.key_specs[1] = key_range(2, 2, 1, kKeyRO | kKeyAccess);
  return row;
}

template <const GeoForm& kForm>
constexpr Command search_row(std::string_view name, int arity) {
  const uint64_t flags = kForm.may_store ? kWrite | kDenyOom : kReadonly;
  return geo_row(name, cmd_search<kForm>, arity, flags, one_key(kKeyRO | kKeyAccess), cost_of_search<kForm>);
}

constexpr KeySpec kSource = one_key(kKeyRO | kKeyAccess);
constexpr Command kRows[] = {
    geo_row("geoadd", cmd_geoadd, -5, kWrite | kDenyOom, one_key(kKeyRW | kKeyUpdate), cost_of_arguments),
    geo_row("geodist", cmd_geodist, -4, kReadonly, kSource),
    geo_row("geohash", cmd_geohash, -2, kReadonly, kSource, cost_of_arguments),
    geo_row("geopos", cmd_geopos, -2, kReadonly, kSource, cost_of_arguments),
    storing(search_row<kRadius>("georadius", -6), 6),
    search_row<kRadiusRo>("georadius_ro", -6),
    storing(search_row<kRadiusByMember>("georadiusbymember", -5), 5),
    search_row<kRadiusByMemberRo>("georadiusbymember_ro", -5),
    search_row<kSearch>("geosearch", -7),
    geosearchstore_row(),
};

}  // namespace

const CommandFamily kGeoCommands = kRows;

}  // namespace synap
