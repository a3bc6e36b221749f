"""CVE-2023-40044: Progress WS_FTP Server, September 2023

There: a module in front of the Ad Hoc Transfer pages looked for parts of a multipart body that are its own state, and deserialised them, before any login.
Needs: here a multipart body that is read before the token was looked at, or a part that is more than a name and bytes.
Here: P4, P6: the token comes first; of a body three texts and one file are taken, and none is an object.
"""
import base64


def test_multipart_state(house):
    gadget = base64.b64encode(b"\0\1\0\0\0\xff\xff\xff\xff\1\0\0\0\0\0\0\0\x0c\2\0\0\0" + f"cmd /c touch {house.trace}".encode())
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        home = thief.http("GET", "/api/v1/users/self", token=token).json()["homeFolderID"]
        for name in (b"::" + gadget + b"\r\n", b"name=\"::AHT_DEFAULT_UPLOAD_PARAMETER::" + gadget, b"name=\"__VIEWSTATE\"", b"name=\"file\"; filename*=UTF-8''::" + gadget, b"name=\"hash\"", b"name=\"hashtype\""):
            body = b"--b\r\nContent-Disposition: form-data; " + name + b"\r\n\r\n" + gadget + b"\r\n--b--\r\n"
            for path in ("/AHT/AhtApiService.asmx/AuthUser", "/AHT/", "/ThinClient/WTM/public/index.html", f"/api/v1/folders/{home}/files", "/api/v1/token", "/api/v1/files"):
                thief.refused("POST", path, "Content-Type: multipart/form-data; boundary=b", body=body)
            thief.http("POST", f"/api/v1/folders/{home}/files", "Content-Type: multipart/form-data; boundary=b", body=body, token=token)


def test_the_token_comes_first(house):
    """A body that never ends does not get anybody an answer before the refusal."""
    with house.attack() as thief:
        reply = thief.send(b"POST /api/v1/folders/1/files HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000000\r\n\r\n--b\r\n")
        assert reply.status == 401
