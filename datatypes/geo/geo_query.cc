#include "datatypes/geo/geo_query.h"

#include <vector>

#include "protocol/errors.h"
#include "server/base/number.h"
#include "server/base/text.h"

namespace synap {

namespace {

bool fail(std::string* error, std::string_view text) {
  *error = text;
  return false;
}

bool parse_number(std::string_view text, double* number, std::string_view error_text, std::string* error) {
  return parse_double(text, number) || fail(error, error_text);
}

}  // namespace

bool parse_geo_point(ArgViews args, size_t at, GeoPoint* point, std::string* error) {
  if (!parse_number(args[at], &point->longitude, kNotFloatError, error)) return false;
  if (!parse_number(args[at + 1], &point->latitude, kNotFloatError, error)) return false;
  if (geo_in_bounds(*point)) return true;
  return fail(error, format_text("ERR invalid longitude,latitude pair %f,%f", point->longitude, point->latitude));
}

bool parse_geo_unit(std::string_view text, double* metres, std::string* error) {
  if (equals_ignore_case(text, "m")) {
    *metres = 1;
  } else if (equals_ignore_case(text, "km")) {
    *metres = 1000;
  } else if (equals_ignore_case(text, "ft")) {
    *metres = 0.3048;
  } else if (equals_ignore_case(text, "mi")) {
    *metres = 1609.34;
  } else {
    return fail(error, kGeoUnitError);
  }
  return true;
}

namespace {

class GeoQueryParser {
 public:
  GeoQueryParser(ArgViews args, const GeoForm& form, const Zset* zset, GeoQuery* query, std::string* error)
      : args_(args), form_(form), zset_(zset), query_(*query), error_(error) {}

  bool parse() {
    if (!parse_positional()) return false;
    for (at_ = first_option_; at_ < args_.size(); ++at_) {
      switch (parse_option()) {
        case Outcome::kTaken:
          break;
        case Outcome::kError:
          return false;
        case Outcome::kUnknown:
          return fail(error_, kSyntaxError);
      }
    }
    return check();
  }

 private:
  enum class Outcome { kTaken, kUnknown, kError };

  static Outcome taken_if(bool good) { return good ? Outcome::kTaken : Outcome::kError; }
  bool is(std::string_view name, size_t values = 0) const {
    return at_ + values < args_.size() && equals_ignore_case(args_[at_], name);
  }
  bool searching() const { return form_.centre == GeoForm::Centre::kOptions; }

  // GEORADIUS key longitude latitude radius unit, GEORADIUSBYMEMBER key member radius unit.
  bool parse_positional() {
    switch (form_.centre) {
      case GeoForm::Centre::kCoordinates:
        first_option_ = 6;
        return parse_geo_point(args_, 2, &query_.shape.centre, error_) && parse_radius(4);
      case GeoForm::Centre::kMember:
        first_option_ = 5;
        return zset_ == nullptr || (find_member(args_[2]) && parse_radius(3));
      case GeoForm::Centre::kOptions:
        first_option_ = form_.source + 1;
        if (form_.stores) query_.store_key = args_[1];
        return true;
    }
    return false;
  }

  Outcome parse_option() {
    if (is("withdist")) {
      query_.with_distance = true;
    } else if (is("withhash")) {
      query_.with_hash = true;
    } else if (is("withcoord")) {
      query_.with_point = true;
    } else if (is("any")) {
      query_.any = true;
    } else if (is("asc")) {
      query_.sort = GeoSort::kAscending;
    } else if (is("desc")) {
      query_.sort = GeoSort::kDescending;
    } else if (is("count", 1)) {
      return taken_if(parse_count());
    } else if (form_.may_store && (is("store", 1) || is("storedist", 1))) {
      query_.store_distance = is("storedist", 1);
      query_.store_key = args_[++at_];
    } else if (form_.stores && is("storedist")) {
      query_.store_distance = true;
    } else {
      return searching() ? parse_shape_option() : Outcome::kUnknown;
    }
    return Outcome::kTaken;
  }

