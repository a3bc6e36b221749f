#!/usr/bin/python3
"""manifest.py VERSION MANIFEST NOTESIGN KEY NAME - an install script of meson: lists what was installed.

A line a file: SHA-256, mode, path below the prefix.  With KEY (-Dmanifest_key=) it is a C2SP signed note by NAME;
without, it ends with the empty line behind which signatures would stand.
"""
import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path


def main():
    version, place, notesign, key, name = sys.argv[1:]
    prefix, real = Path(os.environ["MESON_INSTALL_PREFIX"]), Path(os.environ["MESON_INSTALL_DESTDIR_PREFIX"])
    listed = subprocess.run([*shlex.split(os.environ["MESONINTROSPECT"]), "--installed", os.environ["MESON_BUILD_ROOT"]],
                            check=True, stdout=subprocess.PIPE).stdout
    lines = []
    for path in sorted(set(json.loads(listed).values())):
        below = Path(path).relative_to(prefix)
        content = (real / below).read_bytes()
        mode = stat.S_IMODE((real / below).stat().st_mode)
        lines.append(f"{hashlib.sha256(content).hexdigest()} {mode:04o} {below}\n")
    text = f"sallyport manifest\n{version}\n" + "".join(lines)
    if key:
        text = subprocess.run([notesign, key, name], input=text.encode(), check=True, stdout=subprocess.PIPE).stdout.decode()
    else:
        text += "\n"
    manifest = real / place
    manifest.parent.mkdir(parents=True, exist_ok=True)
    new = manifest.with_name(manifest.name + ".new")
    new.write_text(text)
    new.chmod(0o644)
    new.rename(manifest)


main()
