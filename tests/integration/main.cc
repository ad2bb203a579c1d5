// The main of the integration tests. Each test starts a server of its own and leaves nothing behind.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