  // Where the search is centred, and its shape: one of each, and a polygon alone.
  Outcome parse_shape_option() {
    if (is("frommember", 1) && !from_point_ && !polygon_) {
      ++at_;
      from_member_ = true;
      return taken_if(zset_ == nullptr || find_member(args_[at_]));
    }
    if (is("fromlonlat", 2) && !from_member_ && !polygon_) {
      from_point_ = true;
      at_ += 2;
      return taken_if(parse_geo_point(args_, at_ - 1, &query_.shape.centre, error_));
    }
    if (is("byradius", 2) && !box_ && !polygon_) {
      circle_ = true;
      at_ += 2;
      return taken_if(parse_radius(at_ - 1));
    }
    if (is("bybox", 3) && !circle_ && !polygon_) {
      box_ = true;
      at_ += 3;
      return taken_if(parse_box(at_ - 2));
    }
    if (is("bypolygon", 2) && !circle_ && !box_ && !from_member_ && !from_point_) {
      polygon_ = true;
      return taken_if(parse_polygon());
    }
    return Outcome::kUnknown;
  }

  bool find_member(std::string_view member) {
    auto score = zset_->score(member);
    if (!score) {
      return fail(error_, kGeoMemberError);
    }
    query_.shape.centre = geo_point(*score);
    return true;
  }

  bool parse_count() {
    int64_t count = 0;
    if (!parse_int64(args_[++at_], &count)) return fail(error_, kNotIntegerError);
    if (count <= 0) {
      return fail(error_, kGeoCountError);
    }
    query_.count = static_cast<size_t>(count);
    return true;
  }

  bool parse_radius(size_t at) {
    double radius = 0;
    if (!parse_number(args_[at], &radius, kGeoRadiusError, error_)) return false;
    if (radius < 0) {
      return fail(error_, kGeoRadiusNegativeError);
    }
    if (!parse_geo_unit(args_[at + 1], &query_.unit_metres, error_)) return false;
    query_.shape.kind = GeoShape::Kind::kCircle;
    query_.shape.radius_metres = radius * query_.unit_metres;
    return true;
  }

  bool parse_box(size_t at) {
    double width = 0;
    double height = 0;
    if (!parse_number(args_[at], &width, kGeoWidthError, error_)) return false;
    if (!parse_number(args_[at + 1], &height, kGeoHeightError, error_)) return false;
    if (width < 0 || height < 0) {
      return fail(error_, kGeoBoxNegativeError);
    }
    if (!parse_geo_unit(args_[at + 2], &query_.unit_metres, error_)) return false;
    query_.shape.kind = GeoShape::Kind::kBox;
    query_.shape.width_metres = width * query_.unit_metres;
    query_.shape.height_metres = height * query_.unit_metres;
    return true;
  }

  // BYPOLYGON count longitude latitude …, as Valkey 9: distances are in metres, from the centroid.
  bool parse_polygon() {
    int64_t count = 0;
    if (!parse_int64(args_[++at_], &count)) return fail(error_, kGeoVerticesError);
    if (count < 3 || static_cast<uint64_t>(count) > (args_.size() - at_ - 1) / 2) {
      return fail(error_, kGeoPolygonError);
    }
    std::vector<GeoPoint> vertices(static_cast<size_t>(count));
    for (GeoPoint& vertex : vertices) {
      if (!parse_geo_point(args_, at_ + 1, &vertex, error_)) return false;
      at_ += 2;
    }
    query_.shape = geo_polygon(std::move(vertices));
    query_.unit_metres = 1;
    return true;
  }

  bool check() {
    if (query_.store_key && (query_.with_distance || query_.with_hash || query_.with_point)) {
      const std::string what = form_.stores ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS";
      return fail(error_, "ERR " + what + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
    }
    if (searching() && !from_member_ && !from_point_ && !polygon_) {
      return fail(error_, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + std::string(args_[0]));
    }
    if (searching() && !circle_ && !box_ && !polygon_) {
      return fail(error_, "ERR exactly one of BYRADIUS and BYBOX can be specified for " + std::string(args_[0]));
    }
    if (query_.any && query_.count == 0) {
      return fail(error_, kGeoAnyError);
    }
    // The first so many mean the nearest, unless any will do.
    if (query_.count > 0 && query_.sort == GeoSort::kNone && !query_.any) query_.sort = GeoSort::kAscending;
    return true;
  }

  ArgViews args_;
  const GeoForm& form_;
  const Zset* zset_;
  GeoQuery& query_;
  std::string* error_;
  size_t first_option_ = 0;
  size_t at_ = 0;
  bool from_member_ = false;
  bool from_point_ = false;
  bool circle_ = false;
  bool box_ = false;
  bool polygon_ = false;
};

}  // namespace

bool parse_geo_query(ArgViews args, const GeoForm& form, const Zset* zset, GeoQuery* query, std::string* error) {
  return GeoQueryParser(args, form, zset, query, error).parse();
}

}  // namespace synap
