#!/bin/sh
# checkgen.sh DOCGEN GENDIR [--write] - fails when a page of docs/gen is not what the tables say now; --write updates it.
bad=0
for page in ipc events errors conf routes hunt scanner; do
	if [ "$3" = --write ]; then
		"$1" $page >"$2/$page.md" || exit 2
	elif ! "$1" $page | diff -u "$2/$page.md" -; then
		echo "docs/gen/$page.md is stale: run scripts/docs"
		bad=1
	fi
done
exit $bad
