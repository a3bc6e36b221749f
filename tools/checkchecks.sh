#!/bin/sh
# checkchecks.sh - the checks themselves: each must refuse what is planted for it, and pass what is not.
top=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
mkdir -p "$temp/base" "$temp/proto/http" "$temp/rooms/broker"
bad=0
# plant FILE TEXT CHECK: the check must fail
plant()
{
	printf '%s\n' "$2" >"$temp/$1"
	if "$top/$3" "$temp" >/dev/null; then
		echo "$3 passes: $2"
		bad=1
	fi
	rm "$temp/$1"
}
plant base/x.c '#include "sys/fd.h"' checklayers.sh
plant proto/http/x.c '#include "rooms/broker/db.h"' checklayers.sh
plant rooms/broker/x.c '#include "rooms/vault/state.h"' checklayers.sh
plant base/x.c 'int f(char *a) { return strcpy(a, "x") != 0; }' checkbanned.sh
plant base/x.c 'void *f(void) { return malloc(1); }' checkbanned.sh
plant rooms/broker/x.c 'int f(void) { return open("x", 0); }' checkbanned.sh
plant rooms/broker/x.c 'void f(void) { EVP_DigestInit(0); }' checkbanned.sh
cat >"$temp/base/fine.c" <<'C'
#include "base/err.h"
/* strcpy(a, b) in a comment, "system(x)" in a string, a member called read */
static const char *s = "system(x)";
int f(struct reader *r) { return r->read(r) + mem_alloc(1) + reopen(2) + (s != 0); }
C
for check in checklayers.sh checkbanned.sh; do
	"$top/$check" "$temp" || { echo "$check refuses what is fine"; bad=1; }
done
exit $bad
