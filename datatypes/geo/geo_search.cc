#include "datatypes/geo/geo_search.h"

#include <algorithm>
#include <cmath>

namespace synap {
namespace {

GeoArea box_around(GeoPoint centre, double half_width, double half_height) {
  double latitude_delta = to_degrees(half_height / kEarthRadiusMetres);
  // A metre spans more degrees of longitude nearer to the pole: take the side of the box that is nearer.
  double nearer = centre.latitude < 0 ? centre.latitude - latitude_delta : centre.latitude + latitude_delta;
  double longitude_delta = to_degrees(half_width / kEarthRadiusMetres / std::cos(to_radians(nearer)));
  return {centre.longitude - longitude_delta, centre.longitude + longitude_delta, centre.latitude - latitude_delta,
          centre.latitude + latitude_delta};
}

GeoArea box_of(const std::vector<GeoPoint>& vertices) {
  GeoArea area{kLongitudeMax, -kLongitudeMax, kLatitudeMax, -kLatitudeMax};
  for (const GeoPoint& vertex : vertices) {
    area.min_longitude = std::min(area.min_longitude, vertex.longitude);
    area.max_longitude = std::max(area.max_longitude, vertex.longitude);
    area.min_latitude = std::min(area.min_latitude, vertex.latitude);
    area.max_latitude = std::max(area.max_latitude, vertex.latitude);
  }
  return area;
}

GeoArea bounding_box(const GeoShape& shape) {
  switch (shape.kind) {
    case GeoShape::Kind::kCircle:
      return box_around(shape.centre, shape.radius_metres, shape.radius_metres);
    case GeoShape::Kind::kBox:
      return box_around(shape.centre, shape.width_metres / 2, shape.height_metres / 2);
    case GeoShape::Kind::kPolygon:
      break;
  }
  return box_of(shape.vertices);
}

// Metres from the centre to the farthest point of the shape or its bounding box.
double reach(const GeoShape& shape, const GeoArea& box) {
  switch (shape.kind) {
    case GeoShape::Kind::kCircle:
      return shape.radius_metres;
    case GeoShape::Kind::kBox:
      return std::sqrt((shape.width_metres / 2) * (shape.width_metres / 2) +
                       (shape.height_metres / 2) * (shape.height_metres / 2));
    case GeoShape::Kind::kPolygon:
      break;
  }
  double farthest = 0;
  for (double longitude : {box.min_longitude, box.max_longitude}) {
    for (double latitude : {box.min_latitude, box.max_latitude}) {
      farthest = std::max(farthest, geo_distance(shape.centre, {longitude, latitude}));
    }
  }
  return farthest;
}

// The finest grid whose nine cells around the centre are likely to cover the reach.
int fitting_steps(double metres, double latitude) {
  constexpr double kMercatorMax = 20037726.37;
  if (metres == 0) return kGeoStepsMax;
  int steps = -1;
  for (; metres < kMercatorMax; metres *= 2) ++steps;
  if (std::fabs(latitude) > 66) --steps;
  if (std::fabs(latitude) > 80) --steps;
  return std::clamp(steps, 1, kGeoStepsMax);
}

bool ring_covers(GeoCell cell, const GeoArea& box) {
  return geo_area(geo_neighbour(cell, 0, 1)).max_latitude >= box.max_latitude &&
         geo_area(geo_neighbour(cell, 0, -1)).min_latitude <= box.min_latitude &&
         geo_area(geo_neighbour(cell, 1, 0)).max_longitude >= box.max_longitude &&
         geo_area(geo_neighbour(cell, -1, 0)).min_longitude <= box.min_longitude;
}

bool inside_polygon(const std::vector<GeoPoint>& vertices, GeoPoint point) {
  bool inside = false;
  // A ray to the east crosses the border an odd number of times from inside.
  for (size_t i = 0, before = vertices.size() - 1; i < vertices.size(); before = i++) {
    const GeoPoint& a = vertices[i];
    const GeoPoint& b = vertices[before];
    if ((a.latitude > point.latitude) == (b.latitude > point.latitude)) continue;
    double crossing =
        (b.longitude - a.longitude) * (point.latitude - a.latitude) / (b.latitude - a.latitude) + a.longitude;
    if (point.longitude < crossing) inside = !inside;
  }
  return inside;
}

}  // namespace

GeoShape geo_polygon(std::vector<GeoPoint> vertices) {
  double x = 0;
  double y = 0;
  double z = 0;
  for (const GeoPoint& vertex : vertices) {
    double longitude = to_radians(vertex.longitude);
    double latitude = to_radians(vertex.latitude);
    x += std::cos(latitude) * std::cos(longitude);
    y += std::cos(latitude) * std::sin(longitude);
    z += std::sin(latitude);
  }
  GeoShape shape;
  shape.kind = GeoShape::Kind::kPolygon;
  shape.centre = {to_degrees(std::atan2(y, x)), to_degrees(std::atan2(z, std::sqrt(x * x + y * y)))};
  // Vertices all around a pole may have it as their centroid.
  shape.centre.longitude = std::clamp(shape.centre.longitude, -kLongitudeMax, kLongitudeMax);
  shape.centre.latitude = std::clamp(shape.centre.latitude, -kLatitudeMax, kLatitudeMax);
  shape.vertices = std::move(vertices);
  return shape;
}

bool geo_contains(const GeoShape& shape, GeoPoint point, double* distance_metres) {
  if (shape.kind == GeoShape::Kind::kBox) {
    if (geo_latitude_distance(point.latitude, shape.centre.latitude) > shape.height_metres / 2) return false;
    double across = geo_distance(point, {shape.centre.longitude, point.latitude});
    if (across > shape.width_metres / 2) return false;
  }
  if (shape.kind == GeoShape::Kind::kPolygon && !inside_polygon(shape.vertices, point)) return false;
  // North and south alone may be too far: no sines for those. (The share keeps clear of both formulas' rounding.)
  constexpr double kSurelyFarther = 1 + 1e-6;
  if (shape.kind == GeoShape::Kind::kCircle &&
      geo_latitude_distance(point.latitude, shape.centre.latitude) > shape.radius_metres * kSurelyFarther) {
    return false;
  }
  *distance_metres = geo_distance(shape.centre, point);
  return shape.kind != GeoShape::Kind::kCircle || *distance_metres <= shape.radius_metres;
}

std::vector<GeoCell> geo_cover(const GeoShape& shape) {
  GeoArea box = bounding_box(shape);
  int steps = fitting_steps(reach(shape, box), shape.centre.latitude);
  GeoCell cell = geo_cell(shape.centre, steps);
  if (steps > 1 && !ring_covers(cell, box)) cell = geo_cell(shape.centre, --steps);

  GeoArea area = geo_area(cell);
  bool trim = steps >= 2;  // the neighbours of a coarser grid wrap around the globe
  bool south = !trim || area.min_latitude >= box.min_latitude;
  bool north = !trim || area.max_latitude <= box.max_latitude;
  bool west = !trim || area.min_longitude >= box.min_longitude;
  bool east = !trim || area.max_longitude <= box.max_longitude;

  struct Step {
    int east;
    int north;
  };
  constexpr Step kOrder[] = {{0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
  std::vector<GeoCell> cells;
  cells.reserve(1 + std::size(kOrder));
  cells.push_back(cell);
  for (const Step& step : kOrder) {
    bool needed = (step.north <= 0 || north) && (step.north >= 0 || south) && (step.east <= 0 || east) &&
                  (step.east >= 0 || west);
    if (!needed) continue;
    GeoCell neighbour = geo_neighbour(cell, step.east, step.north);
    // With huge shapes two neighbours in a row may be one cell. (Like Redis: only its last two are compared, and the
    // centre with none.)
    if (cells.size() > 1 && cells.back() == neighbour) continue;
    cells.push_back(neighbour);
  }
  return cells;
}

namespace {

// The scores that lie in a cell: from the first to before the second.
struct CellScores {
  double first;
  double beyond;
};

CellScores scores_of(GeoCell cell) {
  return {static_cast<double>(geo_first_score(cell)), static_cast<double>(geo_first_score({cell.bits + 1, cell.steps}))};
}

size_t count_between(const Zset& zset, double first, double beyond) {
  return zset.span(ScoreRange{first, beyond, false, true}).count;
}

}  // namespace

size_t geo_candidates(const Zset& zset, const GeoShape& shape, size_t few) {
  const std::vector<GeoCell> cells = geo_cover(shape);
  double first = HUGE_VAL;
  double beyond = 0;
  for (const GeoCell& cell : cells) {
    const CellScores scores = scores_of(cell);
    first = std::min(first, scores.first);
    beyond = std::max(beyond, scores.beyond);
  }
  // Neighbours mostly have scores near each other: two searches instead of eighteen.
  const size_t bound = count_between(zset, first, beyond);
  if (bound <= few) return bound;
  size_t count = 0;
  for (const GeoCell& cell : cells) {
    const CellScores scores = scores_of(cell);
    count += count_between(zset, scores.first, scores.beyond);
  }
  return count;
}

std::vector<GeoMatch> geo_search(const Zset& zset, const GeoShape& shape, size_t limit) {
  std::vector<GeoMatch> matches;
  for (const GeoCell& cell : geo_cover(shape)) {
    const CellScores scores = scores_of(cell);
    for (auto at = zset.from_score(scores.first); at.valid(); at.next()) {
      const double score = at.score();
      if (score >= scores.beyond) break;
      const GeoPoint point = geo_point(score);
      double distance_metres = 0;
      if (!geo_contains(shape, point, &distance_metres)) continue;
      matches.push_back({std::string(at.member()), score, point, distance_metres});
      if (limit > 0 && matches.size() >= limit) return matches;
    }
  }
  return matches;
}

}  // namespace synap
