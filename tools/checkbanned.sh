#!/bin/sh
# checkbanned.sh [SRC] - fails where a banned function is called, or a privileged one outside its place (STYLE.md).
# Comments are taken out by the preprocessor, strings by sed.  Tests may call the kernel and the allocator.
cd "${1:-src}" || exit 2
never='strcpy|strcat|stpcpy|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull|gets|alloca|system|popen|signal|rand|random|srand|tmpnam|mktemp|setjmp|longjmp|dlopen'
memory='malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc|posix_memalign'
kernel='open|openat|openat2|creat|read|write|pread|pwrite|readv|writev|close|close_range|dup|dup2|dup3|fcntl|ioctl|fsync|fdatasync|ftruncate|truncate|unlink|unlinkat|rename|renameat|renameat2|mkdir|mkdirat|rmdir|link|linkat|symlink|symlinkat|stat|fstat|lstat|fstatat|statx|chmod|fchmod|fchmodat|chown|fchown|fchownat|lchown|fork|vfork|clone|clone3|execl|execv|execve|execvp|execvpe|execveat|fexecve|posix_spawn|posix_spawnp|wait|waitpid|waitid|kill|tgkill|pidfd_open|pidfd_send_signal|socket|socketpair|bind|listen|accept|accept4|connect|shutdown|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|getsockopt|setsockopt|getpeername|getsockname|getaddrinfo|poll|ppoll|select|pselect|epoll_create1|epoll_ctl|epoll_wait|mmap|munmap|mprotect|mlock|mlock2|mlockall|madvise|memfd_create|prctl|ptrace|setuid|setgid|setresuid|setresgid|setgroups|setrlimit|prlimit|getrlimit|umask|chdir|fchdir|chroot|pivot_root|mount|unshare|setns|syscall|sigaction|sigprocmask|signalfd|timerfd_create|eventfd|clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|getrandom|getentropy|sendfile|splice|copy_file_range|fallocate|posix_fallocate|posix_fadvise|flock|lockf|opendir|fdopendir|readdir|closedir|fopen|fdopen|freopen|tmpfile|mkstemp|mkostemp'
evp='EVP_[A-Za-z0-9_]+|HMAC|SHA256|SHA384|RAND_bytes|RAND_priv_bytes|argon2(id|i|d)?_(hash|verify|ctx)[a-z_]*'
bad=0
# look PATTERN FILE WHY
look()
{
	gcc -fpreprocessed -dD -E "$2" 2>/dev/null |
	    awk -v name="$2" -v pat="(^|[^A-Za-z0-9_.>])($1)[ \t]*[(]" -v why="$3" '
	/^# [0-9]+ "/ { line = $2; mine = ($3 == "\"" name "\""); next }
	{ text = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", text) }
	mine && text !~ /^#[ \t]*(define|include|undef)/ && text ~ pat { print "src/" name ":" line ": " why ": " $0; bad = 1 }
	{ line++ }
	END { exit bad }' || bad=1
}
for f in $(find . -name '*.[ch]' | sed 's,^\./,,' | sort); do
	look "$never" "$f" "banned"
	case $f in
	*_test.c | *_fuzz.c | */test.h) continue ;;
	esac
	case $f in
	base/mem.c) ;;
	*) look "$memory" "$f" "memory outside base/mem.c" ;;
	esac
	case $f in
	sys/* | ipc/chan.c | base/mem.c) ;;
	*) look "$kernel" "$f" "a system call outside src/sys" ;;
	esac
	case $f in
	crypto/* | rooms/gate/https/tls*) ;;
	*) look "$evp" "$f" "cryptography outside src/crypto" ;;
	esac
done
exit $bad
