// Options of memory, data types and scripts.
#include "server/keyspace/defragmenter.h"
#include "server/options_list.h"

namespace synap {
namespace {

constexpr OptionName kPolicies[] = {{"volatile-lru", static_cast<int64_t>(MaxmemoryPolicy::kVolatileLru)},
                                    {"volatile-lfu", static_cast<int64_t>(MaxmemoryPolicy::kVolatileLfu)},
                                    {"volatile-random", static_cast<int64_t>(MaxmemoryPolicy::kVolatileRandom)},
                                    {"volatile-ttl", static_cast<int64_t>(MaxmemoryPolicy::kVolatileTtl)},
                                    {"allkeys-lru", static_cast<int64_t>(MaxmemoryPolicy::kAllkeysLru)},
                                    {"allkeys-lfu", static_cast<int64_t>(MaxmemoryPolicy::kAllkeysLfu)},
                                    {"allkeys-random", static_cast<int64_t>(MaxmemoryPolicy::kAllkeysRandom)},
                                    {"noeviction", static_cast<int64_t>(MaxmemoryPolicy::kNoEviction)}};
constexpr OptionName kValueCompressions[] = {{"no", static_cast<int64_t>(Compression::kNo)},
                                             {"lz4", static_cast<int64_t>(Compression::kLz4)},
                                             {"zstd", static_cast<int64_t>(Compression::kZstd)}};
constexpr OptionName kBusyScopes[] = {{"server", static_cast<int64_t>(BusyScope::kServer)},
                                      {"keys", static_cast<int64_t>(BusyScope::kKeys)}};

// As Redis refuses it, where the allocator cannot say how full its slabs are.
const char* check_defrag(const Config& config) {
  return config.activedefrag && !Defragmenter::available()
             ? "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the "
               "one shipped by default with the Redis source distribution"
             : nullptr;
}

constexpr Option kRows[] = {
    memory_option("maxmemory", &Config::maxmemory, 0, kLongMax),
    choice_option("maxmemory-policy", choice_member<&Config::maxmemory_policy>(), kPolicies),
    number_option("maxmemory-samples", &Config::maxmemory_samples, 1, 64),
    number_option("maxmemory-eviction-tenacity", &Config::maxmemory_eviction_tenacity, 0, 100),
    number_option("lfu-log-factor", &Config::lfu_log_factor, 0, kIntMax),
    number_option("lfu-decay-time", &Config::lfu_decay_time, 0, kIntMax),
    number_option("active-expire-effort", &Config::active_expire_effort, 1, 10),
    boolean_option("activerehashing", &Config::activerehashing, kRemembered),
    boolean_option("lazyfree-lazy-eviction", &Config::lazyfree_lazy_eviction),
    boolean_option("lazyfree-lazy-expire", &Config::lazyfree_lazy_expire),
    boolean_option("lazyfree-lazy-server-del", &Config::lazyfree_lazy_server_del),
    boolean_option("lazyfree-lazy-user-del", &Config::lazyfree_lazy_user_del),
    boolean_option("lazyfree-lazy-user-flush", &Config::lazyfree_lazy_user_flush),
    boolean_option("jemalloc-bg-thread", &Config::jemalloc_bg_thread),
    boolean_option("activedefrag", &Config::activedefrag).checked(check_defrag),
    memory_option("active-defrag-ignore-bytes", &Config::active_defrag_ignore_bytes, 1, kLongMax),
    number_option("active-defrag-threshold-lower", &Config::active_defrag_threshold_lower, 0, 1000),
    number_option("active-defrag-threshold-upper", &Config::active_defrag_threshold_upper, 0, 1000),
    number_option("active-defrag-cycle-min", &Config::active_defrag_cycle_min, 1, 99),
    number_option("active-defrag-cycle-max", &Config::active_defrag_cycle_max, 1, 99),
    number_option("active-defrag-max-scan-fields", &Config::active_defrag_max_scan_fields, 1, kLongMax),

    number_option("hash-max-listpack-entries", &Config::hash_max_listpack_entries, 0, kLongMax)
        .aka("hash-max-ziplist-entries"),
    memory_option("hash-max-listpack-value", &Config::hash_max_listpack_value, 0, kLongMax)
        .aka("hash-max-ziplist-value"),
    number_option("list-max-listpack-size", &Config::list_max_listpack_size, kIntMin, kIntMax)
        .aka("list-max-ziplist-size"),
    number_option("list-compress-depth", &Config::list_compress_depth, 0, kIntMax),
    number_option("set-max-intset-entries", &Config::set_max_intset_entries, 0, kLongMax),
    number_option("set-max-listpack-entries", &Config::set_max_listpack_entries, 0, kLongMax),
    number_option("set-max-listpack-value", &Config::set_max_listpack_value, 0, kLongMax),
    number_option("zset-max-listpack-entries", &Config::zset_max_listpack_entries, 0, kLongMax)
        .aka("zset-max-ziplist-entries"),
    memory_option("zset-max-listpack-value", &Config::zset_max_listpack_value, 0, kLongMax)
        .aka("zset-max-ziplist-value"),
    memory_option("hll-sparse-max-bytes", &Config::hll_sparse_max_bytes, 0, kLongMax),
    memory_option("stream-node-max-bytes", &Config::stream_node_max_bytes, 0, kLongMax),
    number_option("stream-node-max-entries", &Config::stream_node_max_entries, 0, kLongMax),

    choice_option("value-compression", choice_member<&Config::value_compression>(), kValueCompressions),
    memory_option("value-compression-min-bytes", &Config::value_compression_min_bytes, 64, kLongMax),
    number_option("value-compression-level", &Config::value_compression_level, 1, 19),
    memory_option("hot-cache-size", &Config::hot_cache_size, 0, kLongMax),

    number_option("busy-reply-threshold", &Config::busy_reply_threshold, 0, kLongMax).aka("lua-time-limit"),
    choice_option("busy-scope", choice_member<&Config::busy_scope>(), kBusyScopes),
    boolean_option("lua-jit", &Config::lua_jit, kImmutable),
};

}  // namespace

const std::span<const Option> kDataOptions = kRows;

}  // namespace synap
