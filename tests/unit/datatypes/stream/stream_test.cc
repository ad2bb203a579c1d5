#include "datatypes/stream/stream.h"

#include <doctest/doctest.h>

#include <cstring>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "server/base/random.h"

using namespace synap;

namespace {

using Texts = std::vector<std::string>;
using Model = std::map<StreamId, Texts>;

std::vector<std::string_view> views_of(const Texts& texts) {
  return {texts.begin(), texts.end()};
}

void add(Stream* stream, const StreamId& id, const Texts& texts, const StreamBlockLimits& limits = {}) {
  const auto views = views_of(texts);
  REQUIRE(Stream::fits(views));
  stream->append(id, views, limits);
}

Texts read(StreamEntry& entry) {
  Texts texts;
  for (int64_t i = 0; i < entry.field_count; ++i) {
    std::string_view field, value;
    entry.next_field(&field, &value);
    texts.emplace_back(field);
    texts.emplace_back(value);
  }
  return texts;
}

void check_range(const Stream& stream, const Model& model, const StreamId& start, const StreamId& end) {
  StreamCursor forward(stream, start, end);
  for (auto at = model.lower_bound(start); at != model.end() && at->first <= end; ++at) {
    REQUIRE(forward.next());
    REQUIRE(forward.entry().id == at->first);
    REQUIRE(read(forward.entry()) == at->second);
  }
  REQUIRE_FALSE(forward.next());
  REQUIRE_FALSE(forward.next());

  StreamCursor backward(stream, start, end, StreamCursor::Direction::kReverse);
  for (auto at = std::make_reverse_iterator(model.upper_bound(end)); at != model.rend() && at->first >= start; ++at) {
    REQUIRE(backward.next());
    REQUIRE(backward.entry().id == at->first);
    if (at->first.ms % 2 == 0) REQUIRE(read(backward.entry()) == at->second);
  }
  REQUIRE_FALSE(backward.next());
}

void check_equal(const Stream& stream, const Model& model) {
  REQUIRE(stream.length() == model.size());
  check_range(stream, model, StreamId::min(), StreamId::max());
  REQUIRE(stream.first_id() == (model.empty() ? StreamId::min() : model.begin()->first));
  StreamId last;
  REQUIRE(stream.last_entry_id(&last) == !model.empty());
  if (!model.empty()) REQUIRE(last == model.rbegin()->first);
}

Stream reload(const Stream& stream) {
  Stream loaded;
  const Stream::Blocks& blocks = stream.blocks();
  for (auto at = blocks.begin(); at != blocks.end(); at = blocks.next(at)) {
    REQUIRE(loaded.load_block(blocks[at].id, blocks[at].view().raw()));
  }
  REQUIRE(loaded.load_totals(
      {stream.length(), stream.first_id(), stream.last_id(), stream.max_deleted_id(), stream.entries_added()}));
  return loaded;
}

size_t allocated_pack_bytes(const Stream& stream) {
  size_t bytes = 0;
  const Stream::Blocks& blocks = stream.blocks();
  for (auto at = blocks.begin(); at != blocks.end(); at = blocks.next(at)) bytes += blocks[at].view().memory_bytes();
  return bytes;
}

Texts random_texts(Random& random) {
  static const Texts kFixed = {"name", "x", "12", "y"};
  if (random.below(3) != 0) {
    Texts texts = kFixed;
    texts[1] = std::to_string(random.below(100000));
    texts[3] = std::string(random.below(20), 'v');
    return texts;
  }
  Texts texts;
  for (uint64_t i = 0; i <= random.below(3); ++i) {
    texts.push_back("field" + std::to_string(i));
    texts.push_back(std::to_string(static_cast<int64_t>(random.next()) >> random.below(63)));
  }
  return texts;
}

uint64_t trim_model(Model* model, const StreamTrim& how) {
  const size_t before = model->size();
  if (how.strategy == StreamTrim::Strategy::kMaxLen) {
    while (model->size() > how.length_max) model->erase(model->begin());
  } else {
    model->erase(model->begin(), model->lower_bound(how.id_min));
  }
  return before - model->size();
}

}  // namespace

