// Fuzzes the compact encodings: bytes that pass validation must be readable both ways and survive edits, bytes that do
// not must be refused without a read outside them. The first byte picks the format, the second one the edits.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "datatypes/encoding/intset.h"
#include "datatypes/encoding/listpack.h"
#include "datatypes/encoding/ziplist.h"
#include "datatypes/encoding/zipmap.h"

namespace synap {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void listpack(std::string_view bytes, uint8_t choice) {
  if (!ListpackView::validate(bytes, true)) return;
  Listpack pack = Listpack::copy_of(bytes);
  std::vector<std::string> forward;
  for (auto at = pack.view().first(); at != Listpack::kNone; at = pack.view().next(at)) {
    forward.push_back(pack.view().to_string(at));
    require(pack.view().find(forward.back(), at) == at);
  }
  size_t left = forward.size();
  for (auto at = pack.view().last(); at != Listpack::kNone; at = pack.view().prev(at)) {
    require(left > 0 && pack.view().equals(at, forward[--left]));
  }
  require(left == 0 && pack.length() == forward.size());
  const auto at = pack.view().seek(choice % 8);
  if (at != Listpack::kNone) {
    if (choice & 8) pack.replace(at, "replaced");
    if (choice & 16) pack.insert_after(at, std::string(choice, 'i'));
    if (choice & 32) pack.append_pack(pack.split_off(at).view());
    if (choice & 64) pack.erase(at, choice % 3);
  }
  pack.append("end");
  require(ListpackView::validate(pack.view().raw(), true));
}

void intset(std::string_view bytes, uint8_t choice) {
  if (!IntsetView::validate(bytes, true)) return;
  Intset ints = Intset::copy_of(bytes);
  const int64_t middle = ints.view().at(ints.length() / 2);
  require(ints.contains(middle) && ints.remove(middle) && !ints.contains(middle));
  require(ints.add(middle) && !ints.add(middle));
  ints.add(static_cast<int64_t>(choice) << (choice % 56));
  require(IntsetView::validate(ints.view().raw(), true));
}

void old_formats(std::string_view bytes, bool map) {
  size_t seen = 0;
  if (map) {
    ZipmapReader reader(bytes);
    std::string_view field;
    std::string_view value;
    while (reader.next(&field, &value) == ReadStep::kValue)
      seen += std::string(field).size() + std::string(value).size();
    ZipmapReader::validate(bytes);
  } else {
    ZiplistReader reader(bytes);
    ListpackValue value;
    while (reader.next(&value) == ReadStep::kValue) seen += value.is_integer() ? 1 : value.to_string().size();
    ZiplistReader::validate(bytes, true);
  }
  require(seen <= bytes.size());
}

}  // namespace
}  // namespace synap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::vector<char> exact(data + 2, data + size);
  const std::string_view bytes(exact.data(), exact.size());
  switch (data[0] % 4) {
    case 0:
      synap::listpack(bytes, data[1]);
      break;
    case 1:
      synap::intset(bytes, data[1]);
      break;
    case 2:
      synap::old_formats(bytes, false);
      break;
    default:
      synap::old_formats(bytes, true);
  }
  return 0;
}
