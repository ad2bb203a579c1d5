#include "datatypes/zset/zset.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "server/base/number.h"

namespace synap {
namespace {

using Position = ListpackView::Position;
constexpr Position kNone = ListpackView::kNone;

double to_score(const ListpackValue& value) {
  if (value.is_integer()) return static_cast<double>(value.integer);
  double score = 0;
  parse_double({value.data, value.size}, &score);
  return score;
}

double score_behind(ListpackView pack, Position member_at) {
  return to_score(pack.get(pack.next(member_at)));
}

Position next_member(ListpackView pack, Position member_at) {
  return pack.next(pack.next(member_at));
}

// Redis stores what fits as an integer, and leaves the largest ones as text.
bool integral(double score, int64_t* integer) {
  constexpr double kLimit = 4611686018427387904.0;  // 2^62
  if (!(score >= -kLimit && score <= kLimit)) return false;
  *integer = static_cast<int64_t>(score);
  return static_cast<double>(*integer) == score;
}

void put_score_before(Listpack& pack, Position at, double score) {
  int64_t integer = 0;
  if (integral(score, &integer)) {
    pack.insert_before_integer(at, integer);
    return;
  }
  char text[kDoubleCharsMax];
  pack.insert_before(at, {text, format_double(text, score)});
}

void insert_pair(Listpack& pack, Position at, std::string_view member, double score) {
  put_score_before(pack, at, score);
  pack.insert_before(at, member);
}

int compare_member(ListpackView pack, Position at, std::string_view member) {
  ListpackValue::Scratch scratch;
  return pack.text(at, scratch).compare(member);
}

// The place of the first element after (score, member), which is absent.
Position insertion_point(ListpackView pack, double score, std::string_view member) {
  for (Position at = pack.first(); at != kNone;) {
    Position score_at = pack.next(at);
    double other = to_score(pack.get(score_at));
    if (other > score || (other == score && compare_member(pack, at, member) > 0)) return at;
    at = pack.next(score_at);
  }
  return pack.end();
}

Position find_member(ListpackView pack, std::string_view member) {
  Position first = pack.first();
  return first == kNone ? kNone : pack.find(member, first, 1);
}

// How many leading elements satisfy `before`, which must hold for a prefix.
template <class Before>
size_t count_leading(const Zset& zset, Before before) {
  size_t n = 0;
  for (auto at = zset.begin(); at.valid() && before(at); at.next()) ++n;
  return n;
}

RankSpan span_between(size_t low, size_t high) {
  return {low, high > low ? high - low : 0};
}

// What `options` make of a present score: whether to write `*score`, and why not.
ZsetAdded decide_present(ZsetAdd options, double present, double* score) {
  if (options.only_new) return ZsetAdded::kRefused;
  if (options.increment) {
    *score += present;
    if (std::isnan(*score)) return ZsetAdded::kNotANumber;
  }
  if (options.only_less && *score >= present) return ZsetAdded::kRefused;
  if (options.only_greater && *score <= present) return ZsetAdded::kRefused;
  return *score == present ? ZsetAdded::kSame : ZsetAdded::kUpdated;
}

}  // namespace

// ---- life

Zset Zset::from_listpack(Listpack pack) {
  Zset zset;
  if (!pack.empty()) zset.put_pack(std::move(pack));
  return zset;
}

bool Zset::valid_listpack(std::string_view bytes, bool deep) {
  size_t index = 0;
  bool scores_good = true;
  auto check = [&](const ListpackValue& value, size_t) {
    if (index++ % 2 == 0 || value.is_integer()) return true;
    double score = 0;
    scores_good = scores_good && parse_double({value.data, value.size}, &score);
    return scores_good;
  };
  if (!deep) return ListpackView::validate(bytes, false);
  if (!ListpackView::validate(bytes, true, check) || index % 2 != 0) return false;
  // In strict order by (score, member), so a member can only be there twice with two scores.
  ListpackView pack(reinterpret_cast<const uint8_t*>(bytes.data()));
  std::unordered_set<std::string> members;
  double last_score = -HUGE_VAL;
  std::string last_member;
  for (Position at = pack.first(); at != kNone; at = next_member(pack, at)) {
    double score = score_behind(pack, at);
    std::string member = pack.to_string(at);
    if (score < last_score || (score == last_score && !members.empty() && member <= last_member)) return false;
    if (!members.insert(member).second) return false;
    last_score = score;
    last_member = std::move(member);
  }
  return true;
}

Listpack Zset::take_pack() {
  if (word_ == 0) return Listpack();
  return Listpack::adopt(reinterpret_cast<uint8_t*>(std::exchange(word_, 0)));
}

void Zset::put_pack(Listpack pack) {
  word_ = reinterpret_cast<uint64_t>(pack.release());
}

void Zset::clear() {
  if (is_big()) {
    delete big();
  } else {
    std::free(pack_bytes());
  }
  word_ = 0;
}

size_t Zset::size() const {
  if (is_big()) return big()->order.size();
  return word_ == 0 ? 0 : listpack().length() / 2;
}

size_t Zset::memory_bytes(size_t samples) const {
  if (word_ == 0) return 0;
  if (!is_big()) return listpack().memory_bytes();
  const Big& parts = *big();
  size_t sampled = 0;
  size_t bytes = 0;
  for (auto at = parts.order.first(); at.valid() && (samples == 0 || sampled < samples); at.next()) {
    bytes += block_capacity(ZsetItem::bytes_for(at.item()->length));
    ++sampled;
  }
  size_t item_bytes = sampled == 0 ? 0 : bytes * parts.order.size() / sampled;
  return sizeof(Big) + parts.order.memory_bytes() + parts.members.memory_bytes() + item_bytes;
}

Zset Zset::copy() const {
  if (word_ == 0) return {};
  if (!is_big()) return from_listpack(Listpack::copy_of(listpack().raw()));
  auto* fresh = new Big;
  for (auto at = big()->order.first(); at.valid(); at.next()) {
    ZsetItem* item = ZsetItem::create(at.score(), at.item()->member());
    fresh->order.append(item);
    fresh->members.insert(ZsetMemberTraits::hash(item), item);
  }
  return Zset(fresh);
}

// Through the builder, because a listpack that came from outside may be out of order or name a member twice.
void Zset::convert_to_big() {
  ZsetBuilder builder;
  for_each([&](std::string_view member, double score) { builder.add(member, score); });
  *this = builder.finish_big();
}

// ---- one element

void Zset::prepare(size_t count, size_t longest, const ZsetLimits& limits) {
  if (!is_big() && (count > limits.max_listpack_entries || longest > limits.max_listpack_value)) convert_to_big();
}

ZsetAdded Zset::add(std::string_view member, double score, ZsetAdd options, const ZsetLimits& limits, double* result) {
  if (std::isnan(score)) return ZsetAdded::kNotANumber;
  if (is_big()) return add_to_big(member, score, options, result);
  return add_to_pack(member, score, options, limits, result);
}

ZsetAdded Zset::add_to_pack(std::string_view member, double score, ZsetAdd options, const ZsetLimits& limits,
                            double* result) {
  Position at = word_ == 0 ? kNone : find_member(listpack(), member);
  if (at == kNone) {
    if (options.only_present) return ZsetAdded::kRefused;
    bool fits = size() + 1 <= limits.max_listpack_entries && member.size() <= limits.max_listpack_value &&
                (word_ == 0 || ListpackView::safe_to_add(listpack().bytes(), member.size()));
    if (!fits) {
      convert_to_big();
      return add_to_big(member, score, options, result);
    }
    Listpack pack = take_pack();
    insert_pair(pack, insertion_point(pack.view(), score, member), member, score);
    put_pack(std::move(pack));
    *result = score;
    return ZsetAdded::kAdded;
  }
  ZsetAdded decision = decide_present(options, score_behind(listpack(), at), &score);
  if (decision == ZsetAdded::kSame || decision == ZsetAdded::kUpdated) *result = score;
  if (decision != ZsetAdded::kUpdated) return decision;
  Listpack pack = take_pack();
  pack.erase(at, 2);
  insert_pair(pack, insertion_point(pack.view(), score, member), member, score);
  put_pack(std::move(pack));
  return decision;
}

ZsetAdded Zset::add_to_big(std::string_view member, double score, ZsetAdd options, double* result) {
  Big& parts = *big();
  uint64_t hash = hash_bytes(member);
  ZsetItem* item = parts.members.find_item(hash, member);
  if (item == nullptr) {
    if (options.only_present) return ZsetAdded::kRefused;
    item = ZsetItem::create(score, member);
    parts.members.insert(hash, item);
    parts.order.insert(item);
    *result = score;
    return ZsetAdded::kAdded;
  }
  ZsetAdded decision = decide_present(options, item->score, &score);
  if (decision == ZsetAdded::kSame || decision == ZsetAdded::kUpdated) *result = score;
  if (decision == ZsetAdded::kUpdated) parts.order.rescore(item, score);
  return decision;
}

bool Zset::remove(std::string_view member) {
  if (word_ == 0) return false;
  if (!is_big()) {
    Position at = find_member(listpack(), member);
    if (at == kNone) return false;
    Listpack pack = take_pack();
    pack.erase(at, 2);
    put_pack(std::move(pack));
    return true;
  }
  ZsetItem* item = big()->members.erase(hash_bytes(member), member);
  if (item == nullptr) return false;
  big()->order.remove(item);
  std::free(item);
  return true;
}

std::optional<double> Zset::score(std::string_view member, uint64_t hash) const {
  if (!is_big()) return score(member);
  const ZsetItem* item = big()->members.find_item(hash, member);
  return item == nullptr ? std::nullopt : std::optional(item->score);
}

std::optional<double> Zset::score(std::string_view member) const {
  if (word_ == 0) return std::nullopt;
  if (is_big()) return score(member, hash_bytes(member));
  Position at = find_member(listpack(), member);
  return at == kNone ? std::nullopt : std::optional(score_behind(listpack(), at));
}

std::optional<Zset::Ranked> Zset::rank(std::string_view member) const {
  if (is_big()) {
    const ZsetItem* item = big()->members.find_item(hash_bytes(member), member);
    if (item == nullptr) return std::nullopt;
    return Ranked{big()->order.rank(item), item->score};
  }
  size_t rank = 0;
  for (Iterator at = begin(); at.valid(); at.next(), ++rank) {
    if (at.member() == member) return Ranked{rank, at.score()};
  }
  return std::nullopt;
}

// ---- intervals

RankSpan Zset::span(const ScoreRange& range) const {
  if (is_big()) {
    size_t low = big()->order.seek(ScoreBound{range.min, range.min_exclusive}).rank;
    size_t high = big()->order.seek(ScoreBound{range.max, !range.max_exclusive}).rank;
    return span_between(low, high);
  }
  auto before = [](double score, double limit, bool or_equal) { return score < limit || (or_equal && score == limit); };
  return span_between(
      count_leading(*this, [&](Iterator& at) { return before(at.score(), range.min, range.min_exclusive); }),
      count_leading(*this, [&](Iterator& at) { return before(at.score(), range.max, !range.max_exclusive); }));
}

RankSpan Zset::span(const LexRange& range) const {
  // Ranks before a limit; `or_equal` counts the limit's own member too.
  auto rank_before = [&](const LexLimit& limit, bool or_equal) -> size_t {
    if (limit.kind == LexLimit::Kind::kLowest) return 0;
    if (limit.kind == LexLimit::Kind::kHighest) return size();
    if (is_big()) return big()->order.seek(LexBound{limit.member, or_equal}).rank;
    return count_leading(*this, [&](Iterator& at) {
      int order = at.member().compare(limit.member);
      return order < 0 || (or_equal && order == 0);
    });
  };
  return span_between(rank_before(range.min, range.min.exclusive), rank_before(range.max, !range.max.exclusive));
}

Zset::Iterator Zset::at(size_t rank) const {
  SYNAP_ASSERT(rank < size());
  if (is_big()) return Iterator(big()->order.at(rank));
  return {listpack(), listpack().seek(static_cast<int64_t>(rank * 2))};
}

Zset::Iterator Zset::from_score(double score) const {
  if (is_big()) return Iterator(big()->order.seek(ScoreBound{score, false}).cursor);
  Iterator at = begin();
  while (at.valid() && at.score() < score) at.next();
  return at;
}

Zset::Iterator Zset::begin() const {
  if (is_big()) return Iterator(big()->order.first());
  if (word_ == 0) return {};
  return {listpack(), listpack().first()};
}

double Zset::Iterator::score() const {
  return pack_ != nullptr ? score_behind(ListpackView(pack_), at_) : cursor_.score();
}

void Zset::Iterator::next() {
  if (pack_ == nullptr) return cursor_.next();
  at_ = next_member(ListpackView(pack_), at_);
}

void Zset::Iterator::prev() {
  if (pack_ == nullptr) return cursor_.prev();
  ListpackView pack(pack_);
  at_ = pack.prev(at_);
  if (at_ != kNone) at_ = pack.prev(at_);
}

void Zset::remove_span(RankSpan span) {
  if (span.count == 0) return;
  SYNAP_ASSERT(span.first + span.count <= size());
  if (!is_big()) {
    Listpack pack = take_pack();
    pack.erase_range(static_cast<int64_t>(span.first * 2), span.count * 2);
    put_pack(std::move(pack));
    return;
  }
  Big& parts = *big();
  parts.order.remove_range(span.first, span.count, [&](ZsetItem* item) {
    parts.members.erase(ZsetMemberTraits::hash(item), item->member());
    std::free(item);
  });
}

// ---- scan and chance

uint64_t Zset::scan(uint64_t cursor, size_t count, const std::function<void(std::string_view, double)>& visit) const {
  if (!is_big()) {
    for_each(visit);
    return 0;
  }
  // A sparse table must not turn one call into a walk over all its empty buckets.
  size_t visited = 0;
  size_t steps_left = count < SIZE_MAX / 10 ? count * 10 : SIZE_MAX;
  do {
    cursor = big()->members.scan(cursor, [&](const ZsetItem* item) {
      visit(item->member(), item->score);
      ++visited;
    });
  } while (cursor != 0 && visited < count && --steps_left > 0);
  return cursor;
}

// Floyd's sampling: one draw for each chosen rank.
std::vector<size_t> Zset::random_unique(Random& random, size_t count) const {
  size_t n = size();
  std::vector<size_t> ranks;
  if (count >= n) {
    ranks.resize(n);
    for (size_t i = 0; i < n; ++i) ranks[i] = i;
    return ranks;
  }
  std::unordered_set<size_t> chosen;
  for (size_t i = n - count; i < n; ++i) {
    size_t pick = random.below(i + 1);
    if (!chosen.insert(pick).second) chosen.insert(i);
  }
  ranks.assign(chosen.begin(), chosen.end());
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

void Zset::check() const {
  bool first = true;
  double last_score = 0;
  std::string last_member;
  size_t n = 0;
  for_each([&](std::string_view member, double member_score) {
    SYNAP_ASSERT(first || last_score < member_score || (last_score == member_score && last_member < member));
    SYNAP_ASSERT(score(member) == member_score);
    first = false;
    last_score = member_score;
    last_member = member;
    ++n;
  });
  SYNAP_ASSERT(n == size());
  if (!is_big()) return;
  big()->order.check();
  SYNAP_ASSERT(big()->members.consistent() && big()->members.size() == n);
}

// ---- builder

ZsetBuilder::~ZsetBuilder() {
  for (ZsetItem* item : items_) std::free(item);
}

double* ZsetBuilder::find_or_add(std::string_view member, uint64_t hash, double score, bool* fresh) {
  ZsetItem* item = members_.find_item(hash, member);
  *fresh = item == nullptr;
  if (item == nullptr) {
    item = ZsetItem::create(score, member);
    members_.insert(hash, item);
    items_.push_back(item);
  }
  return &item->score;
}

Zset ZsetBuilder::finish(const ZsetLimits& limits) {
  bool fits = items_.size() <= limits.max_listpack_entries;
  size_t bytes = 0;
  for (size_t i = 0; fits && i < items_.size(); ++i) {
    bytes += items_[i]->length;
    fits = items_[i]->length <= limits.max_listpack_value;
  }
  if (!fits || !ListpackView::safe_to_add(0, bytes)) return finish_big();
  sort();
  Listpack pack;
  for (ZsetItem* item : items_) {
    insert_pair(pack, pack.view().end(), item->member(), item->score);
    std::free(item);
  }
  items_.clear();
  members_.clear();
  return Zset::from_listpack(std::move(pack));
}

Zset ZsetBuilder::finish_big() {
  sort();
  auto* big = new Zset::Big;
  for (ZsetItem* item : items_) big->order.append(item);
  items_.clear();
  big->members.swap(members_);
  return Zset(big);
}

void ZsetBuilder::sort() {
  auto by_key = [](const ZsetItem* a, const ZsetItem* b) {
    return a->score < b->score || (a->score == b->score && a->member() < b->member());
  };
  // Redis's files hold big sorted sets from the highest score down.
  if (std::is_sorted(items_.rbegin(), items_.rend(), by_key)) std::reverse(items_.begin(), items_.end());
  if (!std::is_sorted(items_.begin(), items_.end(), by_key)) std::sort(items_.begin(), items_.end(), by_key);
}

// First the order's nodes, by rank with kNodesFlag, then the table and the items, by the table's cursor plus one.
uint64_t Zset::relocate_big(uint64_t cursor, size_t count, BlockMover& mover) {
  constexpr uint64_t kNodesFlag = uint64_t{1} << 63;
  BTree& order = big()->order;
  if (cursor == 0 || (cursor & kNodesFlag) != 0) {
    size_t rank = cursor & ~kNodesFlag;
    // A leaf's move costs as much as that of a few dozen items.
    for (const size_t end = rank + count; rank < end && rank < order.size();) rank = order.relocate_nodes(rank, mover);
    return rank < order.size() ? rank | kNodesFlag : 1;
  }
  const uint64_t next =
      move_items(big()->members, cursor - 1, count, mover, [](const ZsetItem* item) { return item->member(); },
                 [&](ZsetItem* item) { return order.relocate(item, mover); });
  return next == 0 ? 0 : next + 1;
}

uint64_t Zset::relocate(uint64_t cursor, size_t count, BlockMover& mover) {
  if (is_big()) return relocate_big(cursor, count, mover);
  if (word_ != 0) word_ = reinterpret_cast<uint64_t>(mover.moved(pack_bytes()));
  return 0;
}

}  // namespace synap