TEST_CASE("Stream agrees with a map under random changes") {
  Random& random = thread_random();
  for (const size_t entries_max : {1u, 3u, 100u, 0u}) {
    const StreamBlockLimits limits{.bytes_max = entries_max == 0 ? 600u : 4096u, .entries_max = entries_max};
    Stream stream;
    Model model;
    StreamId last;
    uint64_t added = 0;
    for (int step = 0; step < 6000; ++step) {
      const uint64_t dice = random.below(100);
      const StreamId somewhere{random.below(last.ms + 2), random.below(3)};
      if (dice < 60) {
        last = random.below(2) == 0 ? StreamId{last.ms, last.seq + 1} : StreamId{last.ms + random.below(300) + 1, 0};
        const Texts texts = random_texts(random);
        add(&stream, last, texts, limits);
        model.emplace(last, texts);
        ++added;
      } else if (dice < 90 && !model.empty()) {
        const auto near = model.lower_bound(somewhere);
        const StreamId id = near == model.end() || random.below(4) == 0 ? somewhere : near->first;
        REQUIRE(stream.contains(id) == model.contains(id));
        const StreamId deleted_before = stream.max_deleted_id();
        const bool erased = model.erase(id) == 1;
        REQUIRE(stream.erase(id) == erased);
        REQUIRE(stream.max_deleted_id() == (erased ? std::max(id, deleted_before) : deleted_before));
      } else if (dice < 91) {
        StreamTrim how{.strategy = random.below(2) == 0 ? StreamTrim::Strategy::kMaxLen : StreamTrim::Strategy::kMinId};
        how.length_max = model.size() - std::min<uint64_t>(model.size(), random.below(120));
        how.id_min = somewhere;
        REQUIRE(stream.trim(how) == trim_model(&model, how));
      } else {
        const StreamId other{random.below(last.ms + 2), random.below(3)};
        check_range(stream, model, std::min(somewhere, other), std::max(somewhere, other));
      }
      REQUIRE(stream.last_id() == last);
      REQUIRE(stream.entries_added() == added);
      if (step % 500 == 0) check_equal(stream, model);
    }
    check_equal(stream, model);
    check_equal(stream.copy(), model);
    check_equal(reload(stream), model);
    CHECK(stream.memory_bytes() > allocated_pack_bytes(stream));
    const size_t overhead = stream.memory_bytes() - allocated_pack_bytes(stream);
    CHECK(overhead <= 512 + stream.blocks().memory_bytes());
    REQUIRE(stream.trim({.strategy = StreamTrim::Strategy::kMaxLen}) == model.size());
    check_equal(stream, {});
    CHECK(stream.blocks().empty());
  }
}

TEST_CASE("An all-zero word is an empty stream") {
  Stream stream;
  uint64_t word;
  std::memcpy(&word, &stream, sizeof(word));
  CHECK(word == 0);
  check_equal(stream, {});
  CHECK_FALSE(stream.erase({1, 0}));
  CHECK(stream.trim({.strategy = StreamTrim::Strategy::kMaxLen}) == 0);
  CHECK_FALSE(stream.destroy_group("g"));
  CHECK(stream.find_group("g") == nullptr);
  CHECK(stream.copy().length() == 0);
  CHECK(stream.radix_tree_nodes() == 1);
  CHECK(stream.free_effort() == 1);
  CHECK_FALSE(stream.forget_references({1, 0}));
  stream.set_last_id({3, 0});
  CHECK(stream.last_id() == StreamId{3, 0});
  CHECK(stream.copy().last_id() == StreamId{3, 0});
}

TEST_CASE("Approximate trimming removes whole blocks only, within its limit") {
  Stream stream;
  for (uint64_t i = 1; i <= 100; ++i) add(&stream, {i, 0}, {"f", "v"}, {.bytes_max = 4096, .entries_max = 10});
  StreamTrim how{.strategy = StreamTrim::Strategy::kMaxLen, .approximate = true, .limit = 0, .length_max = 55};
  CHECK(stream.trim(how) == 40);
  CHECK(stream.first_id() == StreamId{41, 0});
  how.length_max = 0;
  how.limit = 25;
  CHECK(stream.trim(how) == 20);
  how = {.strategy = StreamTrim::Strategy::kMinId, .approximate = true, .limit = 0, .length_max = 0, .id_min = {75, 0}};
  CHECK(stream.trim(how) == 10);
  CHECK(stream.first_recorded_id() == StreamId{71, 0});
  CHECK(stream.length() == 30);
}

