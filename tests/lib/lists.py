"""Lists that several of the replays in tests/hostile/cases send."""

# Paths that are not one's own, in every spelling that ever got past a filter.
TRAVERSALS = ["/Home/victim/secret", "../victim/secret", "../../Home/victim/secret", "/Home/thief/../victim/secret", "/Home/thief/./../victim/secret", "/../Home/victim/secret",
              "..\\victim\\secret", "/..\\..\\Home\\victim\\secret", "%2e%2e/victim/secret", "..%2fvictim%2fsecret", "..;/victim/secret", ".../...//victim/secret", "/Home//victim//secret",
              "/Home/victim/secret/", "/Home/victim/./secret", "/Home/victim\0/thief", "/Home/thief\0/../victim/secret", "\u2025/victim/secret", "/Home/thief2/../victim/secret", "~victim/secret",
              "/proc/self/root/etc/passwd", "/etc/passwd", "//127.0.0.1/share/x", "C:\\windows\\win.ini", "/Home/vic*", "/dev/fd/3", "secret", "/HOME/VICTIM/SECRET", "/Home/victim/secret::$DATA",
              "/Home/neighbour/secret", "../../../other/Home/neighbour/secret", "/Home/victim/secret%00.txt", "/Home/victim /secret"]

# Files that something, somewhere, runs.  TRACE is a file that must not come to be.
SCRIPTS = {"x.jsp": "<% Runtime.getRuntime().exec(\"touch TRACE\"); %>", "x.php": "<?php system('touch TRACE');", "x.aspx": "<% System.Diagnostics.Process.Start(\"touch\",\"TRACE\"); %>", "x.sh": "#!/bin/sh\ntouch TRACE\n",
           "x.lua": "os.execute('touch TRACE')", "x.py": "import os; os.system('touch TRACE')", ".htaccess": "AddHandler cgi-script .txt", "web.config": "<configuration/>", "crontab": "* * * * * root touch TRACE\n",
           "x.service": "[Service]\nExecStart=/usr/bin/touch TRACE\n", "x.so": "\x7fELF", "x.cgi": "#!/bin/sh\ntouch TRACE\n", ".bashrc": "touch TRACE\n", "x.xml": "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><x>&y;</x>",
           "x.svg": "<svg onload=\"alert(1)\" xmlns=\"http://www.w3.org/2000/svg\"/>", "x.html": "<script>alert(document.domain)</script>", "-i x.zip": "-r action", "x.lnk": "L\0\0\0"}
