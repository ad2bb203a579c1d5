// Rules as text and what they allow, on a table of a few commands.
#include "server/command/acl.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "server/command/acl_file.h"
#include "server/command/acl_rules.h"
#include "server/command/command_table.h"
#include "server/command/context.h"

using namespace synap;

namespace {

void do_nothing(Context&) {}

constexpr Command kSubcommands[] = {
    {.name = "get", .handler = do_nothing, .arity = -3, .flags = kAdmin},
    {.name = "set", .handler = do_nothing, .arity = -4, .flags = kAdmin},
};
constexpr Command kRows[] = {
    {.name = "get", .handler = do_nothing, .arity = 2, .flags = kReadonly | kFast, .categories = kCatString,
     .key_specs = {one_key(kKeyRO | kKeyAccess)}},
    {.name = "put", .handler = do_nothing, .arity = 3, .flags = kWrite, .categories = kCatString,
     .key_specs = {one_key(kKeyOW | kKeyUpdate)}},
    {.name = "move", .handler = do_nothing, .arity = 3, .flags = kWrite, .categories = kCatKeyspace,
     .key_specs = {one_key(kKeyRW | kKeyAccess | kKeyDelete), key_range(2, 2, 1, kKeyOW | kKeyInsert)}},
    {.name = "exists", .handler = do_nothing, .arity = -2, .flags = kReadonly, .key_specs = {key_range(1, -1, 1, kKeyRO)}},
    {.name = "select", .handler = do_nothing, .arity = 2, .flags = kFast},
    {.name = "auth", .handler = do_nothing, .arity = -2, .flags = kNoAuth},
    {.name = "publish", .handler = do_nothing, .arity = 3, .flags = kPubsub | kChannelPublished},
    {.name = "subscribe", .handler = do_nothing, .arity = -2, .flags = kPubsub | kChannelsSubscribed},
    {.name = "psubscribe", .handler = do_nothing, .arity = -2, .flags = kPubsub | kPatternsSubscribed},
    {.name = "config", .arity = -2, .subcommands = kSubcommands},
};

struct Fixture {
  Fixture() : table(std::vector<CommandFamily>{kRows}) {}

  AclRuleScope scope() const { return {table, false}; }

  AclRuleError apply(UserRules* rules, std::string_view rule) const { return apply_acl_rule(scope(), rule, rules); }

  User user(std::initializer_list<std::string_view> rules) const {
    UserRules built = new_user_rules(scope());
    for (const std::string_view rule : rules) REQUIRE(apply(&built, rule) == AclRuleError::kNone);
    return User("alice", 1, built);
  }

  AclVerdict check(const User& who, std::vector<std::string_view> call) const {
    const Command* command = table.find_call(call);
    REQUIRE(command != nullptr);
    return acl_verdict(who, table, *command, call);
  }
  AclDenial denial(const User& who, std::vector<std::string_view> call) const { return check(who, std::move(call)).denial; }

  CommandTable table;
};

}  // namespace

TEST_CASE("acl: a new user may do nothing but what needs no login") {
  const Fixture f;
  const User nobody = f.user({});
  CHECK(describe_user(nobody.rules) == "off sanitize-payload resetchannels -@all");
  CHECK(f.denial(nobody, {"get", "k"}) == AclDenial::kCommand);
  CHECK(f.denial(nobody, {"auth", "x"}) == AclDenial::kNone);
  CHECK_FALSE(nobody.unrestricted());
}

TEST_CASE("acl: the default user may do everything and needs no check") {
  const Fixture f;
  const User all("default", 1, default_user_rules(f.scope()));
  CHECK(describe_user(all.rules) == "on nopass sanitize-payload ~* &* +@all");
  CHECK(all.unrestricted());
  CHECK(f.denial(all, {"publish", "c", "x"}) == AclDenial::kNone);
  CHECK_FALSE(f.user({"+@all", "~*"}).unrestricted());
  CHECK_FALSE(f.user({"+@all", "~*", "&*", "-get"}).unrestricted());
}

TEST_CASE("acl: commands, subcommands, categories and first arguments") {
  const Fixture f;
  const User user = f.user({"~*", "&*", "+@read", "+config|get", "+select|0", "+select|7"});
  CHECK(f.denial(user, {"get", "k"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"put", "k", "v"}) == AclDenial::kCommand);
  CHECK(f.denial(user, {"config", "get", "x"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"CONFIG", "SET", "x", "y"}) == AclDenial::kCommand);
  CHECK(f.denial(user, {"select", "0"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"select", "7"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"select", "1"}) == AclDenial::kCommand);
  const User later = f.user({"~*", "+select|0", "-select"});
  CHECK(f.denial(later, {"select", "0"}) == AclDenial::kCommand);
}