// A stream of 100 entries: a group was given the first 80 and has acknowledged those whose number is no multiple of 3.
Stream stream_with_group() {
  Stream stream;
  for (uint64_t i = 1; i <= 100; ++i) add(&stream, {i, 0}, {"f", "v"}, {.bytes_max = 4096, .entries_max = 10});
  ConsumerGroup* group = stream.create_group("g", {}, 0);
  StreamConsumer* consumer = group->create_consumer("c", 0);
  for (uint64_t i = 1; i <= 80; ++i) {
    group->deliver({i, 0}, consumer, 0);
    stream.advance_group(group, {i, 0});
    if (i % 3 != 0) group->acknowledge({i, 0});
  }
  return stream;
}

TEST_CASE("Trimming that looks at references removes what no group waits for, or drops the references") {
  using Strategy = StreamTrim::Strategy;
  for (const bool approximate : {false, true}) {
    for (uint64_t threshold = 0; threshold <= 100; threshold += 7) {
      for (const Strategy strategy : {Strategy::kMaxLen, Strategy::kMinId}) {
        for (const auto references : {StreamReferences::kDelete, StreamReferences::kOnlyAcknowledged}) {
          Stream stream = stream_with_group();
          const bool by_length = strategy == Strategy::kMaxLen;
          // What Redis's documentation says, entry by entry; approximate trims stop before a block that stays in part.
          uint64_t expected = 0;
          for (uint64_t i = 1; i <= 100; ++i) {
            const uint64_t length = 100 - expected;
            if (by_length ? length <= threshold : i >= threshold) break;
            if (approximate && i % 10 == 1 && (by_length ? length - 10 < threshold : i + 9 >= threshold)) break;
            const bool referenced = i > 80 || i % 3 == 0;
            if (references == StreamReferences::kDelete || !referenced) ++expected;
          }
          StreamId reached;
          const StreamTrim how{.strategy = strategy, .approximate = approximate, .limit = 0, .length_max = threshold,
                               .id_min = {threshold, 0}, .references = references};
          CAPTURE(threshold);
          REQUIRE(stream.trim(how, &reached) == expected);
          REQUIRE(stream.length() == 100 - expected);
          REQUIRE(stream.max_deleted_id().is_zero());
          const ConsumerGroup& group = *stream.find_group("g");
          for (uint64_t i = 3; i <= 80; i += 3) {
            const bool pending = group.find_pending({i, 0}) != nullptr;
            REQUIRE(pending == stream.contains({i, 0}));
          }
          // The exact trim that is journaled for an approximate one does the same.
          Stream replayed = stream_with_group();
          const StreamTrim exact{.strategy = strategy, .approximate = false, .limit = 0, .length_max = stream.length(),
                                 .id_min = reached, .references = references};
          if (approximate) {
            replayed.trim(exact);
            for (uint64_t i = 1; i <= 100; ++i) REQUIRE(replayed.contains({i, 0}) == stream.contains({i, 0}));
          }
        }
      }
    }
  }
}

