#!/usr/bin/python3
"""Prints README.md: what happened to others, and the file that replays it here.  test_table.py looks that README.md is this, and that nothing is missing.

What a case is about stands in its own docstring and nowhere else: a first line "IDS: title", and paragraphs There, Needs and Here.
ROWS has what must be replayed: identifiers of one incident in a row, and why not where it does not apply.
"""
import ast
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
ID = r"CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3}|[A-Z][A-Z -]+"  # incidents without a number have a name in capitals

ROWS = [
    ("CVE-2023-34362",), ("CVE-2023-35036", "CVE-2023-35708", "CVE-2023-36932", "CVE-2023-36933", "CVE-2023-36934"), ("CVE-2024-5806",), ("CVE-2026-4670", "CVE-2026-5174"),
    ("CVE-2023-0669",), ("CVE-2024-0204",), ("CVE-2025-10035",),
    ("CVE-2021-27101", "CVE-2021-27102", "CVE-2021-27103", "CVE-2021-27104"),
    ("CVE-2024-4040",), ("CVE-2025-31161",), ("CVE-2025-54309",), ("CVE-2023-43177",),
    ("CVE-2024-50623",), ("CVE-2024-55956",),
    ("CVE-2021-35211",), ("CVE-2024-28995",), ("CVE-2020-10148",),
    ("CVE-2025-47812", "CVE-2026-44403"),
    ("CVE-2022-36071",), ("CVE-2022-39220", "CVE-2026-49245"), ("CVE-2024-37897",), ("CVE-2024-52309", "CVE-2025-24366"), ("CVE-2024-52801",), ("CVE-2026-30914",), ("CVE-2026-30915",),
    ("CVE-2026-10031",), ("CVE-2026-49244",), ("GHSA-q7pc-356p-hggc",),
    ("CVE-2024-6387",), ("CVE-2018-10933",),
    ("CVE-2023-6004", "CVE-2026-59846"), ("CVE-2025-5318", "CVE-2025-5449"), ("CVE-2026-59843", "CVE-2026-59844"), ("CVE-2026-59847",), ("CVE-2026-59851",),
    ("CVE-2015-3306",), ("CVE-2026-42167", "CVE-2026-44331"), ("CVE-2023-48795",), ("CVE-2023-46445", "CVE-2023-46446"), ("CVE-2025-32433",),
    ("CVE-2025-61882",), ("CVE-2025-11371",), ("CVE-2023-24489",), ("CVE-2022-47986",), ("CVE-2023-45685",), ("CVE-2023-4528",), ("CVE-2023-40044",), ("CVE-2021-44228",),
    ("REQUEST SMUGGLING", "CVE-2019-18277", "CVE-2023-25690"), ("STOLEN DATABASE",), ("STOLEN BACKUP",), ("RANSOM",), ("WIPED LOG",), ("WEB SHELL",), ("CREDENTIAL STUFFING",), ("HAUL",),
]
PROMISES = {
    "P1": "one connection, one worker, which holds nothing", "P2": "no key without a receipt", "P3": "no haul beyond the budget", "P4": "authentication is proved to the process that grants",
    "P5": "no query language at the edge", "P6": "nothing uploaded can run", "P7": "acknowledged is durable, unfinished is invisible", "P8": "one switch", "P9": "the last 90 days can be questioned",
}
ELSEWHERE = {
    "CVE-2023-2283, CVE-2025-5372, CVE-2025-5987 (libssh)": "a failed allocation or primitive that is taken for success cannot be caused from outside: tests/fault makes each call fail in turn, and nothing is let through",
    "ProFTPD issues 2146 (stack overflow in MLSD), 2190": "there is no FTP door yet; SFTP's parsers have fuzz targets (scripts/fuzz)",
    "HTTP/2 downgrades (smuggling between an HTTP/2 front and an HTTP/1.1 back)": "HTTP/1.1 alone is spoken, by one process a connection, with nothing behind it",
    "MOVEit Azure keys, GoAnywhere MeshAgent, rclone": "what thieves did once they could run programs: that is what must not be reached",
}


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def cases():
    """(path, ids, title, {There, Needs, Here}) of every file of the folder that has tests, but the table's and the stock-taking's own."""
    out = []
    for path in sorted(HERE.glob("test_*.py")):
        text = docstring(path)
        head, _, rest = text.partition("\n")
        ids, _, title = head.partition(": ")
        parts = {k: " ".join(v.split()) for k, v in re.findall(r"^(There|Needs|Here): (.*?)(?=^(?:Needs|Here): |\Z)", rest, re.M | re.S)}
        if path.name not in ("test_table.py", "test_stocktaking.py"):
            out.append((path, re.findall(ID, ids) + re.findall(r"CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3}", title), title, parts))
    return out


def table():
    lines = ["# What happened to others", "",
             "Replays of the attacks on file transfer servers that are on record, in harmless form, over the real doors of a running server with other people's marked data in it.",
             "Each asserts that the thief obtained nothing, that nothing changed, that the server still serves, and that the audit log says what was tried: `tests/lib/cases.py` takes stock.",
             "The promises: " + "; ".join(f"{p} {text}" for p, text in PROMISES.items()) + ".",
             "Made by `table.py` of the files' own words; run them with `/usr/bin/python3 -m pytest tests/hostile/cases`.", "", "| case | file | what must hold here |", "|---|---|---|"]
    for path, ids, title, parts in cases():
        lines.append(f"| **{', '.join(dict.fromkeys(ids))}** {title} | [{path.name}]({path.name}) | {parts['Here']} |")
    lines += ["", "## Not replayed", "", "| what | why |", "|---|---|"] + [f"| {what} | {why} |" for what, why in ELSEWHERE.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
