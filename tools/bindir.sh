#!/bin/sh
# bindir.sh STAMP PROGRAM... - all programs of a build in one folder, bin/ beside the stamp, as `sallyport` and the
# supervisor look for each other and for the rooms in their own folder.  Hard links: /proc/self/exe names that folder.
set -eu
stamp=$1
shift
dir=$(dirname "$stamp")/bin
mkdir -p "$dir"
for program; do
	ln -f "$program" "$dir/" 2>/dev/null || cp -f "$program" "$dir/"
done
: >"$stamp"
