// Table: the hash table of the keyspace, of big sets and hashes, and of sorted sets' members.
//
// Shape. Buckets are cache lines of 8 slots. A slot is one 64-bit word: an item pointer (bits 3..47; items are
// 8-byte aligned), a 16-bit tag from the hash (bits 48..63) and, in the low bits, the item's `mark` (bit 1) and the
// bucket's `spilled` flag (bit 0, meaningful in slot 0 only). A lookup compares all tags of the home bucket at once; a
// miss touches that one line unless the bucket has spilled. Buckets lie in segments of 1..12 buckets (more only if hashes bunch); a directory of
// 2^depth words, indexed by the hash's top bits, names the segments (extendible hashing). A directory word holds the
// segment's address (64-byte aligned), its bucket count (low 6 bits) and its local depth (top 16 bits).
//
// Growth. An insert that finds no room in the home bucket and the next kProbe ones rebuilds its segment one size larger
// (1, 2, 3, 4, 6, 8, 12 buckets) or splits a full-size one in two: about 90 items move, so no operation is long at any
// size and memory grows evenly. Erasing shrinks and merges segments the same way.
//
// Order. Segment and bucket are the hash read as a fraction: everything lies in hash order at any size. A scan cursor is
// therefore a hash value, valid through growth and shrinking; an item present during the whole scan is returned.
//
// Threads. No locking here. Readers may run together; a writer must be alone, except that batched lookups may
// begin beside it: memory they might read is given to Traits::retire instead of being freed.
//
// Traits:
//   using Item = …;                                        malloc'd or otherwise 8-byte aligned
//   static uint64_t hash(const Item*);
//   static bool equals(const Item*, std::string_view key);
//   static void retire(void* memory);                      frees a directory or a segment (free() will do without readers)
//   static constexpr int kSkipBits;                        top hash bits that are the same for all items (shard index)
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

#include "server/base/assert.h"
#include "server/base/published.h"

namespace synap {

template <class Traits>
class Table {
  struct Bucket;

  // A decoded directory word.
  struct Segment {
    Bucket* buckets;
    size_t count;  // of buckets
    int depth;     // how many top bits all its items share

    size_t home(uint64_t hash) const {
      // The hash below skip and depth bits, as a fraction of the segment. Two shifts: depth may be 0, the sum below 64.
      const uint64_t fraction = hash << Traits::kSkipBits << depth;
      return static_cast<size_t>((static_cast<unsigned __int128>(fraction) * count) >> 64);
    }
  };

 public:
  using Item = typename Traits::Item;

  // Where the items of one hash lie: for the steps of a batched lookup. Good until the next insert or erase, or as
  // unlocked_home_of() says.
  class Home {
    friend class Table;
    Segment segment;
    size_t index;
  };

  // A place in the table that holds an item. Valid until the next insert or erase.
  class Slot {
   public:
    Item* item() const { return reinterpret_cast<Item*>(word() & kPointerMask); }
    bool mark() const { return (word() & kMarkBit) != 0; }

    // Puts another item with the same key in this place (a grown entry).
    void set_item(Item* item) { store((word() & ~kPointerMask) | address_of(item)); }
    void set_mark(bool mark) { store(mark ? word() | kMarkBit : word() & ~kMarkBit); }

   private:
    friend class Table;
    uint64_t word() const { return word_; }
    uint64_t unlocked_word() const { return __atomic_load_n(&word_, __ATOMIC_RELAXED); }
    void store(uint64_t word) { __atomic_store_n(&word_, word, __ATOMIC_RELAXED); }
    bool empty() const { return (word_ & kPointerMask) == 0; }

    uint64_t word_ = 0;
  };

  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  Table(Table&& other) noexcept { swap(other); }
  Table& operator=(Table&& other) noexcept {
    swap(other);
    return *this;
  }
  // Frees segments and directory; the items are the owner's to free first (for_each).
  ~Table() { release_memory(); }

