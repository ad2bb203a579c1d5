// INFO compression: what value-compression saves, and how often hot values were found decompressed.
#include "server/admin/info_commands.h"
#include "server/keyspace/hot_values.h"
#include "server/keyspace/packed_value.h"

namespace synap {

void info_compression(Server& server, InfoWriter& info) {
  static constexpr std::string_view kNames[] = {"no", "lzf", "lz4", "zstd"};
  const Config& config = server.config->current();
  const PackingTotals totals = packing_totals();
  const HotValues::Figures hot = server.hot_values->figures();
  info.text("value_compression", kNames[static_cast<size_t>(config.value_compression)]);
  info.number("compressed_values", totals.values);
  info.number("compressed_raw_bytes", totals.raw_bytes);
  info.number("compressed_bytes", totals.packed_bytes);
  info.fixed("compression_ratio",
             totals.packed_bytes == 0 ? 0 : static_cast<double>(totals.raw_bytes) / static_cast<double>(totals.packed_bytes));
  info.number("hot_cache_bytes", hot.bytes);
  info.number("hot_cache_values", hot.values);
  info.number("hot_cache_hits", hot.hits);
  info.number("hot_cache_misses", hot.misses);
}

}  // namespace synap
