#include "persistence/aof_reader.h"

#include <algorithm>
#include <cstring>

#include "persistence/aof_format.h"
#include "server/base/crc64.h"
#include "server/base/number.h"

namespace synap {

namespace {

constexpr size_t kLineMax = kAofAnnotationMax;
constexpr int64_t kBulkMax = INT64_MAX / 2;
constexpr std::string_view kRdbMagic = "REDIS";

}  // namespace

Result<bool> begins_with_rdb(FileSystem* files, const std::string& path) {
  auto file = files->open(path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  char magic[kRdbMagic.size()];
  size_t got = 0;
  const Status status = (*file)->read(magic, sizeof magic, &got);
  if (!status.ok()) return status;
  return std::string_view(magic, got) == kRdbMagic;
}

AofReader::Next AofReader::damaged(std::string_view why) {
  error_ = why;
  return Next::kDamaged;
}

void AofReader::passed(size_t size) {
  valid_line_ += static_cast<uint64_t>(std::count(buffer_.data() + at_, buffer_.data() + at_ + size, '\n'));
  at_ += size;
  valid_offset_ = offset();
}

AofReader::Next AofReader::need(size_t size) {
  if (end_ - at_ >= size) return Next::kCommand;
  if (size > file_bytes_ - offset()) return Next::kTorn;  // before memory is asked for
  std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
  buffer_offset_ += at_;
  end_ -= at_;
  at_ = 0;
  if (buffer_.size() < size) buffer_.resize(std::max(size, buffer_.size() * 2));
  while (end_ < size) {
    size_t got = 0;
    const Status status = file_->read(buffer_.data() + end_, buffer_.size() - end_, &got);
    if (!status.ok()) {
      error_ = status.detail();
      return Next::kIoError;
    }
    if (got == 0) return Next::kTorn;
    end_ += got;
  }
  return Next::kCommand;
}

bool AofReader::skip_preamble() {
  started_ = true;
  while (offset() < begin_) {
    const auto step = static_cast<size_t>(std::min<uint64_t>(begin_ - offset(), kBufferBytes));
    if (need(step) != Next::kCommand) return false;
    at_ += step;
  }
  valid_offset_ = begin_;
  return true;
}

AofReader::Next AofReader::next(Args* args) {
  if (!started_ && !skip_preamble()) return Next::kIoError;
  for (;;) {
    if (offset() == file_bytes_) return Next::kEnd;
    const Next more = need(1);
    if (more != Next::kCommand) return more;
    switch (buffer_[at_]) {
      case '*':
        return read_command(args);
      case '#': {
        const Next outcome = read_annotation();
        if (outcome != Next::kCommand) return outcome;
        break;
      }
      default:
        return torn_if_zeros(0, "a command or annotation should begin here");
    }
  }
}

AofReader::Next AofReader::torn_if_zeros(size_t from, std::string_view why) {
  const uint64_t failed_at = offset();
  for (;;) {
    if (offset() + from >= file_bytes_) return Next::kTorn;
    const size_t step = static_cast<size_t>(std::min<uint64_t>(file_bytes_ - offset() - from, kBufferBytes));
    const Next more = need(from + step);
    if (more != Next::kCommand) return more;
    const char* const begin = buffer_.data() + at_ + from;
    if (!std::all_of(begin, begin + step, [](char c) { return c == '\0'; })) break;
    at_ += from + step;
    from = 0;
  }
  error_ = std::string(why) + " (offset " + std::to_string(failed_at) + ")";
  return Next::kDamaged;
}

AofReader::Next AofReader::line(size_t from, std::string_view* text, size_t* after) {
  for (size_t size = 1;; ++size) {
    if (size > kLineMax) return damaged("a line is too long");
    const Next more = need(from + size);
    if (more != Next::kCommand) return more;
    const char* const begin = buffer_.data() + at_ + from;
    if (begin[size - 1] == '\0') return torn_if_zeros(from + size - 1, "a zero byte in a line");
    if (begin[size - 1] != '\n') continue;
    if (size == 1 || begin[size - 2] != '\r') return damaged("a line does not end in CR LF");
    *text = {begin, size - 2};
    *after = from + size;
    return Next::kCommand;
  }
}

AofReader::Next AofReader::number(size_t from, char mark, int64_t min, int64_t max, int64_t* value, size_t* after) {
  std::string_view text;
  const Next found = line(from, &text, after);
  if (found != Next::kCommand) return found;
  if (text.empty() || text[0] != mark || !parse_int64(text.substr(1), value) || *value < min || *value > max) {
    return damaged(std::string("no valid count after '") + mark + "'");
  }
  return Next::kCommand;
}

AofReader::Next AofReader::read_annotation() {
  std::string_view text;
  size_t after = 0;
  const Next found = line(0, &text, &after);
  if (found != Next::kCommand) return found;
  const AofAnnotation annotation = parse_aof_annotation(text, offset() == timestamp_end_ ? timestamp_s_ : 0);
  const bool inside_batch = offset() < batch_end_;
  switch (annotation.kind) {
    case AofAnnotation::Kind::kTimestamp:
      timestamp_s_ = annotation.unix_s;
      timestamp_begin_ = offset();
      passed(after);
      timestamp_end_ = offset();
      return Next::kCommand;
    case AofAnnotation::Kind::kBatch:
      if (inside_batch) return damaged("a batch inside another");
      has_batches_ = true;
      at_ += after;
      return read_batch_header(annotation.batch_bytes, annotation.batch_crc);
    case AofAnnotation::Kind::kUnknown:
      return damaged("an annotation that is damaged or unknown");
  }
  return damaged("an annotation of no kind");
}

// The line was passed; valid_offset_ stays before it until the batch proves right.
AofReader::Next AofReader::read_batch_header(uint64_t bytes, uint64_t crc) {
  const Next more = need(static_cast<size_t>(bytes));
  if (more != Next::kCommand) return more;
  const std::string_view batch(buffer_.data() + at_, static_cast<size_t>(bytes));
  if (crc64(0, batch) != crc) {
    // What was written last may have got there in part, with zeros from there to the file's end. Anything else is damage.
    const size_t text = batch.find_last_not_of('\0') + 1;
    if (text == batch.size()) return damaged("a batch does not match its CRC");
    return torn_if_zeros(text, "a batch does not match its CRC");
  }
  batch_end_ = offset() + bytes;
  return Next::kCommand;
}

AofReader::Next AofReader::read_command(Args* args) {
  int64_t count = 0;
  size_t at = 0;
  Next outcome = number(0, '*', 1, kArgumentsMax, &count, &at);
  if (outcome != Next::kCommand) return outcome;
  places_.clear();
  for (int64_t i = 0; i < count; ++i) {
    int64_t size = 0;
    outcome = number(at, '$', 0, kBulkMax, &size, &at);
    if (outcome != Next::kCommand) return outcome;
    outcome = need(at + static_cast<size_t>(size) + 2);
    if (outcome != Next::kCommand) return outcome;
    places_.emplace_back(at, static_cast<size_t>(size));
    at += static_cast<size_t>(size);
    if (std::memcmp(buffer_.data() + at_ + at, "\r\n", 2) != 0) return torn_if_zeros(at, "an argument does not end in CR LF");
    at += 2;
  }
  if (offset() < batch_end_ && offset() + at > batch_end_) return damaged("a command reaches beyond its batch");
  views_.clear();
  for (const auto& [begin, size] : places_) views_.emplace_back(buffer_.data() + at_ + begin, size);
  *args = Args(views_);
  passed(at);
  return Next::kCommand;
}

}  // namespace synap
