// A session against OpenSSL's own client, without sockets: certificates are made here.
#include "server/net/tls_session.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace synap;

namespace {

// A key and a certificate signed by itself, in files of a folder that goes away.
class Files {
 public:
  Files() : folder_(std::filesystem::temp_directory_path() / ("synap-tls-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    EVP_PKEY* key = EVP_RSA_gen(2048);
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen(certificate_path().c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_path().c_str(), "w");
    PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), reinterpret_cast<const unsigned char*>("secret"), 6, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Files() { std::filesystem::remove_all(folder_); }

  std::string certificate_path() const { return folder_ / "cert.pem"; }
  std::string key_path() const { return folder_ / "key.pem"; }
  TlsSettings settings() const {
    TlsSettings settings;
    settings.cert_file = certificate_path();
    settings.key_file = key_path();
    settings.key_file_pass = "secret";
    settings.ca_cert_file = certificate_path();
    return settings;
  }

 private:
  const std::filesystem::path folder_;
};

std::shared_ptr<const TlsContext> context_of(const TlsSettings& settings) {
  auto context = TlsContext::make(settings);
  REQUIRE_MESSAGE(context.ok(), context.status().detail());
  return *context;
}

// The other end: OpenSSL's client on memory BIOs.
class Peer {
 public:
  explicit Peer(const Files* identity = nullptr)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(SSL_new(context_.get()), SSL_free) {
    if (identity != nullptr) {
      SSL_set_default_passwd_cb_userdata(ssl_.get(), const_cast<char*>("secret"));
      REQUIRE(SSL_use_certificate_file(ssl_.get(), identity->certificate_path().c_str(), SSL_FILETYPE_PEM) == 1);
      REQUIRE(SSL_use_PrivateKey_file(ssl_.get(), identity->key_path().c_str(), SSL_FILETYPE_PEM) == 1);
    }
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }

