/* verify_procs.c - the running processes: their programs, what else is executable in their memory,
 * and whether somebody had the loader bring something along.
 *
 * /proc/PID/exe is what the kernel runs, whatever lies at its path by now.
 */
#include <fcntl.h>
#include <stdio.h>

#include "cli/program.h"
#include "cli/verify_files.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define PART "processes"
#define PROCESSES_MAX 65536u
#define TEXT_MAX (4u << 20) /* of maps and environ */
#define LIBRARIES_MAX 256u

struct process {
	int64_t pid, parent;
	bool ours;
};

struct procs {
	struct verify *v;
	int proc; /* descriptor of /proc */
	struct process *list;
	size_t n;
	unsigned long long seen, closed; /* closed: not ours to look into */
	char what[64];			 /* the process at hand */
	char exe[4096];
	char *library[LIBRARIES_MAX]; /* that is mapped; owned */
	bool packaged[LIBRARIES_MAX];
	size_t n_libraries;
};

static void
procs_done(struct procs *p)
{
	mem_free(p->list);
	for (size_t i = 0; i < p->n_libraries; i++)
		mem_free(p->library[i]);
	close_fd(&p->proc);
}

static void
differs(struct procs *p, const char *expected, struct span found)
{
	verify_differs(p->v, PART, p->what, span_str(expected), found);
}

/* ---- which processes ---- */

static int
read_proc(const struct procs *p, int64_t pid, const char *name, uint8_t **ret, size_t *ret_len)
{
	DEFER(close_fd) int fd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "%lld/%s", (long long)pid, name);
	fd = file_open_at(p->proc, path, O_RDONLY, 0);
	return fd < 0 ? fd : file_read_all(fd, TEXT_MAX, ret, ret_len);
}

/* "pid (name) state parent ...": the name may hold anything, so from its last bracket on. */
static bool
parent_of(struct span stat, int64_t *ret)
{
	size_t at = stat.len;
	struct span rest;
	uint64_t v;

	while (at > 0 && stat.ptr[at - 1] != ')')
		at--;
	rest = span_skip(stat, at + 3); /* ") S " */
	if (at == 0 || parse_u64(span_cut(rest, span_find(rest, ' ')), INT32_MAX, &v) != SP_OK)
		return false;
	*ret = (int64_t)v;
	return true;
}

static int
add_process(void *arg, int dirfd, const char *name)
{
	DEFER(mem_freep) uint8_t *stat = NULL;
	struct procs *p = arg;
	size_t len = 0;
	uint64_t pid;
	void *grown;

	(void)dirfd;
	if (parse_u64(span_str(name), INT32_MAX, &pid) != SP_OK)
		return SP_OK;
	if (p->n == PROCESSES_MAX)
		return SP_ETOOBIG;
	grown = mem_grow(p->list, p->n * sizeof(*p->list), (p->n + 1) * sizeof(*p->list));
	if (grown == NULL)
		return SP_ENOMEM;
	p->list = grown;
	p->list[p->n] = (struct process){.pid = (int64_t)pid};
	if (read_proc(p, (int64_t)pid, "stat", &stat, &len) == SP_OK &&
	    parent_of(span_of(stat, len), &p->list[p->n].parent))
		p->n++;
	return SP_OK;
}

/* mark_below - the supervisor and all that it started. */
static void
mark_below(struct procs *p, int64_t top)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < p->n; i++) {
			bool below = p->list[i].pid == top;

			for (size_t k = 0; k < p->n && !below; k++)
				below = p->list[k].ours && p->list[k].pid == p->list[i].parent;
			if (below && !p->list[i].ours)
				p->list[i].ours = more = true;
		}
	}
}

static int
find_processes(struct procs *p)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	char path[4096];
	uint64_t top;
	size_t len = 0;
	int rc = cli_path(p->v->c, "run/pid", path, sizeof(path));

	if (rc == SP_OK)
		rc = audit_read_file(path, 32, &text, &len);
	if (rc == SP_OK)
		rc = parse_u64(span_cut(span_of(text, len), span_find(span_of(text, len), '\n')),
		    INT32_MAX, &top);
	if (rc == SP_OK)
		rc = op_dir_each(p->proc, add_process, p);
	if (rc == SP_OK)
		mark_below(p, (int64_t)top);
	return rc;
}

