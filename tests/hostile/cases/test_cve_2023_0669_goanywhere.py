"""CVE-2023-0669: Fortra GoAnywhere MFT, January 2023

There: the licence servlet took an object graph from anybody, "protected" by an AES key and IV that are the same in every installation; 130 organisations in ten days.
Needs: here an address that takes a serialised object, and code that builds one.
Here: P6, P5: there is no deserialiser; bodies are forms, JSON of a few strings, or a file's content that nobody looks into.
"""
import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lib.cases import JAVA_OBJECT


def bundle(version):
    """The published way to wrap it: PBKDF2 of a known text, AES-256-CBC with a known IV."""
    salt = bytes(n & 0xFF for n in (-19, 45, -32, -73, 65, 123, -7, 85))
    if version == 1:
        key, iv = hashlib.pbkdf2_hmac("sha1", b"go@nywhereLicenseP@$$wrd", salt, 9535, 32), b"AES/CBC/PKCS5Pad"
    else:
        key, iv = hashlib.pbkdf2_hmac("sha1", b"pFRgrOMhauusY2ZDShTsqq2oZXKtoW7R", salt, 3392, 32), bytes([-124 & 0xFF]) * 16
    pad = padding.PKCS7(128).padder()
    seal = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    sealed = seal.update(pad.update(JAVA_OBJECT) + pad.finalize()) + seal.finalize()
    return base64.urlsafe_b64encode(sealed).decode() + ("$2" if version == 2 else "")


@pytest.mark.parametrize("version", [1, 2])
def test_the_licence_servlet(house, version):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for who in (None, token):
            for path in ("/goanywhere/lic/accept", "/lic/accept", "/goanywhere/lic/request", "/api/v1/lic/accept"):
                assert thief.refused("POST", path, form={"bundle": bundle(version)}, token=who).status == 404
                assert thief.refused("GET", f"{path}?bundle={bundle(version)}", token=who).status == 404
        # where a body is taken: at the token form, the JSON of a folder, multipart
        thief.refused("POST", "/api/v1/token", "Content-Type: application/x-java-serialized-object", body=JAVA_OBJECT)
        thief.refused("POST", "/api/v1/folders/1/subfolders", "Content-Type: application/x-java-serialized-object", body=JAVA_OBJECT, token=token)
        for path in ("/goanywhere/Errors.jsp", "/Errors.jsp", "/goanywhere/auth/Login.xhtml"):
            thief.refused("GET", path)