  ssl_st* ssl() { return ssl_.get(); }
  std::string take_output() {
    std::string bytes(static_cast<size_t>(BIO_ctrl_pending(SSL_get_wbio(ssl_.get()))), '\0');
    if (!bytes.empty()) BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void give(const std::string& bytes) {
    if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  }
  std::string read_all() {
    std::string all;
    char buffer[20000];
    for (int n; (n = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<size_t>(n));
    return all;
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

// Lets both talk until the server's side has come to an end. `piece`: bytes per feed.
TlsSession::Step shake_hands(TlsSession* session, Peer* peer, size_t piece = 1 << 20) {
  for (int round = 0; round < 10; ++round) {
    SSL_do_handshake(peer->ssl());
    const std::string bytes = peer->take_output();
    TlsSession::Step step = TlsSession::Step::kNeedsInput;
    for (size_t at = 0; at < bytes.size() && step == TlsSession::Step::kNeedsInput; at += piece) {
      session->feed(std::string_view(bytes).substr(at, piece));
      step = session->handshake();
      session->keep_input();
    }
    peer->give(session->output().to_string());
    session->output().clear();
    if (step != TlsSession::Step::kNeedsInput) return step;
  }
  return TlsSession::Step::kNeedsInput;
}

std::string read_all(TlsSession* session, TlsSession::Step* last) {
  std::string all;
  std::vector<char> buffer(32 * 1024);
  for (;;) {
    size_t count = 0;
    *last = session->read(buffer, &count);
    if (*last != TlsSession::Step::kDone) return all;
    all.append(buffer.data(), count);
  }
}

}  // namespace

TEST_CASE("tls: bytes go both ways, in whatever pieces they come") {
  const Files files;
  const auto context = context_of(files.settings());
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100}, size_t{1} << 20}) {
    TlsSession session(*context, TlsClientCertificates::kIgnored);
    Peer peer;
    REQUIRE(shake_hands(&session, &peer, piece) == TlsSession::Step::kDone);
    REQUIRE(session.established());

    std::string sent;
    for (size_t i = 0; sent.size() < 50000; ++i) sent += std::to_string(i);
    SSL_write(peer.ssl(), sent.data(), static_cast<int>(sent.size()));
    const std::string records = peer.take_output();
    std::string got;
    TlsSession::Step last = TlsSession::Step::kNeedsInput;
    for (size_t at = 0; at < records.size(); at += piece) {
      session.feed(std::string_view(records).substr(at, piece));
      got += read_all(&session, &last);
      CHECK(last == TlsSession::Step::kNeedsInput);
      CHECK(session.drained());
    }
    CHECK(got == sent);

    OutputBuffer plain;
    for (int i = 0; i < 30; ++i) plain.append(sent);
    REQUIRE(session.encrypt(&plain, 100000));
    CHECK(plain.size() == 30 * sent.size() - 100000);
    REQUIRE(session.encrypt(&plain, 1 << 30));
    CHECK(plain.empty());
    peer.give(session.output().to_string());
    session.output().clear();
    const std::string answered = peer.read_all();
    CHECK(answered.size() == 30 * sent.size());
    CHECK(answered.substr(sent.size() * 29) == sent);
  }
}

TEST_CASE("tls: a goodbye is told from an end that was cut off") {
  const Files files;
  const auto context = context_of(files.settings());
  TlsSession session(*context, TlsClientCertificates::kIgnored);
  Peer peer;
  REQUIRE(shake_hands(&session, &peer) == TlsSession::Step::kDone);
  SSL_shutdown(peer.ssl());
  const std::string goodbye = peer.take_output();
  session.feed(goodbye);
  TlsSession::Step last;
  CHECK(read_all(&session, &last).empty());
  CHECK(last == TlsSession::Step::kClosed);
  session.say_goodbye();
  peer.give(session.output().to_string());
  char byte;
  CHECK(SSL_read(peer.ssl(), &byte, 1) <= 0);
  CHECK(SSL_get_shutdown(peer.ssl()) == (SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN));
}

TEST_CASE("tls: damaged records and plain text end the session with a reason") {
  const Files files;
  const auto context = context_of(files.settings());
  TlsSession plain(*context, TlsClientCertificates::kIgnored);
  plain.feed("PING\r\n");
  CHECK(plain.handshake() == TlsSession::Step::kFailed);
  CHECK(plain.error().find("wrong version number") != std::string::npos);

  TlsSession session(*context, TlsClientCertificates::kIgnored);
  Peer peer;
  REQUIRE(shake_hands(&session, &peer) == TlsSession::Step::kDone);
  SSL_write(peer.ssl(), "hello", 5);
  std::string record = peer.take_output();
  record.back() = static_cast<char>(record.back() ^ 1);
  session.feed(record);
  TlsSession::Step last;
  CHECK(read_all(&session, &last).empty());
  CHECK(last == TlsSession::Step::kFailed);
  CHECK_FALSE(session.error().empty());
}

TEST_CASE("tls: client certificates are asked for as the setting says") {
  const Files files;
  const auto context = context_of(files.settings());
  const auto outcome = [&](TlsClientCertificates wanted, const Files* identity) {
    TlsSession session(*context, wanted);
    Peer peer(identity);
    return shake_hands(&session, &peer);
  };
  CHECK(outcome(TlsClientCertificates::kRequired, nullptr) == TlsSession::Step::kFailed);
  CHECK(outcome(TlsClientCertificates::kOptional, nullptr) == TlsSession::Step::kDone);
  CHECK(outcome(TlsClientCertificates::kIgnored, nullptr) == TlsSession::Step::kDone);
  CHECK(outcome(TlsClientCertificates::kRequired, &files) == TlsSession::Step::kDone);
}

TEST_CASE("tls: settings that cannot be loaded say why") {
  const Files files;
  const auto refusal = [](const TlsSettings& settings) {
    const auto context = TlsContext::make(settings);
    return context.ok() ? std::string() : context.status().detail();
  };
  TlsSettings settings = files.settings();
  CHECK(refusal(settings).empty());
  settings.key_file_pass = "wrong";
  CHECK(refusal(settings).starts_with("Failed to load private key: "));
  settings.key_file_pass.clear();
  CHECK(refusal(settings).starts_with("Failed to load private key: "));
  settings = files.settings();
  settings.cert_file = "/nonexistent";
  CHECK(refusal(settings).starts_with("Failed to load certificate: /nonexistent: error:"));
  settings = files.settings();
  settings.protocols = "TLSv1.2 TLSv9";
  CHECK(refusal(settings).starts_with("Invalid tls-protocols specified."));
  settings = files.settings();
  settings.ciphers = "NOSUCH";
  CHECK(refusal(settings) == "Failed to configure ciphers: NOSUCH");
  settings = files.settings();
  settings.ca_cert_file.clear();
  CHECK(refusal(settings).empty());
  settings.needs_ca = true;
  CHECK(refusal(settings).starts_with("Either tls-ca-cert-file or tls-ca-cert-dir must be specified"));
  settings = files.settings();
  settings.cert_file.clear();
  CHECK(refusal(settings) == "No tls-cert-file configured!");
}

TEST_CASE("tls: protocols that are not in the list are refused") {
  const Files files;
  TlsSettings settings = files.settings();
  settings.protocols = "TLSv1.2";
  const auto context = context_of(settings);
  TlsSession session(*context, TlsClientCertificates::kIgnored);
  Peer newer;
  SSL_set_min_proto_version(newer.ssl(), TLS1_3_VERSION);
  CHECK(shake_hands(&session, &newer) == TlsSession::Step::kFailed);
  TlsSession other(*context, TlsClientCertificates::kIgnored);
  Peer peer;
  CHECK(shake_hands(&other, &peer) == TlsSession::Step::kDone);
  CHECK(SSL_version(peer.ssl()) == TLS1_2_VERSION);
}
