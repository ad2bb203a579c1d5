// Geohash: a place on Earth as interleaved bits of latitude (even) and longitude (odd), 26 of each, so that a sorted
// set's score holds it exactly. Every constant and operation is in Redis's order, so that scores, texts and distances
// are the same to the last bit.
#pragma once

#include <cstdint>
#include <string>

namespace synap {

inline constexpr int kGeoStepsMax = 26;
// What Web Mercator (EPSG:3857) can show; the poles cannot be coded.
inline constexpr double kLongitudeMax = 180;
inline constexpr double kLatitudeMax = 85.05112878;

struct GeoPoint {
  double longitude = 0;
  double latitude = 0;
};

// A square of the grid that cuts each axis into 2^steps parts.
struct GeoCell {
  uint64_t bits = 0;
  int steps = 0;
};
inline bool operator==(const GeoCell& a, const GeoCell& b) {
  return a.bits == b.bits && a.steps == b.steps;
}

struct GeoArea {
  double min_longitude, max_longitude;
  double min_latitude, max_latitude;
};

bool geo_in_bounds(GeoPoint point);
// The cell around a point inside the bounds.
GeoCell geo_cell(GeoPoint point, int steps);
GeoArea geo_area(GeoCell cell);
// The cell so many columns east and rows north, around the globe where an axis ends.
GeoCell geo_neighbour(GeoCell cell, int east, int north);
// The smallest score inside a cell; the next cell's is the first beyond it.
uint64_t geo_first_score(GeoCell cell);

// A point as the score that stands for it, and back (the middle of its cell).
double geo_score(GeoPoint point);
GeoPoint geo_point(double score);
// The standard geohash text (base 32, latitude from -90), 11 characters of which 10 carry bits.
std::string geo_text(GeoPoint point);

// In metres, by the haversine formula.
double geo_distance(GeoPoint a, GeoPoint b);
double geo_latitude_distance(double latitude_a, double latitude_b);

inline constexpr double kEarthRadiusMetres = 6372797.560856;
inline constexpr double kPi = 3.14159265358979323846;
inline double to_radians(double degrees) {
  return degrees * (kPi / 180.0);
}
inline double to_degrees(double radians) {
  return radians / (kPi / 180.0);
}

}  // namespace synap