/* ---- one of them ---- */

static int
check_exe(struct procs *p, int64_t pid)
{
	DEFER(close_fd) int fd = -1;
	char path[64], hash[72];
	int rc;

	(void)snprintf(path, sizeof(path), "%lld/exe", (long long)pid);
	rc = op_link_at(p->proc, path, p->exe, sizeof(p->exe));
	if (rc == SP_OK)
		fd = op_open_exe(p->proc, path);
	if (rc == SP_OK)
		rc = fd < 0 ? fd : verify_hash(fd, hash);
	if (rc != SP_OK)
		return rc;
	(void)snprintf(p->what, sizeof(p->what), "%lld %.48s", (long long)pid,
	    strrchr(p->exe, '/') != NULL ? strrchr(p->exe, '/') + 1 : p->exe);
	if (!manifest_has(p->v->manifest, span_str(hash)))
		differs(p, "a program of the manifest", span_str(p->exe));
	return SP_OK;
}

static void
add_library(struct procs *p, struct span path)
{
	for (size_t i = 0; i < p->n_libraries; i++)
		if (span_eq_str(path, p->library[i]))
			return;
	if (p->n_libraries == LIBRARIES_MAX ||
	    (p->library[p->n_libraries] = mem_dup(path)) == NULL) {
		differs(p, "fewer libraries", path);
		return;
	}
	p->n_libraries++;
}

/* A system library: root's, nobody else may write it, and the one that lies there now. */
static void
check_library(struct procs *p, struct span path, uint64_t inode)
{
	char name[4200];
	struct text t = text_of(name, sizeof(name));
	struct op_stat st;

	text_add(&t, path);
	if (!span_starts(path, SPAN_LIT("/usr/lib/")) && !span_starts(path, SPAN_LIT("/lib/")) &&
	    !span_starts(path, SPAN_LIT("/lib64/")) && !span_starts(path, SPAN_LIT("/usr/lib64/")))
		differs(p, "system libraries only", path);
	else if (t.bad || op_stat_at(AT_FDCWD, name, &st) != SP_OK || st.kind != OP_FILE)
		differs(p, "a library that is there", path);
	else if (st.inode != inode)
		differs(p, "the library that lies there now", path);
	else if (st.uid != 0 || (st.mode & 022) != 0)
		differs(p, "a library that only root may write", path);
	else
		add_library(p, path);
}

static struct span
word(struct span *rest)
{
	struct span w;

	while (rest->len != 0 && rest->ptr[0] == ' ')
		*rest = span_skip(*rest, 1);
	w = span_cut(*rest, span_find(*rest, ' '));
	*rest = span_skip(*rest, w.len);
	return w;
}

/* "from-to perms offset device inode    path" */
static void
check_mapping(struct procs *p, struct span line)
{
	struct span perms, path;
	uint64_t inode = 0;

	(void)word(&line);
	perms = word(&line);
	(void)word(&line);
	(void)word(&line);
	if (parse_u64(word(&line), UINT64_MAX, &inode) != SP_OK)
		inode = 0;
	path = span_trim(line);
	if (perms.len < 3 || perms.ptr[2] != 'x' || span_eq_str(path, "[vdso]") ||
	    span_eq_str(path, "[vsyscall]") || span_eq_str(path, p->exe))
		return;
	if (path.len == 0 || path.ptr[0] != '/')
		differs(p, "no executable memory but that of files",
		    path.len != 0 ? path : SPAN_LIT("anonymous executable memory"));
	else
		check_library(p, path, inode);
}

static int
check_maps(struct procs *p, int64_t pid)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	struct span rest;
	size_t len = 0;
	int rc = read_proc(p, pid, "maps", &text, &len);

	for (rest = span_of(text, len); rc == SP_OK && rest.len != 0;) {
		struct span line = span_cut(rest, span_find(rest, '\n'));

		check_mapping(p, line);
		rest = span_skip(rest, line.len + 1);
	}
	return rc;
}

