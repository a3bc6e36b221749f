#!/bin/sh
# checklayers.sh [SRC] - fails when a file includes a header of a layer above or beside its own (DESIGN.md, part 5).
# A room never includes another room; the command line includes of rooms only their tables (*.def).  Headers directly in
# rooms/gate are shared by the doors, which never include each other.
cd "${1:-src}" || exit 2
find . -name '*.[ch]' | sed 's,^\./,,' | sort | xargs awk -v rules='base: base
sys: base sys
crypto: base crypto
ipc: base sys ipc
store: base sys crypto store
proto: base SELF
rooms: base sys crypto ipc store proto SELF
cli: base sys crypto ipc store proto cli TABLES' '
function part(path, p) {	# the unit that SELF means: proto/http, rooms/broker, rooms/gate/https
	split(path, p, "/")
	return p[2] == "gate" ? p[1] "/" p[2] "/" p[3] : p[1] "/" p[2]
}
function shared(path, target) {	# both of the gate, the header of no door
	return path ~ /^rooms\/gate\// && target ~ /^rooms\/gate\/[^\/]*$/
}
BEGIN {
	n = split(rules, r, "\n")
	for (i = 1; i <= n; i++) {
		split(r[i], kv, ": ")
		ok[kv[1]] = " " kv[2] " "
	}
}
FNR == 1 { split(FILENAME, f, "/"); own = f[1] }
/^[ \t]*#[ \t]*include[ \t]*"[^"]*\// {
	match($0, /"[^"]*"/)
	target = substr($0, RSTART + 1, RLENGTH - 2)
	split(target, q, "/")
	good = index(ok[own], " " q[1] " ")
	if (index(ok[own], " SELF ") && (part(FILENAME) == part(target) || shared(FILENAME, target))) good = 1
	if (index(ok[own], " TABLES ") && target ~ /\.def$/) good = 1
	if (!good) { print "src/" FILENAME ":" FNR ": " own " must not include " target; bad = 1 }
}
END { exit bad }'
