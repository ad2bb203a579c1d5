#include "datatypes/encoding/ziplist.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "datatypes/encoding/zipmap.h"

namespace synap {
namespace {

// A small writer of the old format, enough to make every kind of entry.
class ZiplistBuilder {
 public:
  void add_encoded(const std::string& encoding_and_data) {
    tail_ = 10 + body_.size();
    std::string entry;
    if (previous_ < 254) {
      entry.push_back(static_cast<char>(previous_));
    } else {
      entry.push_back(static_cast<char>(0xFE));
      append_u32(&entry, previous_);
    }
    entry += encoding_and_data;
    previous_ = entry.size();
    body_ += entry;
    ++count_;
  }
  void add_text(const std::string& text) {
    const size_t size = text.size();
    std::string head;
    if (size < 64) {
      head.push_back(static_cast<char>(size));
    } else if (size < 16384) {
      head.push_back(static_cast<char>(0x40 | (size >> 8)));
      head.push_back(static_cast<char>(size & 0xFF));
    } else {
      head.push_back(static_cast<char>(0x80));
      for (int shift = 24; shift >= 0; shift -= 8) head.push_back(static_cast<char>(size >> shift));
    }
    add_encoded(head + text);
  }
  std::string finish() const {
    std::string out;
    append_u32(&out, 10 + body_.size() + 1);
    append_u32(&out, tail_);
    out.push_back(static_cast<char>(count_ & 0xFF));
    out.push_back(static_cast<char>(count_ >> 8));
    return out + body_ + '\xFF';
  }

 private:
  static void append_u32(std::string* out, size_t value) {
    for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(value >> shift));
  }
  std::string body_;
  size_t previous_ = 0;
  size_t tail_ = 10;
  size_t count_ = 0;
};

std::vector<std::string> read_all(std::string_view bytes, ReadStep* last) {
  ZiplistReader reader(bytes);
  std::vector<std::string> out;
  ListpackValue value;
  while ((*last = reader.next(&value)) == ReadStep::kValue) out.push_back(value.to_string());
  return out;
}

std::string sample() {
  ZiplistBuilder builder;
  builder.add_text("hello");
  builder.add_encoded("\xF1");
  builder.add_encoded("\xFD");
  builder.add_encoded(std::string("\xFE\x80", 2));
  builder.add_encoded(std::string("\xC0\x00\x80", 3));
  builder.add_encoded(std::string("\xF0\x01\x00\xFF", 4));
  builder.add_encoded(std::string("\xD0\xFF\xFF\xFF\x7F", 5));
  builder.add_encoded(std::string("\xE0\x00\x00\x00\x00\x00\x00\x00\x80", 9));
  builder.add_text(std::string(300, 'm'));
  builder.add_text(std::string(20000, 'l'));
  builder.add_text("");
  return builder.finish();
}

TEST_CASE("ziplist: every encoding is read") {
  ReadStep last;
  const auto values = read_all(sample(), &last);
  CHECK(last == ReadStep::kEnd);
  CHECK(values == std::vector<std::string>{"hello", "0", "12", "-128", "-32768", "-65535", "2147483647",
                                           "-9223372036854775808", std::string(300, 'm'), std::string(20000, 'l'), ""});
  size_t count = 0;
  CHECK(ZiplistReader::validate(sample(), true, &count));
  CHECK(count == 11);
  const std::string documented("\x0f\0\0\0\x0c\0\0\0\x02\0\0\xf3\x02\xf6\xff", 15);
  CHECK(ZiplistReader::validate(documented, true, &count));
  CHECK(read_all(documented, &last) == std::vector<std::string>{"2", "5"});
}

TEST_CASE("ziplist: corrupt bytes never read outside") {
  Random& random = thread_random();
  ZiplistBuilder builder;
  for (int i = 0; i < 5; ++i) builder.add_text(std::string(static_cast<size_t>(i) * 70, 'x'));
  builder.add_encoded(std::string("\xE0\x00\x00\x00\x00\x00\x00\x00\x80", 9));
  const std::string good = builder.finish();
  size_t refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<char> bytes(good.begin(), good.end());
    for (size_t i = 1 + random.below(3); i > 0; --i) {
      bytes[random.below(i == 1 ? 30 : bytes.size())] = static_cast<char>(random.next());
    }
    if (random.below(3) == 0) bytes.resize(random.below(bytes.size()));
    const std::vector<char> exact(bytes);
    ReadStep last;
    read_all({exact.data(), exact.size()}, &last);
    if (!ZiplistReader::validate({exact.data(), exact.size()}, true)) ++refused;
  }
  CHECK(refused > 10000);
}

TEST_CASE("zipmap: fields and values are read, corrupt bytes refused") {
  const std::string good(
      "\x02\x03"
      "foo\x03\x01"
      "bar?\x05"
      "hello\xFE\x05\0\0\0\0world\xff",
      29);
  ZipmapReader reader(good);
  std::string_view field;
  std::string_view value;
  REQUIRE(reader.next(&field, &value) == ReadStep::kValue);
  CHECK(field == "foo");
  CHECK(value == "bar");
  REQUIRE(reader.next(&field, &value) == ReadStep::kValue);
  CHECK(field == "hello");
  CHECK(value == "world");
  CHECK(reader.next(&field, &value) == ReadStep::kEnd);
  CHECK(ZipmapReader::validate(good));
  CHECK_FALSE(ZipmapReader::validate(std::string("\0\xFF", 2)));

  Random& random = thread_random();
  for (int round = 0; round < 20000; ++round) {
    std::vector<char> bytes(good.begin(), good.end());
    bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    if (random.below(2) == 0) bytes.resize(random.below(bytes.size()));
    const std::vector<char> exact(bytes);
    ZipmapReader walker({exact.data(), exact.size()});
    size_t total = 0;
    while (walker.next(&field, &value) == ReadStep::kValue) total += field.size() + value.size();
    REQUIRE(total <= exact.size());
    ZipmapReader::validate({exact.data(), exact.size()});
  }
}

}  // namespace
}  // namespace synap
