#include "persistence/compressed_stream.h"

#include <lz4frame.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "server/base/assert.h"

namespace synap {

namespace {

constexpr size_t kStepBytes = 64 * 1024;
constexpr uint32_t kLz4Magic = 0x184D2204;

LZ4F_preferences_t lz4_preferences() {
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  return preferences;
}

}  // namespace

// --- Writing.

struct CompressedSink::State {
  explicit State(Compression how) : kind(how), preferences(lz4_preferences()) {
    if (kind == Compression::kLz4) {
      SYNAP_ASSERT(!LZ4F_isError(LZ4F_createCompressionContext(&lz4, LZ4F_VERSION)));
    } else {
      zstd = ZSTD_createCCtx();
      ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    }
  }
  ~State() {
    LZ4F_freeCompressionContext(lz4);
    ZSTD_freeCCtx(zstd);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const Compression kind;
  const LZ4F_preferences_t preferences;
  LZ4F_cctx* lz4 = nullptr;
  ZSTD_CCtx* zstd = nullptr;
};

CompressedSink::CompressedSink(Compression kind, ByteSink* target)
    : target_(target), state_(std::make_unique<State>(kind)) {
  buffer_.resize(kind == Compression::kLz4 ? LZ4F_compressBound(kStepBytes, &state_->preferences) : ZSTD_CStreamOutSize());
}

CompressedSink::~CompressedSink() = default;

Status CompressedSink::hand_on(size_t bytes_or_error) {
  if (LZ4F_isError(bytes_or_error)) return Status(StatusCode::kIoError, LZ4F_getErrorName(bytes_or_error));
  return bytes_or_error == 0 ? Status() : target_->write({buffer_.data(), bytes_or_error});
}

Status CompressedSink::begin() {
  if (std::exchange(begun_, true) || state_->kind != Compression::kLz4) return {};
  return hand_on(LZ4F_compressBegin(state_->lz4, buffer_.data(), buffer_.size(), &state_->preferences));
}

Status CompressedSink::write(std::string_view bytes) {
  Status status = begin();
  if (state_->kind == Compression::kLz4) {
    while (status.ok() && !bytes.empty()) {
      const std::string_view step = bytes.substr(0, kStepBytes);
      bytes.remove_prefix(step.size());
      status = hand_on(LZ4F_compressUpdate(state_->lz4, buffer_.data(), buffer_.size(), step.data(), step.size(), nullptr));
    }
    return status;
  }
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (status.ok() && in.pos < in.size) {
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    const size_t result = ZSTD_compressStream2(state_->zstd, &out, &in, ZSTD_e_continue);
    if (ZSTD_isError(result)) return Status(StatusCode::kIoError, ZSTD_getErrorName(result));
    status = hand_on(out.pos);
  }
  return status;
}

Status CompressedSink::finish() {
  Status status = begin();
  if (!status.ok()) return status;
  if (state_->kind == Compression::kLz4) {
    return hand_on(LZ4F_compressEnd(state_->lz4, buffer_.data(), buffer_.size(), nullptr));
  }
  ZSTD_inBuffer nothing{nullptr, 0, 0};
  for (size_t rest = 1; rest != 0 && status.ok();) {
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    rest = ZSTD_compressStream2(state_->zstd, &out, &nothing, ZSTD_e_end);
    if (ZSTD_isError(rest)) return Status(StatusCode::kIoError, ZSTD_getErrorName(rest));
    status = hand_on(out.pos);
  }
  return status;
}

// --- Reading.

struct MaybeCompressedSource::State {
  enum class Kind : uint8_t { kUnknown, kPlain, kLz4, kZstd };
  ~State() {
    LZ4F_freeDecompressionContext(lz4);
    ZSTD_freeDCtx(zstd);
  }
  void recognize(const char* bytes, size_t size) {
    uint32_t magic = 0;
    if (size >= sizeof magic) std::memcpy(&magic, bytes, sizeof magic);
    if (magic == kLz4Magic) {
      kind = Kind::kLz4;
      SYNAP_ASSERT(!LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)));
    } else if (magic == ZSTD_MAGICNUMBER) {
      kind = Kind::kZstd;
      zstd = ZSTD_createDCtx();
    } else {
      kind = Kind::kPlain;
    }
  }

  Kind kind = Kind::kUnknown;
  LZ4F_dctx* lz4 = nullptr;
  ZSTD_DCtx* zstd = nullptr;
  bool frame_open = true;
};

MaybeCompressedSource::MaybeCompressedSource(ByteSource* source)
    : source_(source), state_(std::make_unique<State>()), buffer_(kStepBytes) {}

MaybeCompressedSource::~MaybeCompressedSource() = default;

bool MaybeCompressedSource::refill() {
  const int64_t got = source_->read(buffer_.data(), buffer_.size());
  at_ = 0;
  end_ = got > 0 ? static_cast<size_t>(got) : 0;
  return got >= 0;
}

int64_t MaybeCompressedSource::read(char* out, size_t size) {
  for (;;) {
    if (at_ == end_ && !refill()) return -1;
    if (state_->kind == State::Kind::kUnknown) state_->recognize(buffer_.data(), end_);
    if (state_->kind == State::Kind::kPlain) {
      const size_t step = std::min(size, end_ - at_);
      std::memcpy(out, buffer_.data() + at_, step);
      at_ += step;
      return static_cast<int64_t>(step);
    }
    const bool at_end = end_ == 0;
    if (at_end && !state_->frame_open) return 0;
    size_t written = size;
    size_t consumed = end_ - at_;
    if (state_->kind == State::Kind::kLz4) {
      const size_t hint = LZ4F_decompress(state_->lz4, out, &written, buffer_.data() + at_, &consumed, nullptr);
      if (LZ4F_isError(hint)) return -1;
      state_->frame_open = hint != 0;
    } else {
      ZSTD_inBuffer in{buffer_.data() + at_, consumed, 0};
      ZSTD_outBuffer target{out, size, 0};
      const size_t hint = ZSTD_decompressStream(state_->zstd, &target, &in);
      if (ZSTD_isError(hint)) return -1;
      state_->frame_open = hint != 0;
      written = target.pos;
      consumed = in.pos;
    }
    at_ += consumed;
    if (written != 0) return static_cast<int64_t>(written);
    if (at_end) return -1;  // the file ends inside its frame
  }
}

}  // namespace synap