  void swap(Table& other) noexcept {
    const uint64_t root = root_;  // whoever prefetches reads it without a lock
    __atomic_store_n(&root_, other.root_, __ATOMIC_RELEASE);
    __atomic_store_n(&other.root_, root, __ATOMIC_RELEASE);
    std::swap(size_, other.size_);
    std::swap(deepest_, other.deepest_);
    std::swap(bucket_count_, other.bucket_count_);
    std::swap(widest_, other.widest_);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Bytes of segments and directory. Like size(), any thread may ask.
  size_t memory_bytes() const {
    const uint64_t root = __atomic_load_n(&root_, __ATOMIC_RELAXED);
    return bucket_count_ * sizeof(Bucket) + (root == 0 ? 0 : (size_t{1} << depth_of(root)) * sizeof(uint64_t));
  }
  size_t slot_count() const { return bucket_count_ * kSlots; }

  // Null when absent.
  Slot* find(uint64_t hash, std::string_view key) {
    return const_cast<Slot*>(static_cast<const Table*>(this)->find(hash, key));
  }
  const Slot* find(uint64_t hash, std::string_view key) const {
    return root_ == 0 ? nullptr : find(home_of(hash), hash, key);
  }
  static const Slot* find(const Home& home, uint64_t hash, std::string_view key) {
    const Segment& segment = home.segment;
    size_t index = home.index;
    const Bucket* bucket = &segment.buckets[index];
    const Slot* slot = find_in(*bucket, hash, key);
    if (slot != nullptr || !bucket->spilled()) return slot;
    for (size_t step = 0; step < probes(segment); ++step) {
      index = next_index(segment, index);
      slot = find_in(segment.buckets[index], hash, key);
      if (slot != nullptr) return slot;
    }
    return nullptr;
  }

  Item* find_item(uint64_t hash, std::string_view key) const {
    const Slot* slot = find(hash, key);
    return slot == nullptr ? nullptr : slot->item();
  }

  // The key must be absent.
  Slot* insert(uint64_t hash, Item* item, bool mark = false) {
    if (root_ == 0) create(0, 1);
    for (;;) {
      Slot* slot = place(segment_of(hash), hash, address_of(item) | (mark ? kMarkBit : 0));
      if (slot != nullptr) {
        ++size_;
        return slot;
      }
      grow(hash);
    }
  }

  // Room for about n items in a table that has never held any, so that filling it builds few segments twice.
  void reserve(size_t n) {
    if (root_ != 0 || n == 0) return;
    int depth = 0;
    while ((n >> depth) > kReservedItems) ++depth;
    const size_t items = (n >> depth) + 1;
    size_t count = 1;
    while (count < kFullSize && count * kSlots * 3 < items * 4) count = larger(count);
    create(depth, count);
  }

  // Removes and returns the item, or null when absent. The item is now the caller's.
  Item* erase(uint64_t hash, std::string_view key) {
    Slot* slot = find(hash, key);
    if (slot == nullptr) return nullptr;
    return erase(slot, hash);
  }
  Item* erase(Slot* slot, uint64_t hash) {
    Item* item = slot->item();
    slot->store(slot->word() & kSpilledBit);
    --size_;
    if ((hash & kShrinkMask) == 0 || size_ == 0) shrink(hash);
    return item;
  }

  // Forgets everything; the items are the caller's (for_each first).
  void clear() {
    release_memory();
    size_ = 0;
  }

  // visit(Item*, bool mark) for every item, in memory order. The table must not change meanwhile.
  template <class Visit>
  void for_each(Visit visit) const {
    for_each_segment([&](const Segment& segment) {
      for (size_t b = 0; b < segment.count; ++b) {
        if (b + kAhead < segment.count) prefetch_items(segment.buckets[b + kAhead]);
        for (const Slot& slot : segment.buckets[b].slots) {
          if (!slot.empty()) visit(slot.item(), slot.mark());
        }
      }
    });
  }

  // visit(Slot&) for every item; the visitor may replace the item or its mark in place.
  template <class Visit>
  void for_each_slot(Visit visit) {
    for_each_segment([&](const Segment& segment) {
      for (size_t b = 0; b < segment.count; ++b) {
        for (Slot& slot : segment.buckets[b].slots) {
          if (!slot.empty()) visit(slot);
        }
      }
    });
  }

  // Visits the items of one home bucket, the one that holds `cursor`, and returns the cursor of the next, or 0 at the
  // end. Start with 0. A cursor is the top kCursorBits of a hash (without the skipped bits); any number is accepted.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const {
    if (root_ == 0) return 0;
    const uint64_t hash = cursor << (64 - kCursorBits) >> Traits::kSkipBits;
    const Segment segment = segment_of(hash);
    const size_t home = segment.home(hash);
    visit_home(segment, home, [&](const Slot& slot) { visit(slot.item()); });
    return next_cursor(segment, hash, home);
  }

