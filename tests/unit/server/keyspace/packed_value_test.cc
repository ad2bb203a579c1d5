#include "server/keyspace/packed_value.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "server/base/random.h"
#include "server/command/context.h"
#include "server/keyspace/hot_values.h"
#include "server/keyspace/type_ops.h"

namespace synap {

namespace {

std::string text_of(size_t size) {
  std::string text;
  while (text.size() < size) text += "{\"id\":" + std::to_string(text.size()) + ",\"state\":\"waiting\"},";
  text.resize(size);
  return text;
}

std::string noise_of(size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(thread_random().next());
  return bytes;
}

PackedValue* packed(const std::string& bytes) { return PackedValue::pack(bytes, {.codec = ValueCodec::kLz4, .level = 1}); }

}  // namespace

TEST_CASE("Packing gives the same bytes back, with every codec, level and size") {
  const PackingTotals before = packing_totals();
  for (const ValueCodec codec : {ValueCodec::kLz4, ValueCodec::kZstd}) {
    for (const int level : {1, 2, 3, 9, 19}) {
      for (const size_t size : {size_t{200}, size_t{1000}, size_t{16384}, size_t{100000}, size_t{3000000}}) {
        if (level == 19 && size > 100000) continue;
        const std::string text = text_of(size);
        PackedValue* value = PackedValue::pack(text, {.codec = codec, .min_bytes = 64, .level = level});
        REQUIRE(value != nullptr);
        CHECK(value->raw_bytes() == size);
        CHECK(value->heap_bytes() <= size - size / 8);
        CHECK(value->unpack().view() == text);
        PackedValue* copy = value->copy();
        CHECK(copy->id() == value->id());
        PackedValue::free(value);
        CHECK(copy->unpack().view() == text);
        PackedValue::free(copy);
      }
    }
  }
  CHECK(packing_totals().values == before.values);
  CHECK(packing_totals().raw_bytes == before.raw_bytes);
  CHECK(packing_totals().packed_bytes == before.packed_bytes);
}

TEST_CASE("What saves less than an eighth stays raw") {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{16}, size_t{64}, size_t{5000}, size_t{200000}}) {
    for (const ValueCodec codec : {ValueCodec::kLz4, ValueCodec::kZstd}) {
      CHECK(PackedValue::pack(noise_of(size), {.codec = codec, .min_bytes = 1, .level = 1}) == nullptr);
    }
  }
  // A fifth of it can be compressed away, a tenth cannot.
  const std::string noise = noise_of(8000);
  PackedValue* value = packed(noise + std::string(2000, 'x'));
  REQUIRE(value != nullptr);
  PackedValue::free(value);
  CHECK(packed(noise + std::string(800, 'x')) == nullptr);
}

TEST_CASE("Entries: only long strings are packed, never integers; copies and frees are counted") {
  const ValuePacking packing{.codec = ValueCodec::kLz4, .min_bytes = 100, .level = 1};
  const auto storage_of = [&](const std::string& value) {
    Entry* entry = Entry::make(string_parts("key", value, kNoExpiry, 0, packing));
    const Storage storage = entry->storage();
    StringRef read;
    Context::open_string(*entry, &read);
    CHECK(read.view() == value);
    CHECK(string_length(entry) == value.size());
    Entry::Parts parts = entry->parts();
    if (!entry->is_inline()) parts.word = type_ops(entry).copy(entry);
    Entry* copy = Entry::make(parts);
    free_entry(entry);
    StringRef again;
    Context::open_string(*copy, &again);
    CHECK(again.view() == value);
    free_entry(copy);
    return storage;
  };
  const size_t before = packing_totals().values;
  CHECK(storage_of(text_of(99)) == Storage::kRaw);
  CHECK(storage_of(text_of(200)) == Storage::kPacked);
  CHECK(storage_of(text_of(5000)) == Storage::kPacked);
  CHECK(storage_of(noise_of(200)) == Storage::kRaw);
  CHECK(storage_of(noise_of(5000)) == Storage::kBlock);
  CHECK(storage_of("1234567890") == Storage::kInt);
  CHECK(packing_totals().values == before);
}

TEST_CASE("Hot values: kept at the second miss, within the capacity, the unused go first") {
  HotValues hot;
  std::vector<PackedValue*> values;
  std::vector<std::string> texts;
  for (size_t i = 0; i < 400; ++i) {
    texts.push_back(std::to_string(i) + text_of(2000));
    values.push_back(packed(texts.back()));
  }
  CHECK(hot.read(*values[0]).view() == texts[0]);
  CHECK(hot.read(*values[0]).view() == texts[0]);
  CHECK(hot.figures().bytes == 0);  // no capacity: nothing is kept

  hot.set_capacity(1 << 20);
  for (int i = 0; i < 3; ++i) CHECK(hot.read(*values[0]).view() == texts[0]);
  CHECK(hot.figures().hits == 1);
  CHECK(hot.figures().misses == 2);
  CHECK(hot.figures().values == 1);
  for (int round = 0; round < 4; ++round) {
    for (size_t i = 0; i < 400; ++i) {
      CHECK(hot.read(*values[i]).view() == texts[i]);
      CHECK(hot.read(*values[0]).view() == texts[0]);
      CHECK(hot.figures().bytes <= 1 << 20);
    }
  }
  CHECK(hot.figures().misses < 4 * 400);
  hot.reset_statistics();
  CHECK(hot.read(*values[0]).view() == texts[0]);
  CHECK(hot.figures().hits == 1);
  hot.set_capacity(100000);
  CHECK(hot.figures().bytes <= 100000);
  for (PackedValue* value : values) PackedValue::free(value);
}

TEST_CASE("Hot values are read by many threads at once") {
  HotValues hot;
  hot.set_capacity(200000);
  std::vector<PackedValue*> values;
  std::vector<std::string> texts;
  for (size_t i = 0; i < 100; ++i) {
    texts.push_back(std::to_string(i) + text_of(1500 + i));
    values.push_back(packed(texts.back()));
  }
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        const size_t index = thread_random().below(values.size());
        if (hot.read(*values[index]).view() != texts[index]) ++wrong;
        if (i % 5000 == 0) hot.set_capacity(100000 + static_cast<size_t>(i) * 10);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(hot.figures().hits > 0);
  for (PackedValue* value : values) PackedValue::free(value);
}

}  // namespace synap
