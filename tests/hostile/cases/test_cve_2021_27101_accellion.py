"""CVE-2021-27101, CVE-2021-27102, CVE-2021-27103, CVE-2021-27104: Accellion FTA, December 2020 and January 2021

There: SQL in the Host header of document_root.html gave the keys for a call that wrote a web shell (DEWMODE), which listed files from the database, served
them and cleaned the log; the second chain came in by a request that the server made on the attacker's behalf, and by operating system commands.
Needs: here a header that reaches SQL or a shell, an address that fetches other addresses, and an application that may write its own log.
Here: P5, P6: Host is compared with nothing and put nowhere; no room but the courier can connect, and no worker starts a program; P2: readings are on record and stay there.
"""
from lib.cases import SQL_SHAPES


def test_host_header(house):
    """27101."""
    with house.attack() as thief:
        for shape in SQL_SHAPES:
            host = shape.encode("ascii", "replace").decode()
            for path in ("/courier/document_root.html", "/document_root.html", "/"):
                thief.http("GET", path, host=f"x{host}")
            assert thief.refused("GET", "/api/v1/files", f"X-Forwarded-Host: {host}", host="x").status == 401
        assert thief.http("GET", "/api/v1/info", host=f"{house.call}").status == 200, "whatever name we are called by"


def test_commands(house):
    """27102 and 27104: values that a shell was given."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for shell in (f"`touch {house.trace}`", f"$(touch {house.trace})", f"|touch {house.trace}", f";touch {house.trace};", f"\"; touch {house.trace} #", f"x' -o '|touch {house.trace}"):
            for path in ("/courier/oauth.api", "/courier/sftp_account_edit.php", "/tws/getStatus", "/courier/about.html", "/api/v1/token"):
                thief.refused("POST", path, form={"name": shell, "aoname": shell, "file": shell, "username": shell, "password": shell, "grant_type": "password"})
            thief.http("PUT", "/api/v1/files/by-path/Home/thief/" + "".join(f"%{b:02x}" for b in shell.replace("/", "_").encode()), body=shell, token=token)
            thief.http("POST", "/api/v1/folders/1/subfolders", json={"name": shell}, token=token)


def test_requests_on_the_thiefs_behalf(house):
    """27103: wmProgressstat.html took an address."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        there = f"http://{house.call}/x"
        for path in (f"/courier/wmProgressstat.html?url={there}", f"/?url={there}", f"/api/v1/info?callback={there}", f"/api/v1/files?path={there}", f"/proxy/{there}"):
            thief.http("GET", path, token=token)
            thief.http("GET", path, f"Referer: {there}", f"X-Callback: {there}", f"Link: <{there}>; rel=monitor")
        thief.http("GET", there)  # the form of a request to a proxy
        thief.refused("CONNECT", house.call)
        thief.http("GET", "/api/v1/info", host=house.call)


def test_dewmode(house):
    """The shell that was left there: a list of everything, downloads by number, and the cleaning of the log."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for path in ("/courier/about.html?fn=x&dwn=1", "/courier/about.html?csrftoken=11454bd782bb41db213d415e10a0fb3c", "/home/httpd/html/about.html", "/home/seos/courier/oauth.api"):
            thief.refused("GET", path)
        for number in [n for p in house.people.values() for n in p.ids] + list(range(1, 60)):
            thief.http("GET", f"/api/v1/files/{number}/download", token=token)
            thief.refused("DELETE", "/api/v1/audit", token=token)
    read = {e["path"] for e in thief.record if e["event"] == "file.read"}
    assert read <= {p for p in read if p.startswith("/Home/thief/")} and "/Home/thief/own" in read
