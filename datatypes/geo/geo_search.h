// Searching a sorted set of geohash scores for what lies inside a circle, a box or a polygon: at most nine cells of a
// fitting grid are walked, in Redis's order, because unsorted replies show it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "datatypes/geo/geohash.h"
#include "datatypes/zset/zset.h"

namespace synap {

struct GeoShape {
  enum class Kind { kCircle, kBox, kPolygon };
  Kind kind = Kind::kCircle;
  GeoPoint centre;  // of a polygon: see geo_polygon
  double radius_metres = 0;
  double width_metres = 0;
  double height_metres = 0;
  std::vector<GeoPoint> vertices;  // closed by itself, even-odd
};

// A polygon around its centroid on the sphere, from which distances are measured.
GeoShape geo_polygon(std::vector<GeoPoint> vertices);

struct GeoMatch {
  std::string member;
  double score = 0;
  GeoPoint point;
  double distance_metres = 0;  // from the shape's centre
};

// Whether the point is inside; then `*distance_metres` is set.
bool geo_contains(const GeoShape& shape, GeoPoint point, double* distance_metres);
// The cells that together cover the shape, in search order.
std::vector<GeoCell> geo_cover(const GeoShape& shape);
// How many elements lie in those cells; any number above that, found sooner, will do while it is not above `few`.
size_t geo_candidates(const Zset& zset, const GeoShape& shape, size_t few = 0);
// All matches, or with a limit above 0 the first so many.
std::vector<GeoMatch> geo_search(const Zset& zset, const GeoShape& shape, size_t limit);

}  // namespace synap