TEST_CASE("acl: rules that no longer matter are not kept") {
  const Fixture f;
  const auto described = [&](std::initializer_list<std::string_view> rules) {
    return describe_commands(f.user(rules).rules.selectors.front());
  };
  CHECK(described({"+GET", "+get", "-get", "+put"}) == "-@all -get +put");
  CHECK(described({"+config|get", "-config|set", "+config"}) == "-@all +config");
  CHECK(described({"+@string", "+@write", "-@STRING"}) == "-@all +@write -@string");
  CHECK(described({"+get", "+@all", "-config|set"}) == "+@all -config|set");
  CHECK(described({"+@all", "+get", "nocommands"}) == "-@all");
}

TEST_CASE("acl: keys by what is done with them") {
  const Fixture f;
  const User user = f.user({"+@all", "%R~r*", "%W~w*", "%rW~b*"});
  CHECK(describe_keys(user.rules.selectors.front()) == "%R~r* %W~w* ~b*");
  CHECK(f.denial(user, {"get", "r1"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"get", "w1"}) == AclDenial::kKey);
  CHECK(f.denial(user, {"put", "w1", "x"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"put", "r1", "x"}) == AclDenial::kKey);
  CHECK(f.denial(user, {"move", "b1", "w1"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"move", "r1", "w1"}) == AclDenial::kKey);
  // Whether a key exists may be asked with either right, but with one of them.
  CHECK(f.denial(user, {"exists", "r1", "w1"}) == AclDenial::kNone);
  const AclVerdict verdict = f.check(user, {"exists", "r1", "x", "y"});
  CHECK(verdict.denial == AclDenial::kKey);
  CHECK(verdict.position == 2);
  // A pattern that is a prefix is compared as one; the rest by glob.
  const User globs = f.user({"+@all", "~ab*", "~x?z*", "~lit\\*"});
  CHECK(f.denial(globs, {"get", "ab"}) == AclDenial::kNone);
  CHECK(f.denial(globs, {"get", "abc"}) == AclDenial::kNone);
  CHECK(f.denial(globs, {"get", "a"}) == AclDenial::kKey);
  CHECK(f.denial(globs, {"get", "xyz1"}) == AclDenial::kNone);
  CHECK(f.denial(globs, {"get", "xy"}) == AclDenial::kKey);
  CHECK(f.denial(globs, {"get", "lit*"}) == AclDenial::kNone);
  CHECK(f.denial(globs, {"get", "lite"}) == AclDenial::kKey);
  // The two halves of a right, given one after the other, are the whole.
  CHECK(describe_keys(f.user({"%R~a", "%W~a"}).rules.selectors.front()) == "~a");
}

TEST_CASE("acl: a call must fit one selector with all it does") {
  const Fixture f;
  const User user = f.user({"+get", "~root", "(+@write ~w*)", "(+move ~* -@all +get)"});
  CHECK(user.rules.selectors.size() == 3);
  CHECK(f.denial(user, {"get", "root"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"put", "w1", "x"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"move", "w1", "w2"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"move", "w1", "root"}) == AclDenial::kKey);
  CHECK(f.denial(user, {"get", "any"}) == AclDenial::kNone);
  CHECK(describe_user(user.rules) ==
        "off sanitize-payload ~root resetchannels -@all +get (~w* resetchannels -@all +@write) (~* resetchannels -@all +get)");
}

TEST_CASE("acl: channels by pattern, patterns as they are written") {
  const Fixture f;
  const User user = f.user({"+@all", "~*", "&news", "&sport.*"});
  CHECK(f.denial(user, {"publish", "sport.chess", "x"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"publish", "weather", "x"}) == AclDenial::kChannel);
  CHECK(f.denial(user, {"subscribe", "news", "sport.1"}) == AclDenial::kNone);
  CHECK(f.check(user, {"subscribe", "news", "weather"}).position == 2);
  CHECK(f.denial(user, {"psubscribe", "sport.*"}) == AclDenial::kNone);
  CHECK(f.denial(user, {"psubscribe", "sport.c*"}) == AclDenial::kChannel);
  CHECK(acl_may_use_channel(user, "news", false));
  CHECK_FALSE(acl_may_use_channel(user, "n*", true));
}

