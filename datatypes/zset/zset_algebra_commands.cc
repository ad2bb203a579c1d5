// ZUNION, ZINTER, ZDIFF, their STORE forms, and ZINTERCARD, over sorted sets and sets.
#include <algorithm>
#include <memory>
#include <vector>

#include "datatypes/set/set.h"
#include "datatypes/zset/algebra.h"
#include "datatypes/zset/zset_commands.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {
namespace {

// A plain set as operand: every member has the score 1.
class SetMembersView : public ScoredMembers {
 public:
  explicit SetMembersView(const Set& set) : set_(set) {}
  size_t size() const override { return set_.size(); }
  void for_each(const Visit& visit) const override {
    set_.for_each_while([&](const SetElement& element) {
      ListpackValue::Scratch scratch;
      return visit(element.text(scratch), 1);
    });
  }
  bool stays_in_place() const override { return set_.table_or_null() != nullptr; }
  std::optional<double> score(std::string_view member, uint64_t hash) const override {
    const auto* table = set_.table_or_null();
    const bool present = table != nullptr ? table->find(hash, member) != nullptr : set_.contains(member);
    return present ? std::optional<double>(1) : std::nullopt;
  }
  void prefetch(uint64_t hash, Part part) const override {
    const auto* table = set_.table_or_null();
    if (table == nullptr) return;
    part == Part::kBucket ? void(table->prefetch_bucket(hash)) : table->fetch_item(hash);
  }
  const void* identity() const override { return &set_; }

 private:
  const Set& set_;
};

enum class Operation { kUnion, kIntersect, kSubtract };

struct AlgebraCall {
  Operation operation = Operation::kUnion;
  size_t numkeys_at = 1;
  bool store = false;
  bool count_only = false;