  // Like scan, for maintenance: visits the slots that physically lie in the bucket, whose items with the mark set are
  // offered to visit(Item*). Does not touch unmarked items. Order and completeness are good enough for sampling.
  template <class Visit>
  uint64_t sample_marked(uint64_t cursor, Visit visit) const {
    if (root_ == 0) return 0;
    const uint64_t hash = cursor << (64 - kCursorBits) >> Traits::kSkipBits;
    const Segment segment = segment_of(hash);
    const size_t home = segment.home(hash);
    for (const Slot& slot : segment.buckets[home].slots) {
      if (!slot.empty() && slot.mark()) visit(slot.item());
    }
    return next_cursor(segment, hash, home);
  }

  // Active defragmentation, along a scan: moves the segment that begins at `cursor`, if one does, and with cursor 0 the
  // directory, where the mover (server/base/block_mover.h) wants them elsewhere. No slot lives on.
  template <class Mover>
  void move_memory(uint64_t cursor, Mover& mover) {
    if (root_ == 0) return;
    if (cursor == 0 && mover.wants(directory())) {
      uint64_t* old = directory();
      publish_root(static_cast<uint64_t*>(mover.copy(old)), depth());
      Traits::retire(old);
    }
    const uint64_t hash = cursor << (64 - kCursorBits) >> Traits::kSkipBits;
    const Segment old = segment_of(hash);
    if (old.home(hash) != 0 || !mover.wants(old.buckets)) return;
    const Segment fresh{static_cast<Bucket*>(mover.copy(old.buckets)), old.count, old.depth};
    SYNAP_ASSERT(reinterpret_cast<uint64_t>(fresh.buckets) % alignof(Bucket) == 0);
    set_segment(segment_begin(old, hash), fresh);
    Traits::retire(old.buckets);
  }

  // A uniformly chosen item; `next_random` gives 64 random bits a call. The table must not be empty.
  template <class NextRandom>
  Item* random(NextRandom next_random) const {
    SYNAP_ASSERT(size_ > 0);
    for (;;) {
      // Every slot of the largest layout is equally likely: a directory word counts only where its segment begins,
      // a slot only if the segment has it.
      const uint64_t bits = next_random();
      const size_t index = depth() == 0 ? 0 : bits >> (64 - depth());
      const Segment segment = segment_at(index);
      if ((index & (segment_span(segment) - 1)) != 0) continue;
      const size_t slot_index = static_cast<size_t>(((bits & 0xffffffffU) * (widest_ * kSlots)) >> 32);
      if (slot_index >= segment.count * kSlots) continue;
      const Slot& slot = segment.buckets[slot_index / kSlots].slots[slot_index % kSlots];
      if (!slot.empty()) return slot.item();
    }
  }