TEST_CASE("acl: rules that make no sense are refused") {
  const Fixture f;
  const auto error = [&](std::initializer_list<std::string_view> rules) {
    UserRules built = new_user_rules(f.scope());
    AclRuleError last = AclRuleError::kNone;
    for (const std::string_view rule : rules) last = f.apply(&built, rule);
    return last;
  };
  CHECK(error({"+nosuch"}) == AclRuleError::kUnknownCommand);
  CHECK(error({"-config|nosuch"}) == AclRuleError::kUnknownCommand);
  CHECK(error({"+@nosuch"}) == AclRuleError::kUnknownCommand);
  CHECK(error({"+get|a|b"}) == AclRuleError::kUnknownCommand);
  CHECK(error({"+config|get|x"}) == AclRuleError::kFirstArgOfSubcommand);
  CHECK(error({"+select|"}) == AclRuleError::kSyntax);
  CHECK(error({"~*", "~a"}) == AclRuleError::kAfterAllKeys);
  CHECK(error({"&*", "&a"}) == AclRuleError::kAfterAllChannels);
  CHECK(error({"%X~a"}) == AclRuleError::kSyntax);
  CHECK(error({"%~a"}) == AclRuleError::kSyntax);
  CHECK(error({"%RR~a"}) == AclRuleError::kSyntax);
  CHECK(error({"~a b"}) == AclRuleError::kSyntax);
  CHECK(error({"<nosuch"}) == AclRuleError::kNoSuchPassword);
  CHECK(error({"#abc"}) == AclRuleError::kBadHash);
  CHECK(error({"(+get", "x"}) == AclRuleError::kSyntax);
  CHECK(error({"(on)"}) == AclRuleError::kSyntax);
}

TEST_CASE("acl: passwords are kept as hashes") {
  const Fixture f;
  CHECK(hash_password("passwd4") == "34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6");
  UserRules rules = new_user_rules(f.scope());
  CHECK_FALSE(password_matches(rules, ""));
  REQUIRE(f.apply(&rules, ">one") == AclRuleError::kNone);
  REQUIRE(f.apply(&rules, "#" + hash_password("two")) == AclRuleError::kNone);
  CHECK(password_matches(rules, "one"));
  CHECK(password_matches(rules, "two"));
  CHECK_FALSE(password_matches(rules, "three"));
  REQUIRE(f.apply(&rules, "<one") == AclRuleError::kNone);
  CHECK_FALSE(password_matches(rules, "one"));
  REQUIRE(f.apply(&rules, "nopass") == AclRuleError::kNone);
  CHECK(rules.passwords.empty());
  CHECK(password_matches(rules, "anything"));
}

TEST_CASE("acl: what is described and read back is the same user") {
  const Fixture f;
  const User user = f.user({"on", ">pw", "+@all", "-@write", "+put", "%R~a*", "~b?", "&n*", "(~x -@all +get)", "(&* +@read)"});
  std::map<std::string, UserRules> loaded;
  CHECK(parse_acl_file(f.scope(), "users.acl", "\n  user alice " + describe_user(user.rules) + " \r\n\n", &loaded).empty());
  REQUIRE(loaded.size() == 1);
  const UserRules& again = loaded.at("alice");
  CHECK(describe_user(again) == describe_user(user.rules));
  for (size_t i = 0; i < again.selectors.size(); ++i) {
    CHECK(again.selectors[i].commands == user.rules.selectors[i].commands);
    CHECK(again.selectors[i].first_args == user.rules.selectors[i].first_args);
  }
}

TEST_CASE("acl: all that is wrong with a file is told, with its lines") {
  const Fixture f;
  std::map<std::string, UserRules> loaded;
  const std::string errors = parse_acl_file(f.scope(), "f", "user a +nosuch bad worse\nalice on\nuser a on\nuser b (+get", &loaded);
  CHECK(errors ==
        "f:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. f:1: Syntax error. "
        "f:2 should start with user keyword followed by the username. WARNING: Duplicate user 'a' found on line 3. "
        "f:4: Unmatched parenthesis in selector definition.");
}

TEST_CASE("acl: rules name commands as they were declared, whatever rename-command made of them") {
  const std::vector<std::pair<std::string, std::string>> renames = {{"config", "hidden"}, {"select", ""}};
  const CommandTable table(std::vector<CommandFamily>{kRows}, renames);
  UserRules rules = new_user_rules({table, false});
  for (const std::string_view rule : {"+config|get", "+select|0", "-select"}) {
    CHECK(apply_acl_rule({table, false}, rule, &rules) == AclRuleError::kNone);
  }
  CHECK(describe_commands(rules.selectors.front()) == "-@all +config|get -select");
  const User user("alice", 1, rules);
  const std::vector<std::string_view> call = {"hidden", "get", "x"};
  CHECK(acl_verdict(user, table, *table.find_call(call), call).denial == AclDenial::kNone);
}

TEST_CASE("acl: selectors may be written as several words") {
  const std::vector<std::string_view> words = {"on", "(+get", "~a", ")", "(+put)"};
  const auto joined = join_selectors(words);
  REQUIRE(joined.has_value());
  CHECK(*joined == std::vector<std::string>{"on", "(+get ~a )", "(+put)"});
  const std::vector<std::string_view> open = {"on", "(+get", "~a"};
  std::string_view unmatched;
  CHECK_FALSE(join_selectors(open, &unmatched).has_value());
  CHECK(unmatched == "(+get");
}
