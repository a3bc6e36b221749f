"""REQUEST SMUGGLING: two programs that see the end of a request in different places (CVE-2019-18277 HAProxy, CVE-2023-25690 Apache httpd)

There: what a front took for a body was the next request to its back, on a connection that others' requests went over too: their answers, tokens and files went to the attacker.
Needs: here a connection that two clients share, or a request whose end is in doubt and that is answered nevertheless.
Here: P1: a connection is one client's from TLS to the answer, in a process of its own; P4: a request in doubt is refused and the connection closed, with what follows unread.
"""
import threading

import pytest

from lib.instance import Client

HIDDEN = "GET /api/v1/files/by-path/Home/victim/secret HTTP/1.1\r\nHost: x\r\nX-A: "
SHAPES = {
    "CL.TE": "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n", "TE.CL": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "TE.TE": "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
    "vertical tab": "Transfer-Encoding:\x0bchunked\r\nContent-Length: {length}\r\n", "space": "Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n", "fold": "Transfer-Encoding:\r\n chunked\r\nContent-Length: {length}\r\n",
    "bare LF": "X: y\nTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n", "bare CR": "X: y\rTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n", "quotes": "Transfer-Encoding: \"chunked\"\r\nContent-Length: {length}\r\n",
    "two lengths": "Content-Length: 0\r\nContent-Length: {length}\r\n", "length list": "Content-Length: 0, {length}\r\n", "plus": "Content-Length: +{length}\r\n", "NUL": "Transfer-Encoding: chunked\0\r\nContent-Length: {length}\r\n",
    "case": "tRANSFER-eNCODING: CHUNKED\r\nContent-Length: {length}\r\n", "identity": "Transfer-Encoding: identity\r\nContent-Length: {length}\r\n", "underscore": "Transfer_Encoding: chunked\r\nContent-Length: {length}\r\n",
    "upgrade": "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: {length}\r\n", "zero": "Content-Length: 0{length}\r\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_answer_of_another(house, shape):
    """The victim works all the while; what is hidden in the thief's request gets neither the victim's answers nor rights."""
    with Client(house.server, house.victim.token) as c:
        assert c.head(Client.url("/Home/victim/secret")).status_code == 200  # logged in by now
        smuggle(house, c, shape)


def smuggle(house, c, shape):
    with house.attack() as thief:
        wrong, stop = [], threading.Event()

        def work():
            while not stop.is_set():
                reply = c.head(Client.url("/Home/victim/secret"))  # no key is released for it
                if reply.status_code != 200 or reply.headers["Content-Length"] != str(len(house.victim.small)):
                    wrong.append(reply)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for first in ("POST /api/v1/token", "POST /nowhere", "GET /api/v1/info", "PUT /api/v1/files/by-path/Home/victim/secret"):
                for hidden in (HIDDEN, "0\r\n\r\n" + HIDDEN, "5c\r\n" + HIDDEN + "\r\n0\r\n\r\n"):
                    data = f"{first} HTTP/1.1\r\nHost: x\r\n{SHAPES[shape].format(length=len(hidden))}\r\n{hidden}"
                    reply = thief.send((data + "GET /api/v1/users/self HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").encode("latin-1"), seconds=1)
                    answers = [line for line in reply.raw.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
                    assert len(answers) <= 3 and not any(b" 20" in line for line in answers[1:]), answers
        finally:
            stop.set()
            worker.join()
        assert not wrong, wrong