  // A batched lookup goes in stages, each for all its hashes before the next, so that their cache misses overlap: the words
  // of the directory, the lines of the home buckets, the items. All of this may run beside a writer. A home, which is empty
  // if the table was, may be read until what is retired meanwhile is freed.
  void prefetch_directory(uint64_t hash) const {
    const uint64_t root = __atomic_load_n(&root_, __ATOMIC_ACQUIRE);
    __builtin_prefetch(&directory_of(root)[index_in(root, hash)]);
  }
  Home unlocked_home_of(uint64_t hash) const {
    const uint64_t root = __atomic_load_n(&root_, __ATOMIC_ACQUIRE);
    Home home{};
    if (root == 0) return home;
    home.segment = decode(__atomic_load_n(&directory_of(root)[index_in(root, hash)], __ATOMIC_ACQUIRE));
    home.index = home.segment.home(hash);
    return home;
  }
  static const void* bucket_of(const Home& home) { return &home.segment.buckets[home.index]; }
  // The item that seems to be it, in the home bucket. Null: it is not there.
  static const Item* probable_item(const Home& home, uint64_t hash) {
    return home.segment.count == 0 ? nullptr : tagged_item(home.segment.buckets[home.index], tag_of(hash));
  }
  // False: nowhere else either. True: one of the next buckets may have it, the first of which is fetched; and that item, a
  // while later.
  static bool prefetch_if_spilled(const Home& home) {
    if (home.segment.count == 0) return false;
    if ((home.segment.buckets[home.index].slots[0].unlocked_word() & kSpilledBit) == 0) return false;
    __builtin_prefetch(&home.segment.buckets[next_index(home.segment, home.index)]);
    return true;
  }
  static const Item* probable_spilled_item(const Home& home, uint64_t hash) {
    size_t index = home.index;
    for (size_t step = 0; step < probes(home.segment); ++step) {
      index = next_index(home.segment, index);
      const Item* item = tagged_item(home.segment.buckets[index], tag_of(hash));
      if (item != nullptr) return item;
    }
    return nullptr;
  }
  // Its first two lines; most are no longer.
  static void prefetch_item(const Item* item) {
    const auto* bytes = reinterpret_cast<const char*>(item);
    __builtin_prefetch(bytes);
    __builtin_prefetch(bytes + 64);
  }
  void prefetch_bucket(uint64_t hash) const { __builtin_prefetch(bucket_of(unlocked_home_of(hash))); }

  // The same for whoever holds the table, so that no writer is beside: the place is found once for them and for find(), and
  // all tags are compared at once. The table must not be empty.
  Home home_of(uint64_t hash) const {
    Home home;
    home.segment = segment_of(hash);
    home.index = home.segment.home(hash);
    return home;
  }
  static void fetch_bucket(const Home& home) { __builtin_prefetch(&home.segment.buckets[home.index]); }
  static void fetch_item(const Home& home, uint64_t hash) {
    const Bucket& bucket = home.segment.buckets[home.index];
    for (unsigned mask = matches(bucket, tag_of(hash)); mask != 0; mask &= mask - 1) {
      prefetch_item(bucket.slots[std::countr_zero(mask)].item());
    }
  }
  void fetch_item(uint64_t hash) const {
    if (root_ != 0) fetch_item(home_of(hash), hash);
  }

  // Every item's hash leads to it, counts agree. For tests and SYNAP_DCHECK.
  bool consistent() const {
    size_t items = 0;
    bool good = true;
    size_t deepest = 0;
    for_each_segment([&](const Segment& segment) {
      deepest += segment.depth == depth() ? 1 : 0;
      for (size_t b = 0; b < segment.count; ++b) {
        for (const Slot& slot : segment.buckets[b].slots) {
          if (slot.empty()) continue;
          ++items;
          good = good && reaches(slot.item(), &slot);
        }
      }
    });
    return good && items == size_ && (root_ == 0 || deepest == deepest_);
  }

  // 46 bits: with the keyspace's 6 bits of shard a cursor stays below 2^53, exact in every client's numbers.
  static constexpr int kCursorBits = 46;

