"""Makes the certificates that the TLS tests need, with the openssl program: an authority, a server, a client, one for both
uses, and DH parameters. Valid for two days.

    tests/certificates.py FOLDER [NAME_OF_THE_ONE_FOR_BOTH_USES]"""
import os
import subprocess
import sys

USES = {"server": "nsCertType=server\n", "client": "nsCertType=client\n"}


def make(folder, both="both"):
    os.makedirs(folder, exist_ok=True)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
            "-subj", "/O=Synap test/CN=Certificate Authority")
    for name in ("server", "client", both):
        with open(os.path.join(folder, name + ".ext"), "w", encoding="utf-8") as file:
            file.write("keyUsage=digitalSignature,keyEncipherment\n" + USES.get(name, ""))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr",
                "-subj", f"/O=Synap test/CN={name.capitalize()}")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", name + ".crt", "-days", "2", "-extfile", name + ".ext")
    openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", both + ".dh")


if __name__ == "__main__":
    make(*sys.argv[1:])
