/* clock.h - time.  Injected: tests set an offset by environment in test builds only. */
#ifndef SP_SYS_CLOCK_H
#define SP_SYS_CLOCK_H
#include <stdint.h>
int64_t clock_wall_us(void); /* microseconds since 1970, UTC; may step */
int64_t clock_mono_ms(void); /* milliseconds, never steps (CLOCK_BOOTTIME) */
void clock_sleep_ms(int64_t ms);
#endif