TEST_CASE("Ids of new entries") {
  using Kind = StreamIdRequest::Kind;
  Stream stream;
  CHECK(*stream.next_id({Kind::kAuto, {}}, 5) == StreamId{5, 0});
  CHECK(*stream.next_id({Kind::kAutoSeq, {0, 0}}, 5) == StreamId{0, 1});
  CHECK_FALSE(stream.next_id({Kind::kExplicit, {0, 0}}, 5).ok());
  add(&stream, {10, 3}, {"f", "v"});
  CHECK(*stream.next_id({Kind::kAuto, {}}, 5) == StreamId{10, 4});
  CHECK(*stream.next_id({Kind::kAuto, {}}, 11) == StreamId{11, 0});
  CHECK(*stream.next_id({Kind::kAutoSeq, {10, 0}}, 5) == StreamId{10, 4});
  CHECK(*stream.next_id({Kind::kAutoSeq, {12, 0}}, 5) == StreamId{12, 0});
  CHECK(stream.next_id({Kind::kAutoSeq, {9, 0}}, 5).code() == StatusCode::kOutOfRange);
  CHECK(stream.next_id({Kind::kExplicit, {10, 3}}, 5).code() == StatusCode::kOutOfRange);
  CHECK(*stream.next_id({Kind::kExplicit, {10, 4}}, 5) == StreamId{10, 4});
  add(&stream, {10, UINT64_MAX}, {"f", "v"});
  CHECK_FALSE(stream.next_id({Kind::kAutoSeq, {10, 0}}, 5).ok());
  CHECK(*stream.next_id({Kind::kAuto, {}}, 5) == StreamId{11, 0});
  stream.set_last_id(StreamId::max());
  CHECK_FALSE(stream.next_id({Kind::kAuto, {}}, 5).ok());
}

TEST_CASE("Ids as text") {
  StreamId id;
  bool flag = false;
  CHECK(parse_stream_id("12-34", 0, &id));
  CHECK(id == StreamId{12, 34});
  CHECK(id.to_text() == "12-34");
  CHECK(StreamId::max().to_text() == "18446744073709551615-18446744073709551615");
  CHECK(parse_stream_id("12", 77, &id));
  CHECK(id == StreamId{12, 77});
  CHECK(parse_stream_id_or_auto_seq("12-*", &id, &flag));
  CHECK(flag);
  CHECK(parse_stream_id_or_auto_seq("12-1", &id, &flag));
  CHECK_FALSE(flag);
  for (const char* bad :
       {"", "-", "+", "a", "1-", "1-a", "1-2-3", "-1", "1--1", "18446744073709551616-0", "1-*", "*"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_stream_id(bad, 0, &id));
  }
  CHECK(parse_stream_range_edge("-", 0, &id, &flag));
  CHECK(id == StreamId::min());
  CHECK(parse_stream_range_edge("+", 0, &id, &flag));
  CHECK(id == StreamId::max());
  CHECK(parse_stream_range_edge("(5", UINT64_MAX, &id, &flag));
  CHECK(flag);
  CHECK(id == StreamId{5, UINT64_MAX});
  CHECK_FALSE(parse_stream_range_edge("(-", 0, &id, &flag));
  CHECK_FALSE(parse_stream_range_edge("(", 0, &id, &flag));

  id = {5, UINT64_MAX};
  CHECK(id.increment());
  CHECK(id == StreamId{6, 0});
  CHECK(id.decrement());
  CHECK(id == StreamId{5, UINT64_MAX});
  id = StreamId::max();
  CHECK_FALSE(id.increment());
  CHECK_FALSE(id.decrement());
  CHECK(id == StreamId::max());
}

TEST_CASE("Consumer groups agree with a map under random changes") {
  struct Fact {
    std::string consumer;
    int64_t time;
    uint64_t count;
    bool operator==(const Fact&) const = default;
  };
  Random& random = thread_random();
  ConsumerGroup group({}, 0);
  std::map<StreamId, Fact> model;
  const auto check = [&](const ConsumerGroup& actual) {
    REQUIRE(actual.pending().size() == model.size());
    for (const auto& [id, fact] : model) {
      const PendingEntry* entry = actual.find_pending(id);
      REQUIRE(entry != nullptr);
      REQUIRE(Fact{std::string(entry->consumer->name), entry->delivery_time_ms, entry->delivery_count} == fact);
      REQUIRE(entry->consumer == actual.find_consumer(fact.consumer));
      REQUIRE(entry->consumer->pending.find(id) != nullptr);
    }
    REQUIRE(actual.owners_complete());
  };
  for (int step = 0; step < 40000; ++step) {
    const StreamId id{random.below(2000), 0};
    const std::string name = "consumer-with-a-long-name-" + std::to_string(random.below(7));
    StreamConsumer* consumer = group.find_consumer(name);
    if (consumer == nullptr) consumer = group.create_consumer(name, step);
    const uint64_t dice = random.below(100);
    if (dice < 50) {
      group.deliver(id, consumer, step);
      model[id] = {name, step, 1};
    } else if (dice < 60) {
      group.assign(id, consumer, step, dice);
      model[id] = {name, step, dice};
    } else if (dice < 70 && model.contains(id)) {
      group.redeliver(id, step);
      model[id].time = step;
      ++model[id].count;
    } else if (random.below(3000) == 0) {
      const size_t gone = std::erase_if(model, [&](const auto& item) { return item.second.consumer == name; });
      REQUIRE(group.delete_consumer(name) == gone);
      REQUIRE(group.find_consumer(name) == nullptr);
    } else {
      REQUIRE(group.acknowledge(id) == (model.erase(id) == 1));
    }
    if (step % 2000 == 0) check(group);
  }
  check(group);
  const ConsumerGroup twin = group.copy();
  group.delete_consumer("consumer-with-a-long-name-1");
  check(twin);
  CHECK(twin.memory_bytes() > model.size() * (sizeof(PendingEntry) + sizeof(PendingId)));
}

