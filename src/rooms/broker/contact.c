/* contact.c - CONTACT: a worker says that its client is none; WORKER_BROKE: the supervisor says
 * what became of a worker. */
#include "rooms/broker/addresses.h"
#include "rooms/broker/login.h"

#include "base/text.h"
#include "proto/http/scanner.h"

static bool
worker_may_say(unsigned kind)
{
	static const struct {
		enum contact kind;
		enum { BY_WORKER, BY_BROKER, BY_SUPERVISOR } by;
	} rows[] = {
#define CONTACT(NAME, number, name, by, score, proof, text) {CONTACT_##NAME, BY_##by},
#include "ipc/contacts.def"
#undef CONTACT
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == kind)
			return rows[i].by == BY_WORKER;
	return false;
}

/* What a probe weighs is ours to say.  One that is not in our copy of ScannerFile is of a worker
 * that began before a reload: it weighs what contacts.def says. */
static uint32_t
points_of(const struct broker *b, const struct ipc_contact *m)
{
	const struct addresses *a = b->addresses;
	struct probe p;

	if (m->kind != CONTACT_PROBE)
		return 0;
	if (probe_find(m->probe, &p) ||
	    probe_file_find(span_of(a->scanner, a->scanner_len), m->probe, &p))
		return p.score;
	return 0;
}

static void
record_contact(struct broker *b, const struct worker *w, const struct ipc_contact *m)
{
	struct actor who = w->actor;
	struct record rec;

	if (!flood_admit(b, who.address))
		return;
	agent_take(&who, m->agent);
	record_init(&rec, EVENT_SCANNER, &who, w->serial);
	record_text(&rec, "kind", span_str(contact_name(m->kind)));
	if (m->probe.len != 0)
		record_text(&rec, "probe", m->probe);
	if (m->request.len != 0)
		record_text(&rec, "request", m->request);
	ledger_note(b, &rec);
}

/* Believed of the worker's own address only, so often, and before its login: whoever logged in has
 * an account that answers for him. */
int
handle_contact(struct broker *b, struct worker *w, struct span body)
{
	const struct ipc_done done = {0};
	struct ipc_contact m;
	int err = ipc_get_contact(body, &m);

	if (err != SP_OK)
		return err;
	if (!worker_may_say(m.kind) || w->contacts == CONTACTS_MAX ||
	    (m.kind == CONTACT_PROBE) != probe_id_valid(m.probe))
		return SP_EDENIEDMSG;
	w->contacts++;
	if (!w->is_authed) {
		b->addresses->contacts++;
		record_contact(b, w, &m);
		addresses_score(b, w->actor.address, (enum contact)m.kind, points_of(b, &m));
	}
	REPLY(b, w->serial, DONE, done, &done, -1);
	return SP_OK;
}

void
addresses_worker_broke(struct broker *b, struct span body)
{
	char address[65];
	struct ipc_worker_broke m;
	struct text t = text_of(address, sizeof(address));

	if (ipc_get_worker_broke(body, &m) != SP_OK || contact_name(m.kind) == NULL)
		return;
	text_add(&t, m.address);
	addresses_score(b, address, (enum contact)m.kind, 0);
}
