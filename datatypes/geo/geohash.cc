#include "datatypes/geo/geohash.h"

#include <algorithm>
#include <cmath>

#include "server/base/assert.h"

namespace synap {
namespace {

constexpr uint64_t kLatitudeBits = 0x5555555555555555;

// Puts a zero bit before each of the 32 bits.
uint64_t spread(uint32_t value) {
  uint64_t x = value;
  x = (x | (x << 16)) & 0x0000FFFF0000FFFF;
  x = (x | (x << 8)) & 0x00FF00FF00FF00FF;
  x = (x | (x << 4)) & 0x0F0F0F0F0F0F0F0F;
  x = (x | (x << 2)) & 0x3333333333333333;
  x = (x | (x << 1)) & 0x5555555555555555;
  return x;
}

// The even bits, drawn together.
uint32_t gather(uint64_t x) {
  x &= 0x5555555555555555;
  x = (x | (x >> 1)) & 0x3333333333333333;
  x = (x | (x >> 2)) & 0x0F0F0F0F0F0F0F0F;
  x = (x | (x >> 4)) & 0x00FF00FF00FF00FF;
  x = (x | (x >> 8)) & 0x0000FFFF0000FFFF;
  x = (x | (x >> 16)) & 0x00000000FFFFFFFF;
  return static_cast<uint32_t>(x);
}

// Any sorted set may be asked for positions. A score that is no geohash gives the place that Redis's conversion gives
// on x86-64, where what does not fit has only the top bit, or none.
uint64_t to_bits(double score) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (score >= 2 * kTwoTo63) return 0;
  if (score >= kTwoTo63) return static_cast<uint64_t>(score);
  return score >= -kTwoTo63 ? static_cast<uint64_t>(static_cast<int64_t>(score)) : uint64_t{1} << 63;
}

GeoCell cell_in(GeoPoint point, int steps, double latitude_max) {
  SYNAP_ASSERT(steps > 0 && steps <= kGeoStepsMax);
  double row = (point.latitude + latitude_max) / (latitude_max + latitude_max);
  double column = (point.longitude + kLongitudeMax) / (kLongitudeMax + kLongitudeMax);
  auto cells = static_cast<double>(uint64_t{1} << steps);
  return {spread(static_cast<uint32_t>(row * cells)) | spread(static_cast<uint32_t>(column * cells)) << 1, steps};
}

}  // namespace

bool geo_in_bounds(GeoPoint point) {
  return point.longitude >= -kLongitudeMax && point.longitude <= kLongitudeMax && point.latitude >= -kLatitudeMax &&
         point.latitude <= kLatitudeMax;
}

GeoCell geo_cell(GeoPoint point, int steps) {
  SYNAP_ASSERT(geo_in_bounds(point));
  return cell_in(point, steps, kLatitudeMax);
}

GeoArea geo_area(GeoCell cell) {
  double row = gather(cell.bits);
  double column = gather(cell.bits >> 1);
  // A power of two: multiplying by it gives what Redis's division does.
  const double share = 1 / static_cast<double>(uint64_t{1} << cell.steps);
  constexpr double kHeight = kLatitudeMax + kLatitudeMax;
  constexpr double kWidth = kLongitudeMax + kLongitudeMax;
  return {-kLongitudeMax + (column * share) * kWidth, -kLongitudeMax + ((column + 1) * share) * kWidth,
          -kLatitudeMax + (row * share) * kHeight, -kLatitudeMax + ((row + 1) * share) * kHeight};
}

GeoCell geo_neighbour(GeoCell cell, int east, int north) {
  // An axis that stays keeps what it has beyond the grid: the cell of longitude 180 itself lies one past the last.
  const uint64_t inside = (uint64_t{1} << (2 * cell.steps)) - 1;
  const auto move = [&](uint64_t axis, int by) {
    if (by == 0) return cell.bits & axis;
    // With the other axis all ones a carry passes through it, with all zeros a borrow does.
    const uint64_t moved = by > 0 ? (cell.bits | ~axis) + 1 : (cell.bits & axis) - 1;
    return moved & axis & inside;
  };
  return {move(kLatitudeBits, north) | move(kLatitudeBits << 1, east), cell.steps};
}

uint64_t geo_first_score(GeoCell cell) {
  return cell.bits << (2 * (kGeoStepsMax - cell.steps));
}

double geo_score(GeoPoint point) {
  return static_cast<double>(geo_cell(point, kGeoStepsMax).bits);
}

GeoPoint geo_point(double score) {
  const GeoCell cell{to_bits(score), kGeoStepsMax};
  GeoArea area = geo_area(cell);
  double longitude = (area.min_longitude + area.max_longitude) / 2;
  double latitude = (area.min_latitude + area.max_latitude) / 2;
  return {std::clamp(longitude, -kLongitudeMax, kLongitudeMax), std::clamp(latitude, -kLatitudeMax, kLatitudeMax)};
}

std::string geo_text(GeoPoint point) {
  constexpr char kAlphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr size_t kLength = 11;
  uint64_t bits = cell_in(point, kGeoStepsMax, 90).bits;
  std::string text(kLength, kAlphabet[0]);  // the 52 bits end within the last character, which stays zero
  for (size_t i = 0; i + 1 < kLength; ++i) text[i] = kAlphabet[(bits >> (52 - (i + 1) * 5)) & 31];
  return text;
}

double geo_latitude_distance(double latitude_a, double latitude_b) {
  return kEarthRadiusMetres * std::fabs(to_radians(latitude_b) - to_radians(latitude_a));
}

double geo_distance(GeoPoint a, GeoPoint b) {
  double v = std::sin((to_radians(b.longitude) - to_radians(a.longitude)) / 2);
  if (v == 0.0) return geo_latitude_distance(a.latitude, b.latitude);
  double latitude_a = to_radians(a.latitude);
  double latitude_b = to_radians(b.latitude);
  double u = std::sin((latitude_b - latitude_a) / 2);
  return 2.0 * kEarthRadiusMetres * std::asin(std::sqrt(u * u + std::cos(latitude_a) * std::cos(latitude_b) * v * v));
}

}  // namespace synap
