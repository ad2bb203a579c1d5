// Whole files compressed as LZ4 or Zstandard frames (rdbcompression lz4|zstd): what `lz4 -d` and `zstd -d` read, with a
// plain RDB file inside. Frames carry a checksum of their own.
// Formats: lz4_Frame_format.md, RFC 8878.
#pragma once

#include <memory>
#include <vector>

#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/command/config.h"

namespace synap {

class CompressedSink final : public ByteSink {
 public:
  // `kind`: kLz4 or kZstd.
  CompressedSink(Compression kind, ByteSink* target);
  ~CompressedSink();
  CompressedSink(const CompressedSink&) = delete;
  CompressedSink& operator=(const CompressedSink&) = delete;

  Status write(std::string_view bytes) override;
  // The frame's end.
  Status finish();

 private:
  struct State;
  Status begin();
  Status hand_on(size_t bytes_or_error);

  ByteSink* const target_;
  const std::unique_ptr<State> state_;
  std::vector<char> buffer_;
  bool begun_ = false;
};

// Passes plain files through; the first bytes decide.
class MaybeCompressedSource final : public ByteSource {
 public:
  explicit MaybeCompressedSource(ByteSource* source);
  ~MaybeCompressedSource();
  MaybeCompressedSource(const MaybeCompressedSource&) = delete;
  MaybeCompressedSource& operator=(const MaybeCompressedSource&) = delete;

  int64_t read(char* out, size_t size) override;

 private:
  struct State;
  bool refill();

  ByteSource* const source_;
  const std::unique_ptr<State> state_;
  std::vector<char> buffer_;
  size_t at_ = 0;
  size_t end_ = 0;
};

}  // namespace synap
