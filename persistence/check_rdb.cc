#include "persistence/check_rdb.h"

#include <cstdio>

#include "persistence/compressed_stream.h"
#include "persistence/file_stream.h"
#include "persistence/rdb_file.h"
#include "server/base/clock.h"
#include "server/command/config.h"

namespace synap {

namespace {

void print_at(uint64_t offset, const std::string& text) {
  std::printf("[offset %llu] %s\n", static_cast<unsigned long long>(offset), text.c_str());
}

struct PrintedTrace final : RdbLoadTrace {
  void note(uint64_t offset, const std::string& text) override { print_at(offset, text); }
};

void print_keys(const PrintedTrace& trace) {
  std::printf("[info] %llu keys read\n", static_cast<unsigned long long>(trace.keys));
  std::printf("[info] %llu expires\n", static_cast<unsigned long long>(trace.expires));
  std::printf("[info] %llu already expired\n", static_cast<unsigned long long>(trace.already_expired));
}

void print_error(const RdbReader& reader, const PrintedTrace& trace) {
  std::printf("--- RDB ERROR DETECTED ---\n");
  print_at(reader.offset(), reader.truncated() ? "Unexpected EOF reading RDB file: " + reader.error() : reader.error());
  std::printf("[additional info] While doing: %s\n", trace.type < 0 ? "read-type" : "read-object-value");
  if (trace.type >= 0) {
    std::printf("[additional info] Reading key '%s'\n", trace.key.c_str());
    std::printf("[additional info] Reading type %d\n", trace.type);
  }
  print_keys(trace);
}

}  // namespace

bool check_rdb_part(File* file, const std::string& name, uint64_t* end) {
  print_at(0, "Checking RDB file " + name);
  FileSource raw(file);
  MaybeCompressedSource source(&raw);
  RdbReader reader(&source, true);
  const Config config;
  PrintedTrace trace;
  RdbLoadOptions options(config);
  options.now_ms = wall_clock_ms();
  options.trace = &trace;
  Keyspace none(1);
  RdbLoadResult result;
  RdbProgress progress;
  const Status status = load_rdb(&reader, &none, options, &result, &progress);
  *end = reader.offset();
  if (!status.ok()) {
    print_error(reader, trace);
    return false;
  }
  print_at(*end, trace.checksum_found ? "Checksum OK" : "RDB file was saved with checksum disabled: no check performed.");
  print_at(*end, "\\o/ RDB looks OK! \\o/");
  print_keys(trace);
  return true;
}

int check_rdb(FileSystem* files, const std::string& path) {
  auto file = files->open(path, FileSystem::Mode::kRead);
  if (!file.ok()) {
    std::printf("Cannot open file %s: %s\n", path.c_str(), file.status().detail().c_str());
    return 1;
  }
  uint64_t end = 0;
  return check_rdb_part(file->get(), path, &end) ? 0 : 1;
}

}  // namespace synap
