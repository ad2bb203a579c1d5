// The arguments of GEOSEARCH, GEOSEARCHSTORE and the GEORADIUS commands, which share options but not shapes. Parsing
// replies nothing, because the cost of a search is asked before it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "datatypes/geo/geo_search.h"
#include "server/command/command.h"

namespace synap {

enum class GeoSort { kNone, kAscending, kDescending };

// Which command it is.
struct GeoForm {
  enum class Centre { kCoordinates, kMember, kOptions };
  Centre centre = Centre::kOptions;  // kOptions: GEOSEARCH, GEOSEARCHSTORE
  size_t source = 1;                 // the argument of the key that is searched
  bool may_store = false;            // GEORADIUS, GEORADIUSBYMEMBER: STORE and STOREDIST name a key
  bool stores = false;               // GEOSEARCHSTORE: to argument 1
};

struct GeoQuery {
  GeoShape shape;
  double unit_metres = 1;
  bool with_distance = false;
  bool with_hash = false;
  bool with_point = false;
  GeoSort sort = GeoSort::kNone;
  size_t count = 0;  // 0: all
  bool any = false;  // the first `count` found will do
  std::optional<std::string_view> store_key;
  bool store_distance = false;
};

// False: `*error` says why. `zset` is the source or null when absent (then members are not looked up).
bool parse_geo_query(ArgViews args, const GeoForm& form, const Zset* zset, GeoQuery* query, std::string* error);

// The two arguments from `at` on.
bool parse_geo_point(ArgViews args, size_t at, GeoPoint* point, std::string* error);
// "m", "km", "ft" or "mi" in metres.
bool parse_geo_unit(std::string_view text, double* metres, std::string* error);

}  // namespace synap
