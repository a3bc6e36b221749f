#!/bin/sh
# check.sh MANGEN FOLDER [--write] - the parts of the man pages between `.\" begin X` and `.\" end` must be what mangen
# prints, and mandoc must have nothing to say.  --write puts them there.
set -eu
mangen=$1 folder=$2 write=${3:-}
bad=0
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
for page in "$folder"/*.[1-8]; do
	for part in $(sed -n 's/^\.\\" begin //p' "$page"); do
		"$mangen" "$part" >"$temp/$part"
	done
	awk -v temp="$temp" '
		/^\.\\" begin / { print; while ((getline line < (temp "/" $3)) > 0) print line; skip = 1; next }
		/^\.\\" end$/ { skip = 0 }
		!skip { print }' "$page" >"$temp/page"
	if cmp -s "$temp/page" "$page"; then
		:
	elif [ "$write" = --write ]; then
		cat "$temp/page" >"$page"
	else
		echo "$page: not what the tables say; run scripts/docs" >&2
		diff "$page" "$temp/page" | head -n 20 >&2 || true
		bad=1
	fi
	if command -v mandoc >/dev/null 2>&1 && ! mandoc -Tlint -Wwarning "$page" >&2; then
		bad=1
	fi
done
exit $bad
