#include "rooms/ledger/watch.h"

void
watch_start(struct watch *w, int64_t last_t_us, int64_t wall_us, int64_t mono_us)
{
	*w = (struct watch){wall_us, mono_us, last_t_us};
	/* the machine's clock was set back while the server was down: what was expected is at least
	 * last_t */
	if (last_t_us > wall_us)
		w->wall_us = last_t_us;
}

bool
watch_take(
    struct watch *w, int64_t wall_us, int64_t mono_us, int64_t *ret_t_us, int64_t *ret_expected)
{
	int64_t passed = mono_us - w->mono_us, expected = w->wall_us + passed;
	int64_t off = wall_us - expected;
	/* a clock that is slewed into place may drift by 500 ppm for long */
	int64_t allowed = WATCH_STEP_US + passed / 1000;
	bool stepped = off > allowed || off < -allowed;

	w->wall_us = wall_us;
	w->mono_us = mono_us;
	if (stepped || wall_us > w->t_us)
		w->t_us = wall_us;
	*ret_t_us = w->t_us;
	*ret_expected = expected;
	return stepped;
}
