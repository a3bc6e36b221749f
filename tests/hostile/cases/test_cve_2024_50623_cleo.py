"""CVE-2024-50623: Cleo Harmony, VLTrader and LexiCom, October 2024

There: `/Synchronization` took a path in a header, before a login, and read or wrote whatever it named.
Needs: here a header that is a path, a path that leaves the store, or a door between installations that needs no login.
Here: P1, P4: a worker has no file system at all; every path is looked up by name in the database, below the caller's own organisation, with the caller's rights.
"""
from lib.cases import house_paths


def test_synchronization(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for target in house_paths(house):
            for way in ("..\\..\\", "../../", "/", "..%2f..%2f", "file:///", "\\\\127.0.0.1\\c$\\"):
                path = way + target
                for who in (None, token):
                    thief.refused("GET", "/Synchronization", f"Retrieve: l=Ab1234-RQ0258;n=VLTrader;v=5.7.0.0;a=1337;po=5080;s=True;b=False;pp=myEncryptedPassphrase;path={path}", token=who)
                    thief.refused("POST", "/Synchronization", f"VLSync: ADD;l=Ab1234-RQ0258;n=VLTrader;v=5.7.0.0;a=192.168.1.100;po=5080;s=True;b=False;pp=x;path={path}", body="planted", token=who)
                    thief.refused("GET", "/api/v1/files/by-path/Home/thief/own2", f"Retrieve: path={path}", f"VLSync: path={path}", f"X-Path: {path}", f"Content-Location: {path}", token=who)
            thief.refused("GET", "/Synchronization", "VLSync: ReceivedReceipt;service=\"AS2\";msgId=12345;path=\"" + target + "\";receiptfolder=\"Unspecified\"")
        assert b"root:x:" not in b"".join(bytes(s) for s in thief.loot)
