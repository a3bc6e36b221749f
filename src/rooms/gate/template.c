/* template.c - see template.h.
 *
 * A template has met no client and is given no key: what its copies share is the libraries' state,
 * the certificate, which is public, and the layout of memory, which the supervisor changes often.
 */
#include "rooms/gate/template.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/twin.h"

#define EXIT_SOFTWARE 70

/* What was in them has been read. */
static void
close_files(struct room_start *r)
{
	for (size_t i = 0; i < ARRAY_LEN(r->file); i++)
		close_fd(&r->file[i]);
}

static void
say_ready(struct room_start *r)
{
	struct ipc_ready ready = {.note = span_str("")};
	int abi = 0, rc;

	close_files(r);
	if (sandbox_template(r->as_root, &abi) < 0)
		sp_die(EXIT_SOFTWARE, "a template could not give up its powers");
	ready.landlock_abi = (uint8_t)(abi < 255 ? abi : 255);
	rc = chan_send_ready(&r->supervisor, &ready, -1);
	if (rc == SP_ECLOSED)
		exit(0);
	if (rc < 0)
		sp_die(EXIT_SOFTWARE, "READY: %s", sp_strerror(rc));
}

/* returns true in the copy */
static bool
fork_once(struct room_start *r, struct chan_msg *m)
{
	struct ipc_forked answer = {0};
	struct ipc_fork order;
	int pid;

	if (m->id != IPC_FORK || ipc_get_fork(m->body, &order) < 0)
		sp_die(EXIT_SOFTWARE, "a template was sent what is not for it");
	pid = twin_new(m->fd, order.uid);
	if (pid == 0)
		return true;
	chan_msg_done(m);
	if (pid < 0)
		log_error("a template cannot be copied: %s", sp_strerror(pid));
	answer.pid = pid > 0 ? (uint32_t)pid : 0;
	if (chan_send_forked(&r->supervisor, &answer, -1) < 0)
		exit(0);
	return false;
}

static void
serve(struct room_start *r)
{
	uint8_t buf[IPC_MAX];
	bool copied = false;

	while (!copied) {
		struct chan_msg m;
		int rc = chan_recv(&r->supervisor, PH_ANY, true, buf, sizeof(buf), &m);

		if (rc == SP_ECLOSED || (rc == 1 && m.id == IPC_STOP))
			exit(0);
		if (rc < 0)
			sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(rc));
		copied = fork_once(r, &m);
	}
}

void
template_serve(struct room_start *r, char *name)
{
	say_ready(r);
	serve(r);
	/* the template's name is longer */
	(void)snprintf(name, strlen(name) + 1, "sallyport-%s", room_table[r->self].name);
	if (crypto_reseed() < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	room_again(r);
	close_files(r);
}
