/* call.h - asking the running server: one verb of rooms/broker/admin.def over its local socket. */
#ifndef SP_CLI_CALL_H
#define SP_CLI_CALL_H

#include <jansson.h>

#include "cli/cli.h"
#include "ipc/chan.h"

struct call {
	const struct cli *c;
	struct chan chan;
	uint8_t *buf; /* IPC_MAX bytes */
};

/* call_open - connect to the server of c->dir.  Errors are said already: SP_ENOTRUNNING with how to
 * start it, SP_EPERM when the socket belongs to another user. call_close - for DEFER. */
int call_open(const struct cli *c, struct call *ret) MUST_USE;
void call_close(struct call *k);
/* call_no_server - say that the server does not run, or that there is no instance in c->dir.
 *   returns  SP_ENOTRUNNING */
int call_no_server(const struct cli *c);

/* call_verb - send one verb, wait for the last answer.
 *   args    a JSON object; borrowed; NULL: none
 *   secret  a password, or empty
 *   ret     the result, owned by the caller (json_decref)
 *   errors  those of the server; said already, in the server's words */
int call_verb(
    struct call *k, const char *verb, json_t *args, struct span secret, json_t **ret) MUST_USE;

/* call_args - the command's options and arguments as an object, owned by the caller; NULL: no
 * memory. */
json_t *call_args(const struct cli *c) MUST_USE;

/* cli_call_secret - the whole command: arguments to the verb of the row's words, with a secret, the
 * answer printed page by page. */
int cli_call_secret(struct cli *c, struct span secret) MUST_USE;

/* lockdown_ask - one LOCKDOWN; errors are said already.
 *   buf  of IPC_MAX bytes; the note points into it */
int lockdown_ask(const struct cli *c, const struct ipc_lockdown *m, struct ipc_lockdown_done *ret,
    uint8_t *buf) MUST_USE;

/* json_done - for DEFER. */
void json_done(json_t **j);

/* call_supervisor - one request to the supervisor over run/operator.sock, and its answer.
 *   id, body  the request
 *   answer    the message that answers it
 *   buf       of IPC_MAX bytes
 *   ret       the answer's body, in buf
 *   errors    said already: no server, or what the server said */
int call_supervisor(const struct cli *c, uint16_t id, struct span body, uint16_t answer,
    uint8_t *buf, struct span *ret) MUST_USE;
#endif
