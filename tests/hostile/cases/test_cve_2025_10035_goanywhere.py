"""CVE-2025-10035: Fortra GoAnywhere MFT, September 2025

There: deserialisation in the same servlet again, behind a signature check that a forged licence passed; then a back-door administrator, `.jsp`, remote tools, rclone.
Needs: here an object that is built because something about it is signed.
Here: P6: a signature decides who speaks and never that what was said may be built or run; the licence dance has no address, and its error page no token in it.
"""
import base64
import gzip

from lib.cases import JAVA_OBJECT


def signed_object():
    """SignedObject(payload, signature, algorithm), as a stream of the same class names with a harmless payload in it."""
    name = b"java.security.SignedObject"
    return b"\xac\xed\x00\x05sr" + len(name).to_bytes(2, "big") + name + b"\x09\xff\xbdh*<\xd5\xff\x02\x00\x03[\x00\x07content" + JAVA_OBJECT + b"SHA1withDSA" + bytes(46)


def test_a_licence_that_is_signed(house):
    with house.attack() as thief:
        # an error page of a wrong state hands out the token of the licence dance
        for path in ("/goanywhere/license/Unlicensed.xhtml/x?javax.faces.ViewState=x&GARequestAction=activate", "/goanywhere/lic/request", "/goanywhere/license/Unlicensed.xhtml"):
            reply = thief.refused("GET", path)
            assert b"bundle" not in reply.body and "location" not in reply.fields
        guid = "01234567-89ab-cdef-0123-456789abcdef"
        for body in (signed_object(), gzip.compress(signed_object())):
            packed = base64.urlsafe_b64encode(body).decode()
            for path in (f"/goanywhere/lic/accept/{guid}", "/goanywhere/lic/accept"):
                thief.refused("POST", path, form={"bundle": f"{packed}$2"})
                thief.refused("POST", path, "Content-Encoding: gzip", "Content-Type: application/octet-stream", body=body)
        for after in ("/goanywhere/admin/Users.xhtml", "/goanywhere/x.jsp?cmd=id", "/SimpleHelp/", "/toolbox/resource/../../x"):
            thief.refused("GET", after)
