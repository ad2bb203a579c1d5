#include "datatypes/stream/id_chunks.h"

#include <doctest/doctest.h>

#include <map>

#include "server/base/random.h"

using namespace synap;

namespace {

struct Record {
  StreamId id;
  uint64_t value;
};

void check_equal(const IdChunks<Record>& chunks, const std::map<StreamId, uint64_t>& model) {
  REQUIRE(chunks.size() == model.size());
  auto at = chunks.begin();
  for (const auto& [id, value] : model) {
    REQUIRE(at != chunks.end());
    REQUIRE(chunks[at].id == id);
    REQUIRE(chunks[at].value == value);
    at = chunks.next(at);
  }
  REQUIRE(at == chunks.end());
  if (model.empty()) return;
  at = chunks.last();
  for (auto expected = model.rbegin(); expected != model.rend(); ++expected) {
    REQUIRE(chunks[at].id == expected->first);
    at = chunks.previous(at);
  }
  REQUIRE(at == chunks.end());
}

void check_seeks(const IdChunks<Record>& chunks, const std::map<StreamId, uint64_t>& model, const StreamId& id) {
  const auto above = model.lower_bound(id);
  const auto at = chunks.lower_bound(id);
  REQUIRE((at == chunks.end()) == (above == model.end()));
  if (above != model.end()) REQUIRE(chunks[at].id == above->first);

  auto below = model.upper_bound(id);
  const auto before = chunks.last_at_or_before(id);
  REQUIRE((before == chunks.end()) == (below == model.begin()));
  if (below != model.begin()) REQUIRE(chunks[before].id == (--below)->first);
}

}  // namespace

TEST_CASE("IdChunks agrees with a map under random changes") {
  Random& random = thread_random();
  for (const uint64_t id_range : {40u, 3000u, 100000u}) {
    IdChunks<Record> chunks;
    std::map<StreamId, uint64_t> model;
    for (int step = 0; step < 30000; ++step) {
      const StreamId id{random.below(id_range) / 4, random.below(4)};
      const bool shrinking = (step / 6000) % 2 == 1;
      if (random.below(10) < (shrinking ? 3u : 7u)) {
        REQUIRE(chunks.insert({id, id.ms * 7}) == model.emplace(id, id.ms * 7).second);
      } else {
        REQUIRE(chunks.erase_id(id) == (model.erase(id) == 1));
      }
      check_seeks(chunks, model, {random.below(id_range) / 4, random.below(4)});
      if (step % 1000 == 0) check_equal(chunks, model);
    }
    check_equal(chunks, model);
    check_equal(chunks.copy(), model);
    while (!model.empty()) {
      REQUIRE(chunks.erase_id(model.begin()->first));
      model.erase(model.begin());
      if (model.size() % 512 == 0) check_equal(chunks, model);
    }
  }
}

TEST_CASE("IdChunks as a queue stays compact") {
  IdChunks<Record> chunks;
  for (uint64_t i = 1; i <= 50; ++i) chunks.append({{i, 0}, i});
  for (uint64_t i = 51; i < 100000; ++i) {
    chunks.append({{i, 0}, i});
    REQUIRE(chunks.front().value == i - 50);
    chunks.erase(chunks.begin());
  }
  CHECK(chunks.memory_bytes() < 4 * IdChunks<Record>::kChunkItems * sizeof(Record));

  IdChunks<Record> long_run;
  for (uint64_t i = 0; i < 100000; ++i) long_run.append({{i, 0}, i});
  CHECK(long_run.memory_bytes() < 100000 * (sizeof(Record) + 1));
}