 private:
  static constexpr uint64_t kSpilledBit = 1;
  static constexpr uint64_t kMarkBit = 2;
  static constexpr uint64_t kPointerMask = 0x0000fffffffffff8;
  static constexpr uint64_t kTagMask = 0xffff000000000000;
  static constexpr uint64_t kSegmentMask = 0x0000ffffffffffc0;
  static constexpr uint64_t kCountMask = 63;
  static constexpr size_t kSlots = 8;
  static constexpr size_t kFullSize = 12;      // buckets in a segment that splits instead of growing
  static constexpr size_t kHalfSize = 8;       // buckets each half of a split starts with
  static constexpr size_t kReservedItems = 76;  // at most this many are expected in a reserved segment
  static constexpr size_t kProbe = 3;          // buckets looked at beyond the home bucket
  static constexpr size_t kSizeMax = 63;       // what the low 6 bits of a directory word can say
  static constexpr uint8_t kSizes[] = {1, 2, 3, 4, 6, kHalfSize, kFullSize, 16, 24, 32, 48, kSizeMax};
  static constexpr size_t kAhead = 2;          // buckets whose items are prefetched ahead in for_each
  static constexpr uint64_t kShrinkMask = 15;  // one erase in 16 looks whether its segment has become sparse

  struct alignas(64) Bucket {
    Slot slots[kSlots];
    bool spilled() const { return (slots[0].word_ & kSpilledBit) != 0; }
    void set_spilled() { slots[0].store(slots[0].word_ | kSpilledBit); }
  };
  static_assert(sizeof(Bucket) == 64);

  static uint64_t address_of(const Item* item) { return reinterpret_cast<uint64_t>(item); }
  // Never 0, so that an empty slot matches no tag.
  static uint64_t tag_of(uint64_t hash) { return (hash | 1) << 48; }

  static Segment decode(uint64_t word) {
    return Segment{reinterpret_cast<Bucket*>(word & kSegmentMask), static_cast<size_t>(word & kCountMask),
                   static_cast<int>(word >> 48)};
  }
  static uint64_t encode(const Segment& segment) {
    return static_cast<uint64_t>(segment.depth) << 48 | reinterpret_cast<uint64_t>(segment.buckets) | segment.count;
  }
  static size_t next_index(const Segment& segment, size_t index) { return index + 1 == segment.count ? 0 : index + 1; }
  static size_t probes(const Segment& segment) { return std::min(kProbe, segment.count - 1); }

  // root_ is the directory's address and, in the top 16 bits, its depth: prefetches read both at once without a lock.
  static uint64_t* directory_of(uint64_t root) { return reinterpret_cast<uint64_t*>(root & kPointerMask); }
  static int depth_of(uint64_t root) { return static_cast<int>(root >> 48); }
  static size_t index_in(uint64_t root, uint64_t hash) {
    const int depth = depth_of(root);
    return depth == 0 ? 0 : static_cast<size_t>((hash << Traits::kSkipBits) >> (64 - depth));
  }
  void publish_root(uint64_t* directory, int depth) {
    const uint64_t root = static_cast<uint64_t>(depth) << 48 | reinterpret_cast<uint64_t>(directory);
    __atomic_store_n(&root_, root, __ATOMIC_RELEASE);
  }

  uint64_t* directory() const { return directory_of(root_); }
  int depth() const { return depth_of(root_); }
  size_t directory_size() const { return size_t{1} << depth(); }
  size_t directory_index(uint64_t hash) const { return index_in(root_, hash); }
  Segment segment_at(size_t index) const { return decode(directory()[index]); }
  Segment segment_of(uint64_t hash) const { return segment_at(directory_index(hash)); }
  // How many directory words name the segment.
  size_t segment_span(const Segment& segment) const { return size_t{1} << (depth() - segment.depth); }
  size_t segment_begin(const Segment& segment, uint64_t hash) const {
    return directory_index(hash) & ~(segment_span(segment) - 1);
  }
  void set_segment(size_t begin, const Segment& segment) {
    const size_t end = begin + segment_span(segment);
    for (size_t i = begin; i < end; ++i) __atomic_store_n(&directory()[i], encode(segment), __ATOMIC_RELEASE);
  }

  template <class Visit>
  void for_each_segment(Visit visit) const {
    if (root_ == 0) return;
    for (size_t i = 0; i < directory_size();) {
      const Segment segment = segment_at(i);
      visit(segment);
      i += segment_span(segment);
    }
  }

