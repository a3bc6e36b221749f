#!/bin/sh
# checkgen.sh DOCGEN GENDIR [--write] - fails when a page of docs/gen is not what the tables say now; --write updates it.
top=$(dirname "$0")/..
https=$top/src/rooms/gate/https
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$top/meson.build")
bad=0

# page FILE COMMAND...: the file holds what the command prints
page()
{
	file=$1
	shift
	if [ "$write" = --write ]; then
		"$@" >"$dir/$file" || exit 2
	elif ! "$@" | diff -u "$dir/$file" -; then
		echo "docs/gen/$file is stale: run scripts/docs"
		bad=1
	fi
}
docgen=$1 dir=$2 write=$3
for name in ipc events errors conf routes hunt scanner; do
	page $name.md "$docgen" $name
done
page openapi.json "$top/tools/openapi.py" json "$https/routes.def" "$https/openapi.json" "$version"
exit $bad
