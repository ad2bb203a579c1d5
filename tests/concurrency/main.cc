// The main of the concurrency tests: many client threads against one server with several reactors, best built with TSan.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