  // Bit i set: slot i has the tag.
  static unsigned matches(const Bucket& bucket, uint64_t tag) {
#if defined(__SSE4_1__)
    const auto* words = reinterpret_cast<const __m128i*>(bucket.slots);
    const auto high = [](__m128i a, __m128i b) {  // the upper 32 bits of four words
      return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0xdd));
    };
    const __m128i low4 = _mm_srli_epi32(high(_mm_load_si128(words), _mm_load_si128(words + 1)), 16);
    const __m128i high4 = _mm_srli_epi32(high(_mm_load_si128(words + 2), _mm_load_si128(words + 3)), 16);
    const __m128i tags = _mm_packus_epi32(low4, high4);
    const __m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16(static_cast<short>(tag >> 48)));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < kSlots; ++i) mask |= ((bucket.slots[i].word_ & kTagMask) == tag ? 1U : 0U) << i;
    return mask;
#endif
  }

  // Beside a writer: an item with the tag, or null. Its place in the bucket is anywhere: branches on it would be guesses.
  static const Item* tagged_item(const Bucket& bucket, uint64_t tag) {
    uint64_t words[kSlots];
    unsigned mask = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < kSlots; ++i) {
      words[i] = bucket.slots[i].unlocked_word();
      mask |= ((words[i] ^ tag) >> 48 == 0 ? 1U : 0U) << i;
    }
    return mask == 0 ? nullptr : reinterpret_cast<const Item*>(words[std::countr_zero(mask)] & kPointerMask);
  }

  static const Slot* find_in(const Bucket& bucket, uint64_t hash, std::string_view key) {
    for (unsigned mask = matches(bucket, tag_of(hash)); mask != 0; mask &= mask - 1) {
      const Slot& slot = bucket.slots[std::countr_zero(mask)];
      if (Traits::equals(slot.item(), key)) return &slot;
    }
    return nullptr;
  }

  // Stores a slot word (address and mark) in the home bucket or, spilling, in one of the next; null when all are full.
  static Slot* place(const Segment& segment, uint64_t hash, uint64_t word) {
    const size_t home = segment.home(hash);
    size_t index = home;
    for (size_t step = 0; step <= probes(segment); ++step) {
      for (Slot& slot : segment.buckets[index].slots) {
        if (!slot.empty()) continue;
        slot.store(tag_of(hash) | word | (slot.word() & kSpilledBit));
        if (index != home) segment.buckets[home].set_spilled();
        return &slot;
      }
      index = next_index(segment, index);
    }
    return nullptr;
  }

  static Bucket* allocate_buckets(size_t count) {
    void* memory = std::aligned_alloc(alignof(Bucket), count * sizeof(Bucket));
    SYNAP_ASSERT(memory != nullptr);
    return static_cast<Bucket*>(std::memset(memory, 0, count * sizeof(Bucket)));
  }

  // 2^depth segments of `count` buckets each.
  void create(int depth, size_t count) {
    const size_t segments = size_t{1} << depth;
    auto* directory = static_cast<uint64_t*>(std::malloc(segments * sizeof(uint64_t)));
    SYNAP_ASSERT(directory != nullptr);
    for (size_t i = 0; i < segments; ++i) directory[i] = encode(Segment{allocate_buckets(count), count, depth});
    deepest_ = segments;
    widest_ = count;
    bucket_count_ = segments * count;
    publish_root(directory, depth);
  }

  // The sizes beside `count` in kSizes; the ends stay where they are.
  static size_t larger(size_t count) { return *(std::find(std::begin(kSizes), std::end(kSizes) - 1, count) + 1); }
  static size_t smaller(size_t count) { return count == 1 ? 1 : *(std::find(std::begin(kSizes), std::end(kSizes), count) - 1); }

  // An item on its way to another segment: its hash, and its slot word without tag and spilled flag.
  struct Moving {
    uint64_t hash;
    uint64_t word;
  };
  class MovingItems {
   public:
    // The items are prefetched first: a rebuild reads about 90 keys that are seldom in cache.
    void collect(const Segment& segment) {
      for (size_t b = 0; b < segment.count; ++b) prefetch_items(segment.buckets[b]);
      for (size_t b = 0; b < segment.count; ++b) {
        for (const Slot& slot : segment.buckets[b].slots) {
          if (!slot.empty()) add(Moving{Traits::hash(slot.item()), slot.word() & (kPointerMask | kMarkBit)});
        }
      }
    }
    void add(const Moving& moving) { items_[count_++] = moving; }
    size_t size() const { return count_; }
    const Moving* begin() const { return items_; }
    const Moving* end() const { return items_ + count_; }

   private:
    Moving items_[kSizeMax * kSlots];
    size_t count_ = 0;
  };

  static void prefetch_items(const Bucket& bucket) {
    for (const Slot& slot : bucket.slots) __builtin_prefetch(slot.item());
  }

  // A new segment with the items, of at least `count` buckets: more if hashes bunch so that a probe window overflows.
  Segment build(const MovingItems& items, int depth, size_t count) {
    for (;; count = larger(count)) {
      const Segment segment{allocate_buckets(count), count, depth};
      const bool fits = std::all_of(items.begin(), items.end(), [&](const Moving& moving) {
        return place(segment, moving.hash, moving.word) != nullptr;
      });
      if (fits) {
        widest_ = std::max(widest_, count);
        return segment;
      }
      std::free(segment.buckets);
      SYNAP_ASSERT(count != larger(count));  // 500 slots overflow in one window: not hashes
    }
  }

  // Makes room in the segment of `hash`.
  void grow(uint64_t hash) {
    const Segment old = segment_of(hash);
    const size_t begin = segment_begin(old, hash);
    if (old.count >= kFullSize) return split(begin, old);
    MovingItems items;
    items.collect(old);
    replace(begin, old, build(items, old.depth, larger(old.count)));
  }

  void split(size_t begin, const Segment& old) {
    SYNAP_ASSERT(old.depth + Traits::kSkipBits < kCursorBits);  // beyond: not hashes
    MovingItems items, low_items, high_items;
    items.collect(old);
    for (const Moving& moving : items) {
      const bool high = ((moving.hash << Traits::kSkipBits << old.depth) >> 63) != 0;
      (high ? high_items : low_items).add(moving);
    }
    const Segment low = build(low_items, old.depth + 1, kHalfSize);
    const Segment high = build(high_items, old.depth + 1, kHalfSize);
    if (old.depth == depth()) {
      double_directory();
      begin *= 2;
    }
    bucket_count_ += low.count + high.count - old.count;
    deepest_ += low.depth == depth() ? 2 : 0;
    set_segment(begin, low);
    set_segment(begin + segment_span(low), high);
    Traits::retire(old.buckets);
  }

  void replace(size_t begin, const Segment& old, const Segment& fresh) {
    bucket_count_ += fresh.count - old.count;
    set_segment(begin, fresh);
    Traits::retire(old.buckets);
  }

  void double_directory() {
    const size_t size = directory_size();
    uint64_t* old = directory();
    auto* doubled = static_cast<uint64_t*>(std::malloc(2 * size * sizeof(uint64_t)));
    SYNAP_ASSERT(doubled != nullptr);
    for (size_t i = 0; i < size; ++i) doubled[2 * i] = doubled[2 * i + 1] = old[i];
    publish_root(doubled, depth() + 1);
    deepest_ = 0;
    Traits::retire(old);
  }

  void halve_directory() {
    const size_t size = directory_size() / 2;
    uint64_t* old = directory();
    auto* halved = static_cast<uint64_t*>(std::malloc(size * sizeof(uint64_t)));
    SYNAP_ASSERT(halved != nullptr);
    for (size_t i = 0; i < size; ++i) halved[i] = old[2 * i];
    publish_root(halved, depth() - 1);
    deepest_ = 0;
    for_each_segment([&](const Segment& segment) { deepest_ += segment.depth == depth() ? 1 : 0; });
    Traits::retire(old);
  }

  static size_t occupancy(const Segment& segment) {
    size_t items = 0;
    for (size_t b = 0; b < segment.count; ++b) {
      for (const Slot& slot : segment.buckets[b].slots) items += slot.empty() ? 0 : 1;
    }
    return items;
  }

  // After an erase: makes a sparse segment smaller, or merges it with its buddy.
  void shrink(uint64_t hash) {
    if (size_ == 0) return release_memory();
    const Segment old = segment_of(hash);
    const size_t begin = segment_begin(old, hash);
    const size_t occupied = occupancy(old);
    if (old.depth > 0 && old.count <= kHalfSize && merge(begin, old, occupied)) return;
    if (old.count == 1 || occupied * 5 > old.count * kSlots * 2) return;
    MovingItems items;
    items.collect(old);
    replace(begin, old, build(items, old.depth, smaller(old.count)));
  }

  bool merge(size_t begin, const Segment& old, size_t occupied) {
    const size_t buddy_begin = begin ^ segment_span(old);
    const Segment buddy = segment_at(buddy_begin);
    if (buddy.depth != old.depth || buddy.count > kHalfSize) return false;
    if ((occupied + occupancy(buddy)) * 2 > kHalfSize * kSlots) return false;
    MovingItems items;
    items.collect(old);
    items.collect(buddy);
    const Segment merged = build(items, old.depth - 1, kHalfSize);
    deepest_ -= old.depth == depth() ? 2 : 0;
    bucket_count_ += merged.count - old.count - buddy.count;
    set_segment(std::min(begin, buddy_begin), merged);
    Traits::retire(old.buckets);
    Traits::retire(buddy.buckets);
    while (deepest_ == 0 && depth() > 0) halve_directory();
    return true;
  }

  void release_memory() {
    for_each_segment([](const Segment& segment) { Traits::retire(segment.buckets); });
    uint64_t* old = directory();
    publish_root(nullptr, 0);
    if (old != nullptr) Traits::retire(old);
    deepest_ = widest_ = 0;
    bucket_count_ = 0;
  }

  template <class Visit>
  static void visit_home(const Segment& segment, size_t home, Visit visit) {
    const Bucket& bucket = segment.buckets[home];
    const size_t steps = bucket.spilled() ? probes(segment) : 0;
    size_t index = home;
    for (size_t step = 0; step <= steps; ++step) {
      for (const Slot& slot : segment.buckets[index].slots) {
        if (!slot.empty() && segment.home(Traits::hash(slot.item())) == home) visit(slot);
      }
      index = next_index(segment, index);
    }
  }

  // The cursor of the bucket after `home`, rounded up into it; 0 past the last bucket of the last segment.
  static uint64_t next_cursor(const Segment& segment, uint64_t hash, size_t home) {
    const uint64_t position = hash << Traits::kSkipBits;
    const int depth = segment.depth;
    const uint64_t base = depth == 0 ? 0 : position >> (64 - depth) << (64 - depth);
    if (home + 1 == segment.count) {
      return depth == 0 ? 0 : (base + (uint64_t{1} << (64 - depth))) >> (64 - kCursorBits);
    }
    const unsigned __int128 begin = ((static_cast<unsigned __int128>(home + 1) << 64) / segment.count) + 1;
    const uint64_t next = base + (static_cast<uint64_t>(begin) >> depth);
    return (next >> (64 - kCursorBits)) + 1;
  }

  bool reaches(const Item* item, const Slot* expected) const {
    const uint64_t hash = Traits::hash(item);
    const Segment segment = segment_of(hash);
    size_t index = segment.home(hash);
    const size_t steps = segment.buckets[index].spilled() ? probes(segment) : 0;
    for (size_t step = 0; step <= steps; ++step) {
      const Bucket& bucket = segment.buckets[index];
      if (expected >= bucket.slots && expected < bucket.slots + kSlots) return true;
      index = next_index(segment, index);
    }
    return false;
  }

  uint64_t root_ = 0;
  Published<size_t> size_ = 0;
  size_t deepest_ = 0;       // segments whose depth is the directory's
  Published<size_t> bucket_count_ = 0;  // over all segments
  size_t widest_ = 0;        // buckets of the largest segment since the table was last empty
};

}  // namespace synap