TEST_CASE("Lag of a group") {
  Stream stream;
  const auto lag = [&](const char* name) { return stream.group_lag(*stream.find_group(name)); };
  REQUIRE(stream.create_group("new", {}, ConsumerGroup::kEntriesReadUnknown) != nullptr);
  CHECK(stream.create_group("new", {}, 0) == nullptr);
  CHECK(lag("new") == 0);
  for (uint64_t i = 1; i <= 5; ++i) add(&stream, {i, 0}, {"f", "v"});
  CHECK(lag("new") == 5);
  ConsumerGroup* group = stream.find_group("new");
  stream.advance_group(group, {1, 0});
  CHECK(group->entries_read == 1);
  stream.advance_group(group, {2, 0});
  CHECK(group->entries_read == 2);
  CHECK(lag("new") == 3);
  REQUIRE(stream.erase({4, 0}));
  CHECK(lag("new") == std::nullopt);  // whether 4-0 was to come is not recorded
  stream.advance_group(group, {3, 0});
  CHECK(group->entries_read == ConsumerGroup::kEntriesReadUnknown);
  stream.advance_group(group, {5, 0});
  CHECK(group->entries_read == 5);
  CHECK(lag("new") == 0);
  REQUIRE(stream.erase({1, 0}));
  REQUIRE(stream.erase({2, 0}));
  CHECK(stream.estimate_entries_read({5, 0}) == 5);
  CHECK(stream.estimate_entries_read({6, 0}) == ConsumerGroup::kEntriesReadUnknown);
}

TEST_CASE("References of groups") {
  Stream stream;
  add(&stream, {1, 0}, {"f", "v"});
  add(&stream, {2, 0}, {"f", "v"});
  CHECK_FALSE(stream.referenced_by_groups({1, 0}));
  ConsumerGroup* group = stream.create_group("g", {}, 0);
  CHECK(stream.referenced_by_groups({1, 0}));
  stream.advance_group(group, {1, 0});
  group->deliver({1, 0}, group->create_consumer("c", 0), 0);
  CHECK(stream.referenced_by_groups({1, 0}));
  CHECK(stream.referenced_by_groups({2, 0}));
  CHECK(stream.forget_references({1, 0}));
  CHECK_FALSE(stream.forget_references({1, 0}));
  CHECK_FALSE(stream.referenced_by_groups({1, 0}));
  CHECK(stream.destroy_group("g"));
  CHECK_FALSE(stream.destroy_group("g"));
}

TEST_CASE("Blocks are Redis's bytes") {
  // From DUMP of redis-server 7.0: XADD 5-3 name x 12 y, 5-4 name 1000 12 "", 1000-0 other 70000; XDEL 5-4.
  Stream stream;
  add(&stream, {5, 3}, {"name", "x", "12", "y"});
  add(&stream, {5, 4}, {"name", "1000", "12", ""});
  add(&stream, {1000, 0}, {"other", "70000"});
  REQUIRE(stream.erase({5, 4}));
  const std::string_view raw = stream.blocks().front().view().raw();
  std::string hex;
  for (const char byte : raw) {
    char pair[3];
    std::snprintf(pair, sizeof(pair), "%02x", static_cast<unsigned char>(byte));
    hex += pair;
  }
  CHECK(hex ==
        "4a0000001900020101010201846e616d65050c0100010201000100018178028179020501030100010101c3e802800105010001c3e302df"
        "fd020101856f7468657206f2701101040601ff");
  CHECK(stream_block_validate(raw));
}