static int
check_environ(struct procs *p, int64_t pid)
{
	static const char *const bad[] = {"LD_PRELOAD=", "LD_LIBRARY_PATH=", "LD_AUDIT=",
	    "GLIBC_TUNABLES=", "OPENSSL_CONF=", "OPENSSL_MODULES="};
	DEFER(mem_freep) uint8_t *text = NULL;
	struct span rest;
	size_t len = 0;
	int rc = read_proc(p, pid, "environ", &text, &len);

	for (rest = span_of(text, len); rc == SP_OK && rest.len != 0;) {
		struct span v = span_cut(rest, span_find(rest, '\0'));

		for (size_t i = 0; i < ARRAY_LEN(bad); i++)
			if (span_starts(v, span_str(bad[i])))
				differs(p, "nothing that changes what the loader loads", v);
		rest = span_skip(rest, v.len + 1);
	}
	return rc;
}

static int
check_process(struct procs *p, int64_t pid)
{
	int rc = check_exe(p, pid);

	if (rc == SP_OK)
		rc = check_maps(p, pid);
	if (rc == SP_OK)
		rc = check_environ(p, pid);
	if (rc == SP_ENOMEM)
		return rc;
	p->seen += rc == SP_OK;
	p->closed += rc == SP_EPERM; /* others: it has ended */
	return SP_OK;
}

/* ---- does a package know the libraries? ---- */

/* /lib is /usr/lib: packages say one or the other. */
static bool
is_same(struct span listed, const char *path)
{
	struct span p = span_str(path), usr = SPAN_LIT("/usr");

	if (span_starts(p, usr))
		p = span_skip(p, usr.len);
	return span_eq(listed, p) ||
	       (span_starts(listed, usr) && span_eq(span_skip(listed, usr.len), p));
}

static int
look_in_list(void *arg, int dirfd, const char *name)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	DEFER(close_fd) int fd = -1;
	struct procs *p = arg;
	size_t n = strlen(name), len = 0;
	struct span rest;

	if (n < 5 || strcmp(name + n - 5, ".list") != 0)
		return SP_OK;
	fd = file_open_at(dirfd, name, O_RDONLY, 0);
	if (fd < 0 || file_read_all(fd, 16 * TEXT_MAX, &text, &len) != SP_OK)
		return SP_OK;
	for (rest = span_of(text, len); rest.len != 0;) {
		struct span line = span_cut(rest, span_find(rest, '\n'));

		for (size_t i = 0; i < p->n_libraries; i++)
			p->packaged[i] = p->packaged[i] || is_same(line, p->library[i]);
		rest = span_skip(rest, line.len + 1);
	}
	return SP_OK;
}

static int
check_packages(struct procs *p)
{
	DEFER(close_fd)
	int dir = file_open_at(AT_FDCWD, "/var/lib/dpkg/info", O_RDONLY | O_DIRECTORY, 0);
	int rc = dir < 0 ? SP_OK : op_dir_each(dir, look_in_list, p);

	for (size_t i = 0; dir >= 0 && rc == SP_OK && i < p->n_libraries; i++)
		if (!p->packaged[i])
			verify_differs(p->v, PART, "a mapped library",
			    SPAN_LIT("a file of a package"), span_str(p->library[i]));
	return rc;
}

int
verify_processes_part(struct verify *v)
{
	DEFER(procs_done)
	struct procs p = {
	    .v = v, .proc = file_open_at(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY, 0)};
	int rc;

	if (!program_running(v->c) || v->manifest.len == 0 || p.proc < 0) {
		verify_part(v, PART, false, "%s",
		    v->manifest.len == 0 ? "there is no manifest to compare them with"
		    : p.proc < 0	 ? "there is no /proc"
					 : "no server is running");
		return SP_OK;
	}
	rc = find_processes(&p);
	for (size_t i = 0; i < p.n && rc == SP_OK; i++)
		if (p.list[i].ours)
			rc = check_process(&p, p.list[i].pid);
	if (rc == SP_OK)
		rc = check_packages(&p);
	if (rc != SP_OK)
		verify_part(v, PART, false, "%s", sp_strerror(rc));
	else if (p.closed != 0)
		verify_part(v, PART, false,
		    "%llu of %llu processes can only be looked into by root", p.closed,
		    p.closed + p.seen);
	else
		verify_part(
		    v, PART, p.seen != 0, "%llu, with %zu system libraries", p.seen, p.n_libraries);
	return SP_OK;
}
