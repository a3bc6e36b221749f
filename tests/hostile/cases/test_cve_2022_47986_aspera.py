"""CVE-2022-47986: IBM Aspera Faspex, January 2023

There: a field of a JSON body was YAML, and YAML makes objects: `!ruby/object:Gem::Installer` and so on to a command, without a login.
Needs: here a text in a text that is parsed by something with types.
Here: P5, P6: JSON's strings are strings; a member that a route does not know is not looked at, and bodies have a depth and a size.
"""
YAML = """---
- !ruby/object:Gem::Installer
    i: x
- !ruby/object:Gem::Requirement
  requirements:
    !ruby/object:Gem::Package::TarReader
    io: &1 !ruby/object:Net::BufferedIO
      io: &1 !ruby/object:Gem::Package::TarReader::Entry
         read: 0
      debug_output: &1 !ruby/object:Net::WriteAdapter
         socket: &1 !ruby/object:PrettyPrint
             git_set: touch TRACE
"""


def test_relay_package(house):
    yaml = YAML.replace("TRACE", str(house.trace))
    body = {"package_file_list": ["/"], "external_emails": yaml, "package_name": "x", "package_note": yaml, "original_sender_name": "x", "package_uuid": "d7cb6601-6db9-43aa-8e6b-dfb4768647ec",
            "metadata_human_readable": "Yes", "forward": "pew", "metadata_json": "{}", "delivery_uuid": "d7cb6601-6db9-43aa-8e6b-dfb4768647ec", "delivery_sender_name": "x", "delivery_title": "x", "delivery_note": yaml,
            "delete_after_download": True, "delete_after_download_condition": "IDK", "name": yaml}
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        home = thief.http("GET", "/api/v1/users/self", token=token).json()["homeFolderID"]
        for who in (None, token):
            for path in ("/aspera/faspex/package_relay/relay_package", "/package_relay/relay_package", f"/api/v1/folders/{home}/subfolders", "/api/v1/token"):
                thief.refused("POST", path, json=body, token=who)
                for kind in ("application/x-yaml", "text/yaml", "application/json"):
                    thief.refused("POST", path, f"Content-Type: {kind}", body=yaml, token=who)
                thief.refused("POST", path, "Content-Type: application/json", body="[" * 60000, token=who)
                thief.refused("POST", path, "Content-Type: application/json", body="{\"name\":" * 8000 + "1", token=who)
        # a folder of that name, at the most, is a name
        for value in ("!ruby/object", "*1", "&1 x", "!!python", "- x", "{x: y}", "yes", "null"):
            made = thief.http("POST", f"/api/v1/folders/{home}/subfolders", json={"name": value}, token=token)
            assert made.status == 400 or made.status == 422 or made.json()["name"] == value