TEST_CASE("Validation refuses blocks that do not hold together") {
  Stream stream;
  for (uint64_t i = 1; i <= 4; ++i) add(&stream, {i, 0}, {"f", "v", "g", "w"});
  add(&stream, {9, 0}, {"other", "1"});
  REQUIRE(stream.erase({2, 0}));
  const std::string good(stream.blocks().front().view().raw());
  REQUIRE(stream_block_validate(good));
  Stream loaded;
  CHECK(loaded.load_block({1, 0}, good));
  CHECK_FALSE(loaded.load_block({1, 0}, good));
  CHECK_FALSE(loaded.load_totals({.length = 5, .first_id = {}, .last_id = {9, 0}, .max_deleted_id = {}}));
  CHECK_FALSE(loaded.load_totals({.length = 4, .first_id = {}, .last_id = {0, 5}, .max_deleted_id = {}}));
  const Stream::Totals totals = loaded.totals_before_redis7(4, {9, 0});
  CHECK(totals.first_id == StreamId{1, 0});
  CHECK(totals.entries_added == 4);
  CHECK(loaded.load_totals(totals));

  // Any damage is refused or harmless: what validates can be walked and changed.
  Random& random = thread_random();
  for (int step = 0; step < 100000; ++step) {
    std::string bad = good;
    for (uint64_t i = 0; i <= random.below(3); ++i) bad[random.below(bad.size())] = static_cast<char>(random.next());
    Stream damaged;
    if (!damaged.load_block({1, 0}, bad)) continue;
    for (const auto direction : {StreamCursor::Direction::kForward, StreamCursor::Direction::kReverse}) {
      StreamCursor cursor(damaged, StreamId::min(), StreamId::max(), direction);
      while (cursor.next()) read(cursor.entry());
    }
    for (uint64_t i = 0; i < 10; ++i) damaged.erase({i, 0});
    damaged.trim({.strategy = StreamTrim::Strategy::kMaxLen, .approximate = false, .limit = 0, .length_max = 1});
  }
}

TEST_CASE("Radix tree nodes as Redis counts them") {
  const auto nodes = [](std::initializer_list<StreamId> ids) {
    Stream stream;
    for (const StreamId& id : ids) add(&stream, id, {"f", "v"}, {.bytes_max = 4096, .entries_max = 1});
    return stream.radix_tree_nodes();
  };
  CHECK(nodes({}) == 1);
  CHECK(nodes({{1, 0}}) == 2);
  CHECK(nodes({{1, 0}, {2, 0}}) == 6);
  CHECK(nodes({{1, 0}, {1, 1}}) == 4);
  CHECK(nodes({{1, 0}, {256, 0}, {65536, 0}}) == 9);
  CHECK(nodes({{1, 1}, {1, 2}, {2, 1}, {2, 300}}) == 12);
  CHECK(nodes({{0, 1}, {0, 2}, {0, 255}, {0, 256}, {0, 257}, {1, 0}, {9223372036854775808u, 5}}) == 16);
  CHECK(nodes({{0, 4294967296},
               {300, 65536},
               {70000, 65536},
               {1099511627776, 4294967296},
               {9223372036854775808u, 4294967296}}) == 16);
  CHECK(nodes({{0, 2},
               {1, 2},
               {1, 5},
               {1, 257},
               {300, 1},
               {300, 256},
               {70000, 2},
               {1099511627777, 2},
               {9223372036854775808u, 4294967296}}) == 28);
  CHECK(nodes({{0, 2},
               {0, 257},
               {2, 1},
               {2, 2},
               {2, 5},
               {300, 2},
               {300, 256},
               {70000, 1},
               {70000, 5},
               {1099511627776, 1},
               {1099511627776, 2},
               {1099511627776, 5},
               {1099511627776, 256},
               {9223372036854775808u, 2}}) == 38);
}
