// SORT and SORT_RO. With BY or GET patterns a call reads keys that it does not name, so its guard covers all shards,
// shared unless it stores; sort_guard says so before the call is run.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "datatypes/hash/hash.h"
#include "datatypes/key/key_commands.h"
#include "datatypes/key/sort.h"
#include "datatypes/list/list.h"
#include "datatypes/list/list_commands.h"
#include "datatypes/set/set.h"
#include "datatypes/zset/zset.h"
#include "server/base/text.h"
#include "server/command/acl.h"
#include "server/command/context.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

struct SortRequest {
  SortOrder order;
  bool sorted = true;  // false: BY a constant keeps the value's own order
  std::optional<SortPattern> by;
  std::vector<SortPattern> gets;
  int64_t limit_first = 0;
  int64_t limit_count = -1;
  std::optional<std::string_view> store;
};

// BY and GET may read any key, so the user must be allowed to.
bool may_read_all(Context& ctx, std::string_view option) {
  if (acl_may_touch_all_keys(ctx.server(), ctx.session(), ctx.command(), ctx.args(), kKeyAccess)) return true;
  ctx.error(std::string("ERR ").append(option) + " option of SORT denied due to insufficient ACL permissions.");
  return false;
}

bool parse_by(Context& ctx, std::string_view pattern, SortRequest* request) {
  request->by.emplace(pattern);
  if (!request->by->names_keys()) {
    request->sorted = false;
    return true;
  }
  return may_read_all(ctx, "BY");
}

