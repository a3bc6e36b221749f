#!/bin/sh
# checkbanned.sh [SRC] - fails where a banned function is called, or a privileged one outside its place (STYLE.md).
# Comments are taken out by the preprocessor, strings by sed.  Tests may call the kernel and the allocator.
cd "${1:-src}" || exit 2
never='strcpy|strcat|stpcpy|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull|gets|alloca|system|popen|signal|rand|random|srand|tmpnam|mktemp|setjmp|longjmp|dlopen'
memory='malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc|posix_memalign'
kernel='open|openat|openat2|creat|read|write|pread|pwrite|readv|writev|close|close_range|dup|dup2|dup3|fcntl|ioctl|fsync|fdatasync|ftruncate|truncate|unlink|unlinkat|rename|renameat|renameat2|mkdir|mkdirat|rmdir|link|linkat|symlink|symlinkat|stat|fstat|lstat|fstatat|statx|chmod|fchmod|fchmodat|chown|fchown|fchownat|lchown|fork|vfork|clone|clone3|execl|execv|execve|execvp|execvpe|execveat|fexecve|posix_spawn|posix_spawnp|wait|waitpid|waitid|kill|tgkill|pidfd_open|pidfd_send_signal|socket|socketpair|bind|listen|accept|accept4|connect|shutdown|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|getsockopt|setsockopt|getpeername|getsockname|getaddrinfo|poll|ppoll|select|pselect|epoll_create1|epoll_ctl|epoll_wait|mmap|munmap|mprotect|mlock|mlock2|mlockall|madvise|memfd_create|prctl|ptrace|setuid|setgid|setresuid|setresgid|setgroups|setrlimit|prlimit|getrlimit|umask|chdir|fchdir|chroot|pivot_root|mount|unshare|setns|syscall|sigaction|sigprocmask|signalfd|timerfd_create|eventfd|clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|getrandom|getentropy|sendfile|splice|copy_file_range|fallocate|posix_fallocate|posix_fadvise|flock|lockf|opendir|fdopendir|readdir|closedir|fopen|fdopen|freopen|tmpfile|mkstemp|mkostemp'
evp='EVP_[A-Za-z0-9_]+|HMAC|SHA256|SHA384|RAND_bytes|RAND_priv_bytes|argon2(id|i|d)?_(hash|verify|ctx)[a-z_]*'
# look FILE WHY=PATTERN...: prints every line of FILE that calls what a pattern names
look()
{
	file=$1
	shift
	gcc -fpreprocessed -dD -E "$file" 2>/dev/null | awk -v name="$file" '
	BEGIN {
		for (i = 1; i < ARGC; i++) {
			at = index(ARGV[i], "=")
			why[i] = substr(ARGV[i], 1, at - 1)
			pat[i] = "(^|[^A-Za-z0-9_.>])(" substr(ARGV[i], at + 1) ")[ \t]*[(]"
		}
		n = ARGC
		ARGC = 1
	}
	/^# [0-9]+ "/ { line = $2; mine = ($3 == "\"" name "\""); next }
	{ text = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", text) }
	mine && text !~ /^#[ \t]*(define|include|undef)/ {
		for (i = 1; i < n; i++)
			if (text ~ pat[i]) { print "src/" name ":" line ": " why[i] ": " $0; bad = 1 }
	}
	{ line++ }
	END { exit bad }' "$@" || bad=1
}
bad=0
for f in $(find . -name '*.[ch]' | sed 's,^\./,,' | sort); do
	set -- "banned=$never"
	case $f in
	*_test.c | *_fuzz.c | */test.h) look "$f" "$@"; continue ;;
	base/mem.c) ;;
	*) set -- "$@" "memory outside base/mem.c=$memory" ;;
	esac
	case $f in
	sys/* | ipc/chan.c | base/mem.c) ;;
	*) set -- "$@" "a system call outside src/sys=$kernel" ;;
	esac
	case $f in
	crypto/* | rooms/gate/https/tls*) ;;
	*) set -- "$@" "cryptography outside src/crypto=$evp" ;;
	esac
	look "$f" "$@"
done
exit $bad
