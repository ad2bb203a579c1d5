// Every fixed error text that clients may see, with its code, as Redis words it. Texts with a variable part are
// written where they arise, from the prefixes here where several places share them. Append-only: grep first.
#pragma once

#include <string_view>

namespace synap {

// Arguments.
inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotIntegerError = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotFloatError = "ERR value is not a valid float";
inline constexpr std::string_view kOutOfRangeError = "ERR value is out of range";
inline constexpr std::string_view kMustBePositiveError = "ERR value is out of range, must be positive";
inline constexpr std::string_view kIndexOutOfRangeError = "ERR index out of range";
inline constexpr std::string_view kOffsetOutOfRangeError = "ERR offset is out of range";
inline constexpr std::string_view kInvalidCursorError = "ERR invalid cursor";
inline constexpr std::string_view kDbNotIntegerError = "ERR invalid DB index";
inline constexpr std::string_view kDbOutOfRangeError = "ERR DB index is out of range";
inline constexpr std::string_view kTimeoutNotFloatError = "ERR timeout is not a float or out of range";
inline constexpr std::string_view kTimeoutNotIntegerError = "ERR timeout is not an integer or out of range";
inline constexpr std::string_view kTimeoutOutOfRangeError = "ERR timeout is out of range";
inline constexpr std::string_view kTimeoutNegativeError = "ERR timeout is negative";
inline constexpr std::string_view kNumkeysNotIntegerError = "ERR numkeys should be greater than 0";
inline constexpr std::string_view kNumkeysTooBigError = "ERR Number of keys can't be greater than number of args";
inline constexpr std::string_view kNumkeysNegativeError = "ERR Number of keys can't be negative";
inline constexpr std::string_view kIncrementOverflowError = "ERR increment or decrement would overflow";
inline constexpr std::string_view kDecrementOverflowError = "ERR decrement would overflow";
inline constexpr std::string_view kIncrementNanError = "ERR increment would produce NaN or Infinity";
inline constexpr std::string_view kStringTooLongError = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
inline constexpr std::string_view kMinMaxNotFloatError = "ERR min or max is not a float";
inline constexpr std::string_view kMinMaxNotLexError = "ERR min or max not valid string range item";

// `ERR wrong number of arguments for 'get' command`: the command's full name ("config|get") goes between.
inline constexpr std::string_view kArityErrorBegin = "ERR wrong number of arguments for '";
inline constexpr std::string_view kArityErrorEnd = "' command";
// `ERR invalid expire time in 'set' command`.
inline constexpr std::string_view kExpireErrorBegin = "ERR invalid expire time in '";
inline constexpr std::string_view kExpireErrorEnd = "' command";
// `ERR unknown command 'foo', with args beginning with: 'a' 'b' `.
inline constexpr std::string_view kUnknownCommandBegin = "ERR unknown command '";
inline constexpr std::string_view kUnknownCommandMiddle = "', with args beginning with: ";
// `ERR unknown subcommand 'x'. Try CONFIG HELP.`
inline constexpr std::string_view kUnknownSubcommandBegin = "ERR unknown subcommand '";
inline constexpr std::string_view kUnknownSubcommandMiddle = "'. Try ";
inline constexpr std::string_view kUnknownSubcommandEnd = " HELP.";
// `ERR unknown subcommand or wrong number of arguments for 'x'. Try CLIENT HELP.`
inline constexpr std::string_view kUnknownSubcommandArityBegin =
    "ERR unknown subcommand or wrong number of arguments for '";

// Keys and values.
inline constexpr std::string_view kWrongTypeError = "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNoSuchKeyError = "ERR no such key";
inline constexpr std::string_view kSameObjectError = "ERR source and destination objects are the same";
inline constexpr std::string_view kBusyKeyError = "BUSYKEY Target key name already exists.";
inline constexpr std::string_view kHashNotIntegerError = "ERR hash value is not an integer";
inline constexpr std::string_view kHashNotFloatError = "ERR hash value is not a float";
inline constexpr std::string_view kBadDumpPayloadError = "ERR DUMP payload version or checksum are wrong";
inline constexpr std::string_view kBadDataFormatError = "ERR Bad data format";

// Authentication and permissions. The NOPERM texts for commands are built in the ACL.
inline constexpr std::string_view kNoAuthError = "NOAUTH Authentication required.";
inline constexpr std::string_view kWrongPassError = "WRONGPASS invalid username-password pair or user is disabled.";
inline constexpr std::string_view kAuthWithoutPasswordError =
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?";
inline constexpr std::string_view kHelloNoAuthError =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time";
inline constexpr std::string_view kNoProtoError = "NOPROTO unsupported protocol version";
inline constexpr std::string_view kProtocolNotIntegerError = "ERR Protocol version is not an integer or out of range";
inline constexpr std::string_view kNoPermUserBegin = "NOPERM User ";
inline constexpr std::string_view kNoPermCommandMiddle = " has no permissions to run the '";
inline constexpr std::string_view kNoPermCommandEnd = "' command";
inline constexpr std::string_view kNoPermKeyError = "NOPERM No permissions to access a key";
inline constexpr std::string_view kNoPermChannelError = "NOPERM No permissions to access a channel";

// States of the server that forbid commands.
inline constexpr std::string_view kLoadingError = "LOADING Redis is loading the dataset in memory";
inline constexpr std::string_view kBusyScriptError =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
inline constexpr std::string_view kBusyFunctionError =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
inline constexpr std::string_view kReadOnlyError = "READONLY You can't write against a read only replica.";
inline constexpr std::string_view kMasterDownError =
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
inline constexpr std::string_view kOutOfMemoryError = "OOM command not allowed when used memory > 'maxmemory'.";
inline constexpr std::string_view kNoReplicasError = "NOREPLICAS Not enough good replicas to write.";
inline constexpr std::string_view kMisconfRdbError =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error.";
inline constexpr std::string_view kMisconfAofBegin = "MISCONF Errors writing to the AOF file: ";
inline constexpr std::string_view kMaxClientsError = "ERR max number of clients reached";
inline constexpr std::string_view kProtectedModeError =
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. If you want to connect "
    "from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode "
    "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the "
    "same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. "
    "Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by "
    "editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the "
    "server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' "
    "option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above "
    "things in order for the server to start accepting connections from the outside.";

// Transactions, scripts, blocking.
inline constexpr std::string_view kExecAbortError = "EXECABORT Transaction discarded because of previous errors.";
inline constexpr std::string_view kExecAbortBegin = "EXECABORT Transaction discarded because of: ";
inline constexpr std::string_view kNestedMultiError = "ERR MULTI calls can not be nested";
inline constexpr std::string_view kExecWithoutMultiError = "ERR EXEC without MULTI";
inline constexpr std::string_view kDiscardWithoutMultiError = "ERR DISCARD without MULTI";
inline constexpr std::string_view kWatchInMultiError = "ERR WATCH inside MULTI is not allowed";
inline constexpr std::string_view kNotInTransactionError = "ERR Command not allowed inside a transaction";
inline constexpr std::string_view kNoScriptError = "NOSCRIPT No matching script. Please use EVAL.";
inline constexpr std::string_view kNotBusyError = "NOTBUSY No scripts in execution right now.";
inline constexpr std::string_view kUnblockedError = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
inline constexpr std::string_view kUnblockedStateError =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
inline constexpr std::string_view kCrossSlotError = "CROSSSLOT Keys in request don't hash to the same slot";
// `ERR Can't execute 'get': only (P|S)SUBSCRIBE / …`: a RESP2 client that subscribed.
inline constexpr std::string_view kSubscribedBegin = "ERR Can't execute '";
inline constexpr std::string_view kSubscribedEnd =
    "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";

// The wire. The parser names one of these and the connection closes after it was sent.
inline constexpr std::string_view kInlineTooBigError = "ERR Protocol error: too big inline request";
inline constexpr std::string_view kUnbalancedQuotesError = "ERR Protocol error: unbalanced quotes in request";
inline constexpr std::string_view kMultibulkStringTooBigError = "ERR Protocol error: too big mbulk count string";
inline constexpr std::string_view kMultibulkLengthError = "ERR Protocol error: invalid multibulk length";
inline constexpr std::string_view kMultibulkUnauthenticatedError =
    "ERR Protocol error: unauthenticated multibulk length";
inline constexpr std::string_view kBulkStringTooBigError = "ERR Protocol error: too big bulk count string";
inline constexpr std::string_view kBulkLengthError = "ERR Protocol error: invalid bulk length";
inline constexpr std::string_view kBulkUnauthenticatedError = "ERR Protocol error: unauthenticated bulk length";
inline constexpr std::string_view kExpectedDollarBegin = "ERR Protocol error: expected '$', got '";

// CLIENT, COMMAND, connection.
inline constexpr std::string_view kNoSuchClientError = "ERR No such client";
inline constexpr std::string_view kNoSuchClientIdError = "ERR No such client ID";
inline constexpr std::string_view kInvalidClientIdError = "ERR Invalid client ID";
inline constexpr std::string_view kClientIdPositiveError = "ERR client-id should be greater than 0";
inline constexpr std::string_view kClientNameError =
    "ERR Client names cannot contain spaces, newlines or special characters.";
inline constexpr std::string_view kClientPauseModeError = "ERR CLIENT PAUSE mode must be WRITE or ALL";
inline constexpr std::string_view kClientUnblockReasonError = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
inline constexpr std::string_view kNoKeyArgumentsError = "ERR The command has no key arguments";
inline constexpr std::string_view kInvalidCommandError = "ERR Invalid command specified";
inline constexpr std::string_view kInvalidCommandArgsError = "ERR Invalid arguments specified for command";
inline constexpr std::string_view kInvalidCommandArityError = "ERR Invalid number of arguments specified for command";

// Hashes, sets, scans.
inline constexpr std::string_view kNovaluesError = "ERR NOVALUES option can only be used in HSCAN";
inline constexpr std::string_view kNoscoresError = "ERR NOSCORES option can only be used in ZSCAN";
inline constexpr std::string_view kLongRangeError =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
inline constexpr std::string_view kValueNanError = "ERR value is NaN or Infinity";
inline constexpr std::string_view kLimitNegativeError = "ERR LIMIT can't be negative";
inline constexpr std::string_view kFieldsMissingError =
    "ERR Mandatory argument FIELDS is missing or not at the right position";
inline constexpr std::string_view kFieldCountPositiveError = "ERR Number of fields must be a positive integer";
inline constexpr std::string_view kFieldCountZeroError = "ERR Parameter `numFields` should be greater than 0";
inline constexpr std::string_view kFieldCountMismatchError =
    "ERR The `numfields` parameter must match the number of arguments";
inline constexpr std::string_view kFieldCountInvalidError = "ERR invalid number of fields";
inline constexpr std::string_view kFieldExpireNegativeError = "ERR invalid expire time, must be >= 0";
inline constexpr std::string_view kGetexOneExpiryError =
    "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified";
inline constexpr std::string_view kSetexOneExpiryError =
    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
inline constexpr std::string_view kSetexOneConditionError = "ERR Only one of FXX or FNX arguments can be specified";
inline constexpr std::string_view kMissingFieldsError = "ERR missing FIELDS argument";
inline constexpr std::string_view kMissingExpireError = "ERR missing expire time";
inline constexpr std::string_view kUnknownArgumentBegin = "ERR unknown argument: ";

// Sorted sets and geo.
inline constexpr std::string_view kXxNxError = "ERR XX and NX options at the same time are not compatible";
inline constexpr std::string_view kGtLtNxError = "ERR GT, LT, and/or NX options at the same time are not compatible";
inline constexpr std::string_view kIncrPairError = "ERR INCR option supports a single increment-element pair";
inline constexpr std::string_view kScoreNanError = "ERR resulting score is not a number (NaN)";
inline constexpr std::string_view kWeightNotFloatError = "ERR weight value is not a float";
inline constexpr std::string_view kLimitByRankError =
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
inline constexpr std::string_view kWithscoresByLexError =
    "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
inline constexpr std::string_view kGeoUnitError = "ERR unsupported unit provided. please use M, KM, FT, MI";
inline constexpr std::string_view kGeoMemberError = "ERR could not decode requested zset member";
inline constexpr std::string_view kGeoCountError = "ERR COUNT must be > 0";
inline constexpr std::string_view kGeoAnyError = "ERR the ANY argument requires COUNT argument";
inline constexpr std::string_view kGeoRadiusError = "ERR need numeric radius";
inline constexpr std::string_view kGeoRadiusNegativeError = "ERR radius cannot be negative";
inline constexpr std::string_view kGeoWidthError = "ERR need numeric width";
inline constexpr std::string_view kGeoHeightError = "ERR need numeric height";
inline constexpr std::string_view kGeoBoxNegativeError = "ERR height or width cannot be negative";
inline constexpr std::string_view kGeoVerticesError = "ERR invalid number of vertices";
inline constexpr std::string_view kGeoPolygonError = "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices";
inline constexpr std::string_view kCountPositiveError = "ERR count should be greater than 0";

}  // namespace synap