bool parse_sort(Context& ctx, bool may_store, SortRequest* request) {
  for (size_t i = 2; i < ctx.argc(); ++i) {
    const std::string_view option = ctx.arg(i);
    const size_t more = ctx.argc() - i - 1;
    if (equals_ignore_case(option, "asc")) {
      request->order.descending = false;
    } else if (equals_ignore_case(option, "desc")) {
      request->order.descending = true;
    } else if (equals_ignore_case(option, "alpha")) {
      request->order.alpha = true;
    } else if (equals_ignore_case(option, "limit") && more >= 2) {
      if (!ctx.parse(ctx.arg(i + 1), &request->limit_first) || !ctx.parse(ctx.arg(i + 2), &request->limit_count)) {
        return false;
      }
      i += 2;
    } else if (may_store && equals_ignore_case(option, "store") && more >= 1) {
      request->store = ctx.arg(++i);
    } else if (equals_ignore_case(option, "by") && more >= 1) {
      if (!parse_by(ctx, ctx.arg(++i), request)) return false;
    } else if (equals_ignore_case(option, "get") && more >= 1) {
      if (!may_read_all(ctx, "GET")) return false;
      request->gets.emplace_back(ctx.arg(++i));
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

// What a pattern leads to for an element, copied into the arena.
std::optional<std::string_view> look_up(Context& ctx, const SortPattern& pattern, std::string_view element,
                                        TextArena* arena) {
  if (pattern.is_element()) return element;
  if (!pattern.names_keys()) return std::nullopt;
  std::string key;
  pattern.key_for(element, &key);
  const Entry* entry = ctx.lookup(key);
  if (entry == nullptr) return std::nullopt;
  if (pattern.field().empty()) {
    if (entry->type() != ValueType::kString) return std::nullopt;
    StringRef value;
    Context::open_string(*entry, &value);
    return arena->add(value.view());
  }
  if (entry->type() != ValueType::kHash) return std::nullopt;
  HashValue value;
  if (!entry->object<Hash>()->get(pattern.field(), ctx.now_ms(), &value)) return std::nullopt;
  return arena->add(value.text);
}

// The part of a value that LIMIT asks for.
struct Window {
  size_t first;
  size_t count;
};
Window window_of(const SortRequest& request, size_t size) {
  const auto n = static_cast<int64_t>(size);
  const int64_t first = std::clamp<int64_t>(request.limit_first, 0, n);
  const int64_t count = request.limit_count < 0 ? n - first : std::min(request.limit_count, n - first);
  return {static_cast<size_t>(first), static_cast<size_t>(count)};
}

// What is sorted, and the memory of its texts.
struct Elements {
  std::vector<SortItem> items;
  TextArena arena;
  bool spelled = false;  // integers are kept as texts, because texts will be compared

  void add(SortText text) {
    SortItem item;
    item.text = text;
    item.index = static_cast<uint32_t>(items.size());
    items.push_back(item);
  }
  void add(std::string_view text) { add(SortText(arena.add(text))); }
  void add(const ListpackValue& value) {
    ListpackValue::Scratch scratch;
    value.is_integer() && !spelled ? add(SortText(value.integer)) : add(value.text(scratch));
  }
};

void load_list(const List& list, int64_t from, bool backward, size_t count, Elements* elements) {
  using Direction = List::Iterator::Direction;
  List::Iterator at(list, from, backward ? Direction::kBackward : Direction::kForward);
  ListpackValue value;
  for (; count > 0 && at.next(&value); --count) elements->add(value);
}

void load_zset(const Zset& zset, size_t rank, bool backward, size_t count, Elements* elements) {
  if (count == 0) return;
  Zset::Iterator at = zset.at(rank);
  for (; count > 0 && at.valid(); --count) {
    elements->add(at.member());
    backward ? at.prev() : at.next();
  }
}

// A list or sorted set in its own order, from either end: only the window is loaded.
void load_window(const Entry& entry, Window window, bool backward, Elements* elements) {
  if (window.count == 0) return;
  const size_t size = type_ops(&entry).length(&entry);
  const size_t from = backward ? size - 1 - window.first : window.first;
  elements->items.reserve(window.count);
  if (entry.type() == ValueType::kList) {
    load_list(*entry.object<List>(), static_cast<int64_t>(from), backward, window.count, elements);
  } else {
    load_zset(*entry.object<Zset>(), from, backward, window.count, elements);
  }
}

void load_all(const Entry& entry, Elements* elements) {
  const size_t size = type_ops(&entry).length(&entry);
  if (entry.type() == ValueType::kSet) {
    elements->items.reserve(size);
    entry.object<Set>()->for_each([&](std::string_view member) { elements->add(member); });
  } else {
    load_window(entry, Window{0, size}, false, elements);
  }
}

// False: an element or its weight is no number.
bool weigh(Context& ctx, const SortRequest& request, Elements* elements) {
  const bool alpha = request.order.alpha;
  if (alpha && !request.by) return true;
  for (SortItem& item : elements->items) {
    if (!request.by && item.text.is_integer()) {
      item.score = static_cast<double>(item.text.integer());
      continue;
    }
    SortText::Scratch scratch;
    const std::string_view text = item.text.view(scratch);
    const std::optional<std::string_view> weight =
        request.by ? look_up(ctx, *request.by, text, &elements->arena) : std::optional<std::string_view>(text);
    if (!weight) continue;  // sorts as 0, or before every text
    if (alpha) {
      item.weight = *weight;
      continue;
    }
    const std::optional<double> score = sort_score(*weight);
    if (!score) return false;
    item.score = *score;
  }
  return true;
}

void reply_items(Context& ctx, const SortRequest& request, std::span<const SortItem> items) {
  Reply& reply = ctx.reply();
  reply.array(items.size() * std::max<size_t>(request.gets.size(), 1));
  for (const SortItem& item : items) {
    SortText::Scratch text_scratch;
    const std::string_view text = item.text.view(text_scratch);
    if (request.gets.empty()) reply.bulk(text);
    for (const SortPattern& get : request.gets) {
      TextArena scratch;
      const std::optional<std::string_view> value = look_up(ctx, get, text, &scratch);
      value ? reply.bulk(*value) : reply.null();
    }
  }
}

void store_items(Context& ctx, const SortRequest& request, std::span<const SortItem> items, TextArena* arena) {
  std::vector<std::string_view> elements;
  for (const SortItem& item : items) {
    SortText::Scratch scratch;
    std::string_view text = item.text.view(scratch);
    if (item.text.is_integer()) text = arena->add(text);
    if (request.gets.empty()) elements.push_back(text);
    for (const SortPattern& get : request.gets) {
      elements.push_back(look_up(ctx, get, text, arena).value_or(std::string_view()));
    }
  }
  List list;
  if (!elements.empty()) list.push(List::End::kTail, elements, list_limits(ctx));
  ctx.store(*request.store, std::move(list), kEventList, "sortstore");
  if (elements.size() > 1) ctx.changed(*request.store, elements.size() - 1, 0, {});
  ctx.reply().integer(static_cast<int64_t>(elements.size()));
}

void sort(Context& ctx, bool may_store) {
  SortRequest request;
  if (!parse_sort(ctx, may_store, &request)) return;
  const Entry* entry = ctx.lookup(ctx.arg(1));
  const bool is_set = entry != nullptr && entry->type() == ValueType::kSet;
  if (entry != nullptr && !is_set && entry->type() != ValueType::kList && entry->type() != ValueType::kZset) {
    return ctx.wrong_type();
  }
  if (!request.sorted && is_set && (request.store || ctx.session().has(kSessionScript))) {
    // A set has no order of its own: what is stored or seen by a script must not depend on chance.
    request.sorted = true;
    request.order.alpha = true;
    request.by.reset();
  }
  request.order.by_weight = request.by.has_value();

  Window window = window_of(request, entry == nullptr ? 0 : type_ops(entry).length(entry));
  Elements elements;
  elements.spelled = request.order.alpha;
  if (entry != nullptr && !request.sorted && !is_set) {
    load_window(*entry, window, request.order.descending, &elements);
    window.first = 0;
  } else if (entry != nullptr) {
    load_all(*entry, &elements);
  }
  if (request.sorted) {
    if (!weigh(ctx, request, &elements)) return ctx.error("ERR One or more scores can't be converted into double");
    sort_items(&elements.items, request.order, window.first, window.count);
  }
  const auto result = std::span<const SortItem>(elements.items).subspan(window.first, window.count);
  request.store ? store_items(ctx, request, result, &elements.arena) : reply_items(ctx, request, result);
}
void cmd_sort(Context& ctx) { sort(ctx, true); }
void cmd_sort_ro(Context& ctx) { sort(ctx, false); }

// Walks over the options that have arguments: visit(option, index of its first argument).
template <class Visit>
void for_each_option(ArgViews args, Visit visit) {
  for (size_t i = 2; i < args.size(); ++i) {
    if (equals_ignore_case(args[i], "limit")) {
      i += 2;
    } else if (i + 1 < args.size() && (equals_ignore_case(args[i], "by") || equals_ignore_case(args[i], "get") ||
                                       equals_ignore_case(args[i], "store"))) {
      visit(args[i], i + 1);
      ++i;
    }
  }
}

uint32_t sort_guard(Server&, ArgViews args) {
  uint32_t guard = kGuardShared;
  for_each_option(args, [&](std::string_view option, size_t at) {
    if (equals_ignore_case(option, "store")) {
      guard &= ~uint32_t{kGuardShared};
    } else if (SortPattern(args[at]).names_keys()) {
      guard |= kGuardAllShards;
    }
  });
  return guard;
}

// The last STORE counts.
bool sort_keys(ArgViews args, std::vector<KeyRef>* keys) {
  keys->push_back({1, kKeyRO | kKeyAccess});
  size_t destination = 0;
  for_each_option(args, [&](std::string_view option, size_t at) {
    if (equals_ignore_case(option, "store")) destination = at;
  });
  if (destination != 0) keys->push_back({destination, kKeyOW | kKeyUpdate});
  return true;
}

// Each element is loaded and compared some times, and each pattern is a lookup.
uint64_t sort_cost(Context& ctx) {
  const Entry* entry = ctx.peek(ctx.arg(1));
  if (entry == nullptr) return 0;
  uint64_t per_element = 2;
  for_each_option(ctx.args(), [&](std::string_view, size_t) { ++per_element; });
  return type_ops(entry).length(entry) * per_element;
}

constexpr uint64_t kSortCategories = kCatSet | kCatSortedSet | kCatList | kCatDangerous;

constexpr Command kRows[] = {
    {.name = "sort", .handler = cmd_sort, .arity = -2,
     .flags = kWrite | kDenyOom | kMovableKeys | kWritesLast,
     .categories = kSortCategories,
     .key_specs = {one_key(kKeyRO | kKeyAccess), unknown_keys(kKeyRO | kKeyAccess), unknown_keys(kKeyOW | kKeyUpdate)},
     .cost = sort_cost, .keys = sort_keys, .guard = sort_guard},
    {.name = "sort_ro", .handler = cmd_sort_ro, .arity = -2, .flags = kReadonly | kMovableKeys,
     .categories = kSortCategories, .key_specs = {one_key(kKeyRO | kKeyAccess), unknown_keys(kKeyRO | kKeyAccess)},
     .cost = sort_cost, .guard = sort_guard},
};

}  // namespace

const CommandFamily kSortCommands = kRows;

}  // namespace synap
