// Values checked against what redis-server 7.0 answers to GEOADD, ZSCORE, GEOHASH, GEOPOS and GEODIST.
#include "datatypes/geo/geohash.h"

#include <doctest/doctest.h>

#include <cmath>

#include "server/base/random.h"

namespace synap {

TEST_CASE("geohash: scores, texts and distances are Redis's") {
  GeoPoint palermo{13.361389, 38.115556};
  GeoPoint catania{15.087269, 37.502669};
  CHECK(geo_score(palermo) == 3479099956230698);
  CHECK(geo_score(catania) == 3479447370796909);
  GeoPoint stored = geo_point(3479099956230698);
  CHECK(stored.longitude == 13.36138933897018433);
  CHECK(stored.latitude == 38.11555639549629859);
  CHECK(geo_text(stored) == "sqc8b49rny0");
  CHECK(geo_text(geo_point(3479447370796909)) == "sqdtr74hyu0");
  CHECK(std::fabs(geo_distance(stored, geo_point(3479447370796909)) - 166274.1516) < 0.0001);
  CHECK(geo_distance(stored, stored) == 0);
}

TEST_CASE("geohash: a point lies in its cell, and cells nest") {
  Random random(41);
  for (int i = 0; i < 20000; ++i) {
    GeoPoint point{random.unit() * 360 - 180, (random.unit() * 2 - 1) * kLatitudeMax};
    int steps = 1 + static_cast<int>(random.below(kGeoStepsMax));
    GeoCell cell = geo_cell(point, steps);
    GeoArea area = geo_area(cell);
    CHECK(point.longitude >= area.min_longitude);
    CHECK(point.longitude <= area.max_longitude);
    CHECK(point.latitude >= area.min_latitude);
    CHECK(point.latitude <= area.max_latitude);
    CHECK((geo_cell(point, kGeoStepsMax).bits >> (2 * (kGeoStepsMax - steps))) == cell.bits);
    CHECK(geo_score(geo_point(geo_score(point))) == geo_score(point));
  }
}

TEST_CASE("geohash: neighbours share a border, around the globe too") {
  GeoCell corner = geo_cell({-180, -kLatitudeMax}, 8);
  CHECK(corner.bits == 0);
  CHECK(geo_neighbour(geo_neighbour(corner, -1, 0), 1, 0) == corner);
  CHECK(geo_area(geo_neighbour(corner, -1, 0)).max_longitude == 180);
  GeoCell middle = geo_cell({10, 20}, 12);
  CHECK(geo_area(geo_neighbour(middle, 1, 1)).min_longitude == geo_area(middle).max_longitude);
  CHECK(geo_area(geo_neighbour(middle, 1, 1)).min_latitude == geo_area(middle).max_latitude);
  CHECK(geo_area(geo_neighbour(middle, -1, -1)).max_latitude == geo_area(middle).min_latitude);
}

TEST_CASE("geohash: scores that are no geohash give some place in bounds") {
  for (double score : {-1.0, 1e300, -1e300, HUGE_VAL, -HUGE_VAL, 1e17, 0.5}) CHECK(geo_in_bounds(geo_point(score)));
  CHECK_FALSE(geo_in_bounds({180.1, 0}));
  CHECK_FALSE(geo_in_bounds({0, -86}));
}

}  // namespace synap
