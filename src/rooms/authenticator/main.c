/* main.c - the authenticator: one password, one answer, then the process ends. */
#include "base/mem.h"
#include "crypto/crypto.h"
#include "ipc/room.h"
#include "sys/log.h"

#define EXIT_SOFTWARE 70
#define PHC_BYTES 256u

/* check - does the password match the string?  A NUL-terminated copy: the field may not hold a NUL
 * itself. */
static int
check(struct span body)
{
	struct ipc_password_check m;
	char phc[PHC_BYTES];
	int err = ipc_get_password_check(body, &m);

	if (err != SP_OK)
		return err;
	if (m.phc.len >= sizeof(phc))
		return SP_ERANGE;
	memcpy(phc, m.phc.ptr, m.phc.len);
	phc[m.phc.len] = '\0';
	return password_verify(m.password, phc);
}

static int
make(struct span body, char *phc, size_t cap)
{
	struct ipc_password_make m;
	int err = ipc_get_password_make(body, &m);

	if (err != SP_OK)
		return err;
	return password_hash(m.password, m.memory_bytes, m.passes, phc, cap);
}

static int
serve(struct chan *broker, const struct chan_msg *in)
{
	char phc[PHC_BYTES] = "";
	struct ipc_password_result r = {0};
	int err = in->id == IPC_PASSWORD_CHECK	? check(in->body)
		  : in->id == IPC_PASSWORD_MAKE ? make(in->body, phc, sizeof(phc))
						: SP_EDENIEDMSG;

	if (err != SP_OK && err != SP_EAUTH)
		log_error("%s: %s", ipc_rule(in->id)->name, sp_strerror(err));
	r.err = (uint16_t)-err;
	r.phc = span_str(err == SP_OK ? phc : "");
	return chan_send_password_result(broker, &r, -1);
}

int
main(int argc, char **argv)
{
	struct room_start r;
	struct sandbox_limits limits = {.files = 16};
	uint8_t *buf = secret_new(IPC_MAX);
	struct chan broker;
	struct chan_msg m;
	int err;

	room_enter(ROOM_AUTHENTICATOR, argc, argv, &r, NULL, NULL);
	if (buf == NULL)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
	if (r.link[ROOM_BROKER] < 0)
		sp_die(EXIT_SOFTWARE, "no socket to the broker");
	if (crypto_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	/* hashes that were made before Argon2Memory was lowered must still fit: the greatest cost
	 * there is */
	limits.memory_bytes = (UINT64_C(1) << 30) + (32u << 20);
	limits.cpu_seconds = 300;
	chan_init(&broker, TAKE_FD(r.link[ROOM_BROKER]), ROOM_AUTHENTICATOR, ROOM_BROKER);
	room_sandbox(&r, NULL, 0, &limits, "");
	err = chan_recv(&broker, PH_ANY, true, buf, IPC_MAX, &m);
	if (err == 1) {
		err = serve(&broker, &m);
		chan_msg_done(&m);
	}
	secret_free(buf, IPC_MAX);
	chan_close(&broker);
	return err == SP_OK || err == SP_ECLOSED ? 0 : EXIT_SOFTWARE;
}
