#!/usr/bin/env python3
"""openapi.py json|c ROUTES.def DESCRIPTION.json VERSION - the OpenAPI 3.1 document of the HTTPS door.

Which addresses there are, which listener has them and who may ask is said by routes.def alone; what goes in and comes out, by handler,
by the description.  `json` prints the document, `c` the same as the array that is compiled into the worker.  A row without a description
and a description without a row are errors.
"""
import json
import re
import sys
from http import HTTPStatus

ROW = re.compile(r'^ROUTE\("(\w+)",\s*"([^"]+)", (PUBLIC|ADMIN), (NONE|BEARER), (\w+), "((?:[^"\\]|\\.)*)"\)$', re.M)
PROBLEM = {"application/problem+json": "Problem"}


def die(message):
    sys.exit(f"openapi.py: {message}")


def schema(name):
    """A name is one of the description's schemas; anything else is a schema itself."""
    return {"$ref": f"#/components/schemas/{name}"} if isinstance(name, str) else name


def content(media):
    return {kind: {"schema": schema(s)} for kind, s in media.items()}


def response(status, row, headers):
    """`headers` are always there, those of `sometimes` are not."""
    ret = {"description": row.get("description") or ("What went wrong" if status == "default" else HTTPStatus(int(status)).phrase)}
    there = {h: {"required": True, **headers[h]} for h in row.get("headers", [])} | {h: headers[h] for h in row.get("sometimes", [])}
    if there:
        ret["headers"] = there
    if "content" in row:
        ret["content"] = content(row["content"])
    return ret


def operation(row, about, headers, name):
    method, pattern, listener, auth, _, summary = row
    closed = auth == "BEARER"
    responses = dict(about["responses"])
    if closed:
        responses["401"] = {"description": "No valid token", "headers": ["WWW-Authenticate"], "sometimes": ["DPoP-Nonce"], "content": PROBLEM}
    responses.setdefault("default", {"content": PROBLEM})
    ret = {"operationId": name, "summary": summary, "tags": [listener.lower()], "security": [{"bearer": []}, {"browser": []}] if closed else []}
    parameters = re.findall(r"{(\w+)", pattern) + about.get("parameters", [])
    if parameters:
        ret["parameters"] = [{"$ref": f"#/components/parameters/{p}"} for p in parameters]
    if "body" in about:
        ret["requestBody"] = {"required": True, "content": content(about["body"])}
    ret["responses"] = {s: response(s, responses[s], headers) for s in sorted(responses)}
    return ret


def document(routes, about, version):
    rows = ROW.findall(routes)
    if len(rows) != len(re.findall(r"^ROUTE\(", routes, re.M)):
        die("a row of the table is spelt in another way than the others")
    handlers = [r[4] for r in rows]
    for name in handlers:
        if name not in about["operations"]:
            die(f"{name} is not described")
    for name in about["operations"]:
        if name not in handlers:
            die(f"{name} is described, and no row has it")
    paths = {}
    for row in rows:
        name = row[4] if handlers.count(row[4]) == 1 else f"{row[4]}_{row[0].lower()}"
        path = paths.setdefault(row[1].replace("...}", "}"), {})
        path[row[0].lower()] = operation(row, about["operations"][row[4]], about["headers"], name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sallyport",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Compatible with the REST interface of MOVEit Transfer. Operations tagged `admin` are on the administration "
            "listener. HEAD is answered wherever GET is, without the content; OPTIONS answers 204 with Allow.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "browser": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-session",
                    "description": "with a proof of RFC 9449 in the field DPoP, for this request, with the nonce of the last DPoP-Nonce",
                },
            },
            **{part: about[part] for part in ("schemas", "parameters")},
        },
    }


def c_array(data):
    lines = [", ".join(str(b) for b in data[i : i + 24]) for i in range(0, len(data), 24)]
    return (
        "/* Printed by tools/openapi.py. */\n"
        '#include "rooms/gate/https/openapi.h"\n\n'
        "static const uint8_t text[] = {\n\t" + ",\n\t".join(lines) + "};\n\n"
        "const struct span openapi_document = {.ptr = text, .len = sizeof(text)};\n"
    )


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("json", "c"):
        die("usage: openapi.py json|c ROUTES.def DESCRIPTION.json VERSION")
    with open(sys.argv[2], encoding="utf-8") as r, open(sys.argv[3], encoding="utf-8") as d:
        doc = document(r.read(), json.load(d), sys.argv[4])
    if sys.argv[1] == "json":
        print(json.dumps(doc, indent=1, ensure_ascii=False))
    else:
        sys.stdout.write(c_array(json.dumps(doc, separators=(",", ":"), ensure_ascii=False).encode()))


if __name__ == "__main__":
    main()
