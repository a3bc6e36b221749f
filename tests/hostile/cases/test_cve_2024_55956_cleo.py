"""CVE-2024-55956: Cleo Harmony, VLTrader and LexiCom, December 2024

There: a file could be written without a login, and there was a folder, `autorun`, whose files were commands: a host definition with `SYSTEM cmd` in it, imported and run.
Needs: here a folder that anything acts upon by itself.
Here: P6: files are never commands, wherever they lie and whatever they are called; P4: a file called authorized_keys in a home folder gives nobody a key.
"""
from lib.lists import SCRIPTS
from lib.ssh_wire import UserKey


def test_the_published_request(house):
    body = b"VLSync: ReceivedReceipt;service=\"AS2\";msgId=12345;path=\"temp/x\";receiptfolder=\"Unspecified\";\r\nContent-Length: 3\r\n\r\nabc"
    with house.attack() as thief:
        for path in ("/Synchronization", "/synchronization", "/VLSync"):
            thief.refused("POST", path, "VLSync: Multipart;l=0,Acknowledge", "Content-Type: application/form-data; boundary=----x", body=body)
            for autorun in (b"-i temp/x\r\n-r \"<action>y\"", f"SYSTEM cmd.exe /c \"touch {house.trace}\"".encode()):
                thief.refused("POST", path, "VLSync: Multipart;l=0,Acknowledge", body=body.replace(b"temp/x", b"autorun\\y").replace(b"abc", autorun))


def test_folders_that_act_elsewhere(house):
    """An insider puts scripts of every kind wherever something might act on them."""
    with house.attack(inside="thief") as thief, thief.sftp() as c:
        for folder in ("autorun", "hosts", "cron.d", ".ssh", ".config", "init.d"):
            c.sftp.mkdir(folder)
            for name, text in SCRIPTS.items():
                c.sftp.put(f"{folder}/{name}", text.replace("TRACE", str(house.trace)).encode())
        # an authorized_keys in a home folder is a file like any other
        key = UserKey.make()
        c.sftp.put(".ssh/authorized_keys", key.line.encode())
        c.sftp.put(".ssh/rc", f"#!/bin/sh\ntouch {house.trace}\n".encode())
        with thief.strange("thief") as other:
            assert other.try_key(key) is not True
