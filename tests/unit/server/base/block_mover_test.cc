#include "server/base/block_mover.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "datatypes/hash/hash.h"
#include "datatypes/list/list.h"
#include "datatypes/set/set.h"
#include "datatypes/stream/stream.h"
#include "datatypes/zset/zset.h"
#include "server/base/random.h"
#include "server/keyspace/defragmenter.h"
#include "tests/unit/server/base/shaker.h"

namespace synap {

namespace {

template <class Container>
void shake(Container& container, Shaker& shaker) {
  uint64_t cursor = 0;
  do {
    cursor = container.relocate(cursor, 100, shaker);
  } while (cursor != 0);
}

}  // namespace

TEST_CASE("Containers of every size and encoding survive the move of their blocks, between changes") {
  for (const size_t size : {size_t{1}, size_t{20}, size_t{300}, size_t{5000}}) {
    Shaker shaker;
    Set texts, numbers;
    Hash hash;
    Zset zset;
    List list;
    const ListLimits list_limits;
    Stream stream;
    ConsumerGroup* group = stream.create_group("group", {}, 0);
    StreamConsumer* alice = group->create_consumer("alice", 0);
    StreamConsumer* bob = group->create_consumer("bob", 0);
    uint64_t last_id = 0;
    std::set<std::string> members;
    std::set<std::string> timed;  // fields of the hash
    std::map<std::string, double> scores;
    std::vector<std::string> elements;
    for (int round = 0; round < 4; ++round) {
      for (size_t i = 0; i < size; ++i) {
        const std::string name = "member:" + std::to_string(thread_random().below(size * 3));
        members.insert(name);
        texts.add(name, {});
        numbers.add(std::to_string(name.size() * 1000 + i), {});
        hash.set(name, "value of " + name, {});
        timed.erase(name);
        if (i % 7 == 0) {
          hash.set_expiry(name, 1000000 + static_cast<int64_t>(i));
          timed.insert(name);
        }
        const std::string_view pair[] = {"field", name};
        const StreamId id{0, ++last_id};
        stream.append(id, pair, {.bytes_max = 4096, .entries_max = 5});
        group->deliver(id, i % 3 == 0 ? bob : alice, 1);
        scores[name] = static_cast<double>(i % 10);
        double score;
        zset.add(name, scores[name], {}, {}, &score);
        elements.push_back(name + std::string(i % 50, 'x'));
        list.push(List::End::kTail, elements.back(), list_limits);
      }
      shake(texts, shaker);
      shake(numbers, shaker);
      shake(hash, shaker);
      shake(zset, shaker);
      shake(list, shaker);
      shake(stream, shaker);
      zset.check();
      // In order through the leaves' links, which a walk follows.
      size_t ranked = 0;
      for (Zset::Iterator at = zset.begin(); at.valid(); at.next()) ++ranked;
      CHECK(ranked == zset.size());
      StreamCursor cursor(stream, {0, 0}, {UINT64_MAX, UINT64_MAX});
      for (uint64_t expected = 1; expected <= last_id; ++expected) {
        REQUIRE(cursor.next());
        CHECK(cursor.entry().id == StreamId{0, expected});
        CHECK(group->find_pending({0, expected}) != nullptr);
      }
      CHECK(!cursor.next());
      CHECK(group->owners_complete());
      CHECK(texts.size() == members.size());
      CHECK(hash.length() == members.size());
      CHECK(zset.size() == members.size());
      for (const std::string& name : members) {
        CHECK(texts.contains(name));
        HashValue found;
        REQUIRE(hash.get(name, 0, &found));
        CHECK(zset.score(name) == scores[name]);
      }
      CHECK(list.length() == elements.size());
      List::Iterator iterator(list);
      ListpackValue value;
      for (const std::string& element : elements) {
        REQUIRE(iterator.next(&value));
        ListpackValue::Scratch scratch;
        REQUIRE(value.text(scratch) == element);
      }
      const std::string gone = *members.begin();
      members.erase(gone);
      scores.erase(gone);
      timed.erase(gone);
      CHECK(texts.remove(gone));
      CHECK(hash.remove(gone));
      CHECK(zset.remove(gone));
    }
    const size_t expired = hash.expire_due(2000000, SIZE_MAX, [&](std::string_view field) { CHECK(timed.erase(std::string(field)) == 1); });
    CHECK((expired > 0) == (size > 1));
    CHECK(timed.empty());
    CHECK(shaker.moved > 0);
  }
}

TEST_CASE("Moving what lies in half-empty slabs gives their memory back") {
  if (!Defragmenter::available()) return;
  constexpr size_t kBlocks = 200000;
  constexpr size_t kBytes = 100;
  std::vector<char*> blocks;
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(static_cast<char*>(std::malloc(kBytes)));
    std::memset(blocks.back(), static_cast<int>(i % 251), kBytes);
  }
  for (size_t i = 0; i < kBlocks; ++i) {
    if (i % 5 != 0) std::free(std::exchange(blocks[i], nullptr));
  }
  Defragmenter defragmenter;
  Defragmenter::flush_thread_cache();
  for (char*& block : blocks) {
    if (block != nullptr) block = defragmenter.moved(block);
  }
  CHECK(defragmenter.hits() > kBlocks / 5 / 2);
  // Nearly all are in full slabs now: a second round finds little.
  const uint64_t hits = defragmenter.hits();
  for (char*& block : blocks) {
    if (block != nullptr) block = defragmenter.moved(block);
  }
  CHECK(defragmenter.hits() - hits < kBlocks / 5 / 20);
  for (size_t i = 0; i < kBlocks; ++i) {
    if (blocks[i] == nullptr) continue;
    CHECK(static_cast<unsigned char>(blocks[i][kBytes - 1]) == i % 251);
    std::free(blocks[i]);
  }
}

}  // namespace synap