  std::vector<std::unique_ptr<ScoredMembers>> views = {};  // what the operands point to
  std::vector<AlgebraOperand> operands = {};
  Aggregate aggregate = Aggregate::kSum;
  bool with_scores = false;
  size_t limit = 0;
};

// Redis looks the keys up before it reads the options, so a wrong type is told first.
bool open_operands(Context& ctx, AlgebraCall* call) {
  int64_t count = 0;
  if (!ctx.parse(ctx.arg(call->numkeys_at), &count)) return false;
  if (count < 1) {
    ctx.reply().error({"ERR at least 1 input key is needed for '", ctx.command().display_name(), "' command"});
    return false;
  }
  if (static_cast<uint64_t>(count) > ctx.argc() - call->numkeys_at - 1) {
    ctx.syntax_error();
    return false;
  }
  for (std::string_view key : ctx.args().subspan(call->numkeys_at + 1, static_cast<size_t>(count))) {
    const Entry* entry = ctx.lookup(key);
    if (entry == nullptr) {
      call->views.push_back(nullptr);
    } else if (entry->type() == ValueType::kZset) {
      call->views.push_back(std::make_unique<ZsetMembersView>(*entry->object<Zset>()));
    } else if (entry->type() == ValueType::kSet) {
      call->views.push_back(std::make_unique<SetMembersView>(*entry->object<Set>()));
    } else {
      ctx.wrong_type();
      return false;
    }
    call->operands.push_back({call->views.back().get(), 1});
  }
  return true;
}

bool parse_weights(Context& ctx, size_t first, std::vector<AlgebraOperand>& operands) {
  for (AlgebraOperand& operand : operands) {
    if (!ctx.parse(ctx.arg(first++), &operand.weight, kWeightNotFloatError)) return false;
  }
  return true;
}

bool parse_aggregate(std::string_view text, Aggregate* aggregate) {
  if (equals_ignore_case(text, "sum")) {
    *aggregate = Aggregate::kSum;
  } else if (equals_ignore_case(text, "min")) {
    *aggregate = Aggregate::kMin;
  } else if (equals_ignore_case(text, "max")) {
    *aggregate = Aggregate::kMax;
  } else {
    return false;
  }
  return true;
}

bool parse_algebra_options(Context& ctx, AlgebraCall* call) {
  const bool weighted = call->operation != Operation::kSubtract && !call->count_only;
  for (size_t i = call->numkeys_at + 1 + call->operands.size(); i < ctx.argc(); ++i) {
    std::string_view option = ctx.arg(i);
    const size_t behind = ctx.argc() - i - 1;
    if (weighted && behind >= call->operands.size() && equals_ignore_case(option, "weights")) {
      if (!parse_weights(ctx, i + 1, call->operands)) return false;
      i += call->operands.size();
    } else if (weighted && behind >= 1 && equals_ignore_case(option, "aggregate") &&
               parse_aggregate(ctx.arg(i + 1), &call->aggregate)) {
      ++i;
    } else if (!call->store && !call->count_only && equals_ignore_case(option, "withscores")) {
      call->with_scores = true;
    } else if (call->count_only && behind >= 1 && equals_ignore_case(option, "limit")) {
      int64_t limit = 0;
      if (!ctx.parse_range(ctx.arg(++i), 0, INT64_MAX, &limit, kLimitNegativeError)) return false;
      call->limit = static_cast<size_t>(limit);
    } else {
      ctx.syntax_error();
      return false;
    }
  }
  return true;
}

void compute(AlgebraCall& call, ZsetBuilder* result) {
  switch (call.operation) {
    case Operation::kUnion:
      return zset_union(std::move(call.operands), call.aggregate, result);
    case Operation::kIntersect:
      return zset_intersect(std::move(call.operands), call.aggregate, result);
    case Operation::kSubtract:
      return zset_subtract(std::move(call.operands), result);
  }
}

void reply_algebra(Context& ctx, Operation operation) {
  AlgebraCall call{.operation = operation};
  if (!open_operands(ctx, &call) || !parse_algebra_options(ctx, &call)) return;
  ZsetBuilder builder;
  compute(call, &builder);
  const Zset result = builder.finish(ZsetLimits{0, 0});  // only to be walked
  reply_walk(ctx.reply(), result, {0, result.size(), false}, call.with_scores);
}

void store_algebra(Context& ctx, Operation operation, std::string_view event) {
  AlgebraCall call{.operation = operation, .numkeys_at = 2, .store = true};
  if (!open_operands(ctx, &call) || !parse_algebra_options(ctx, &call)) return;
  ZsetBuilder builder;
  compute(call, &builder);
  const size_t count = builder.size();
  // The destination may be one of the operands: they are not looked at any more.
  ctx.store(ctx.arg(1), builder.finish(zset_limits(ctx.config())), kEventZset, event);
  ctx.reply().integer(static_cast<int64_t>(count));
}

// The elements of all operands.
uint64_t cost_of_operands(Context& ctx, size_t numkeys_at) {
  int64_t count = 0;
  if (!parse_int64(ctx.arg(numkeys_at), &count) || count < 1) return 1;
  if (static_cast<uint64_t>(count) > ctx.argc() - numkeys_at - 1) return 1;
  uint64_t cost = 1;
  for (std::string_view key : ctx.args().subspan(numkeys_at + 1, static_cast<size_t>(count))) {
    if (const Zset* zset = ctx.peek_as<Zset>(key); zset != nullptr) cost += zset->size();
    if (const Set* set = ctx.peek_as<Set>(key); set != nullptr) cost += set->size();
  }
  return cost;
}

}  // namespace

void cmd_zunion(Context& ctx) {
  reply_algebra(ctx, Operation::kUnion);
}
void cmd_zinter(Context& ctx) {
  reply_algebra(ctx, Operation::kIntersect);
}
void cmd_zdiff(Context& ctx) {
  reply_algebra(ctx, Operation::kSubtract);
}
void cmd_zunionstore(Context& ctx) {
  store_algebra(ctx, Operation::kUnion, "zunionstore");
}
void cmd_zinterstore(Context& ctx) {
  store_algebra(ctx, Operation::kIntersect, "zinterstore");
}
void cmd_zdiffstore(Context& ctx) {
  store_algebra(ctx, Operation::kSubtract, "zdiffstore");
}

void cmd_zintercard(Context& ctx) {
  AlgebraCall call{.operation = Operation::kIntersect, .count_only = true};
  if (!open_operands(ctx, &call) || !parse_algebra_options(ctx, &call)) return;
  ctx.reply().integer(static_cast<int64_t>(zset_intersection_size(std::move(call.operands), call.limit)));
}

uint64_t cost_of_algebra(Context& ctx) {
  return cost_of_operands(ctx, 1);
}
uint64_t cost_of_algebra_store(Context& ctx) {
  return cost_of_operands(ctx, 2);
}

}  // namespace synap
