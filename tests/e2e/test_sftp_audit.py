"""What ssh-audit, an independent judge of SSH servers, says of the door."""
import json
import re
import subprocess

# Said by ssh-audit 2.5 of what the door is asked to have all the same; each with its reason.
OPINIONS = {
    ("ecdh-sha2-nistp256", "using weak elliptic curves"),  # FIPS 140-3 approves these curves and no other of the door's
    ("ecdh-sha2-nistp384", "using weak elliptic curves"),
    ("ecdsa-sha2-nistp256", "using weak elliptic curves"),
    ("ecdsa-sha2-nistp256", "using weak random number generator could reveal the key"),  # of any ECDSA; OpenSSL's is not weak
    ("kex-strict-s-v00@openssh.com", "unknown algorithm"),  # the answer to Terrapin is younger than ssh-audit 2.5
}


def audit(server, *flags):
    argv = ["ssh-audit", "--no-colors", "-p", str(server.sftp_port), *flags, "127.0.0.1"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120).stdout


def complaints(text):
    """{(algorithm, sentence)} of everything that is a warning or a failure."""
    found, name, seen = set(), None, set()
    for line in text.splitlines():
        head = re.match(r"\((kex|key|enc|mac|cmp|gen|sec|cve)\)\s+(\S+)", line)
        if head:
            name = head.group(2)
            seen.add(head.group(1))
        grade = re.search(r"\[(warn|fail)\] (.*)", line)
        if grade:
            found.add((name, grade.group(2).strip()))
        elif line.startswith("(cve)") or line.startswith("(sec)"):
            found.add((line[:5], line))
    assert {"kex", "key", "enc", "mac"} <= seen, f"ssh-audit saw nothing:\n{text}"
    return found


def test_no_warning(sftp_server):
    text = audit(sftp_server)
    assert complaints(text) <= OPINIONS, text


def test_the_opinions_are_still_held(sftp_server):
    """One that ssh-audit has given up, or an algorithm that is gone, is not excused any longer."""
    assert complaints(audit(sftp_server)) == OPINIONS


def test_no_known_weakness(sftp_server):
    """By its JSON: no CVE fits the banner, RSA has 3072 bits, nothing is compressed, and only what is wanted is there."""
    found = json.loads(audit(sftp_server, "-j"))
    assert not found.get("cves")
    assert found["compression"] == ["none"]
    assert {k["algorithm"]: k.get("keysize") for k in found["key"] if "rsa" in k["algorithm"]} == {"rsa-sha2-512": 3072, "rsa-sha2-256": 3072}
    assert set(found["enc"]) == {"aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr", "aes128-ctr"}
    assert set(found["mac"]) == {"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"}
    assert {k["algorithm"] for k in found["kex"]} == {"curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
                                                      "kex-strict-s-v00@openssh.com"}
    assert not re.search(r"\d", found["banner"]["software"] or ""), found["banner"]
