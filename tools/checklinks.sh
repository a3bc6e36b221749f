#!/bin/sh
# checklinks.sh BUILD ROOMS.DEF - fails when a room's binary contains what its row says it never has.
# It reads the dynamic symbols that the linked binary still needs (unused functions are gone: --gc-sections).
bad=0
# forbid NAME BINARY PATTERN: no undefined dynamic symbol may match
forbid()
{
	hit=$(nm -D --undefined-only "$2" | awk '{ sub(/@.*/, "", $NF); print $NF }' | grep -xE "$3")
	if [ -n "$hit" ]; then
		echo "$1 must not contain:" $hit
		bad=1
	fi
}
sql='sqlite3_.*'
argon='argon2.*'
seccomp='seccomp_.*'
run='execl|execle|execlp|execv|execve|execvp|execvpe|execveat|fexecve|posix_spawnp?|fork|vfork|_Fork|system|popen|dlopen|dlsym'
out='socket|connect|bind|listen|getaddrinfo|gethostbyname|res_query|accept|accept4|socketpair'
tls='SSL_.*'
curl='curl_.*'
for name in $(sed -n 's/^ROOM([A-Z_]*, *\([a-z-]*\),.*/\1/p' "$2"); do
	[ "$name" = sallyport ] && binary=sallyport || binary=sallyport-$name
	file=$(find "$1/src" -name "$binary" -type f -perm -u+x | head -n 1)
	[ -n "$file" ] || { echo "$name: no binary $binary below $1"; bad=1; continue; }
	forbid "$name" "$file" "$seccomp"
	forbid "$name" "$file" 'getaddrinfo|gethostbyname|res_query|system|popen'
	[ "$name" = broker ] || forbid "$name" "$file" "$sql"
	case $name in
	authenticator | vault | sallyport) ;;
	*) forbid "$name" "$file" "$argon" ;;
	esac
	case $name in
	supervisor | sallyport) ;;
	*) forbid "$name" "$file" "$run" ;;
	esac
	case $name in
	worker-https | sallyport) ;;
	*) forbid "$name" "$file" "$tls" ;;
	esac
	[ "$name" = messenger ] || forbid "$name" "$file" "$curl"
	case $name in
	vault | ledger | signer | authenticator | scrubber | courier | worker-https | worker-sftp) forbid "$name" "$file" "$out" ;;
	gate-https | gate-sftp) forbid "$name" "$file" 'socket|connect|bind|listen' ;;
	broker) forbid "$name" "$file" 'socket|connect|bind|listen' ;;
	esac
done
exit $bad
