// The search against looking at every point.
#include "datatypes/geo/geo_search.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "server/base/random.h"

namespace synap {
namespace {

Zset scattered(Random& random, GeoPoint around, double degrees, size_t n) {
  Zset zset;
  double result = 0;
  for (size_t i = 0; i < n; ++i) {
    GeoPoint point{around.longitude + (random.unit() * 2 - 1) * degrees,
                   around.latitude + (random.unit() * 2 - 1) * degrees};
    zset.add(std::to_string(i), geo_score(point), {}, {}, &result);
  }
  return zset;
}

void check_search(const Zset& zset, const GeoShape& shape) {
  std::set<std::string> expected;
  zset.for_each([&](std::string_view member, double score) {
    double distance = 0;
    if (geo_contains(shape, geo_point(score), &distance)) expected.emplace(member);
  });
  std::set<std::string> found;
  for (const GeoMatch& match : geo_search(zset, shape, 0)) CHECK(found.insert(match.member).second);
  CHECK(found == expected);
  if (expected.size() > 3) CHECK(geo_search(zset, shape, 3).size() == 3);
  // A bound that is enough never hides a candidate.
  CHECK(geo_candidates(zset, shape) >= expected.size());
  CHECK(geo_candidates(zset, shape, zset.size()) >= expected.size());
}

}  // namespace

TEST_CASE("geo search: finds what lies inside") {
  Random random(42);
  for (int round = 0; round < 150; ++round) {
    GeoPoint centre{random.unit() * 320 - 160, random.unit() * 120 - 60};
    double degrees = round % 3 == 0 ? 12 : 2;
    Zset zset = scattered(random, centre, degrees, round % 2 == 0 ? 100 : 2000);
    GeoShape circle;
    circle.centre = centre;
    circle.radius_metres = random.unit() * degrees * 60000;
    check_search(zset, circle);
    GeoShape box;
    box.kind = GeoShape::Kind::kBox;
    box.centre = centre;
    box.width_metres = random.unit() * degrees * 90000;
    box.height_metres = random.unit() * degrees * 90000;
    check_search(zset, box);
    std::vector<GeoPoint> vertices;
    for (size_t i = 0; i < 3 + random.below(6); ++i) {
      vertices.push_back(
          {centre.longitude + (random.unit() - 0.5) * degrees, centre.latitude + (random.unit() - 0.5) * degrees});
    }
    check_search(zset, geo_polygon(vertices));
  }
}

TEST_CASE("geo search: a polygon's holes and corners") {
  GeoShape shape = geo_polygon({{0, 0}, {0, 10}, {5, 5}, {10, 10}, {10, 0}});
  double distance = 0;
  CHECK(geo_contains(shape, {2, 2}, &distance));
  CHECK(distance == geo_distance(shape.centre, {2, 2}));
  CHECK(geo_contains(shape, {9, 8}, &distance));
  CHECK_FALSE(geo_contains(shape, {5, 8}, &distance));
  CHECK_FALSE(geo_contains(shape, {11, 1}, &distance));
}

TEST_CASE("geo search: huge shapes and the edges of the world") {
  Random random(43);
  Zset zset = scattered(random, {0, 0}, 80, 3000);
  GeoShape circle;
  circle.centre = {-180, -kLatitudeMax};
  circle.radius_metres = 25000000;
  CHECK(geo_search(zset, circle, 0).size() == 3000);
  CHECK(geo_candidates(zset, circle) == 3000);
  circle.radius_metres = 0;
  CHECK(geo_search(zset, circle, 0).empty());
  circle.centre = {180, kLatitudeMax};
  CHECK(geo_search(zset, circle, 0).empty());
  Zset dateline;
  double result = 0;
  dateline.add("east", geo_score({179.5, 36}), {}, {}, &result);
  dateline.add("west", geo_score({-179.5, 36}), {}, {}, &result);
  circle.centre = {179, 37};
  circle.radius_metres = 400000;
  CHECK(geo_search(dateline, circle, 0).size() == 2);
}

}  // namespace synap
