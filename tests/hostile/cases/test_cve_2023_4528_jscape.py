"""CVE-2023-4528: Redwood JSCAPE MFT, August 2023

There: the management port took XML that describes Java objects (XMLDecoder), from anybody who reached it.
Needs: here an administration port that takes more than a question, or objects in XML.
Here: P1, P6: the administration listener has two addresses that measure and is a gate with a worker like the other's; what administers is a local socket.
"""
import socket
import ssl

from lib.cases import JAVA_OBJECT


def test_objects_for_the_management_port(house):
    xml = f"<?xml version=\"1.0\"?><java version=\"1.8.0\" class=\"java.beans.XMLDecoder\"><object class=\"java.lang.ProcessBuilder\"><array class=\"java.lang.String\" length=\"2\"><void index=\"0\"><string>touch</string></void><void index=\"1\"><string>{house.trace}</string></void></array><void method=\"start\"/></object></java>".encode()
    bodies = (xml, JAVA_OBJECT, b"\0\0\0\1" + xml, len(xml).to_bytes(4, "big") + xml)
    with house.attack() as thief:
        server = house.server
        for port in (server.admin_port, server.port, server.sftp_port):
            for body in bodies:
                thief.knock(port, body, seconds=1)
        context = ssl.create_default_context(cafile=str(server.certificate))
        for body in bodies:
            for head in (b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body),
                         b"PUT /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)):
                assert b"200 OK" not in talk(context, server.admin_port, head + body)
        for path in ("/", "/api/v1/users", "/api/v1/token", "/api/v1/files", "/admin", "/config", "/shutdown", "/metrics/../api/v1/files"):
            for method in ("GET", "POST"):
                assert b"HTTP/1.1 4" in talk(context, server.admin_port, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        figures = talk(context, server.admin_port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        thief.stream().extend(figures)  # names of nobody are in the figures
        assert b"200 OK" in figures


def talk(context, port, data):
    got = b""
    try:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 3), server_hostname="127.0.0.1") as s:
            s.sendall(data)
            while part := s.recv(65536):
                got += part
    except OSError:
        pass
    return got
