/* log.h - log lines to standard error (which systemd takes into the journal).
 *
 * One line an event: "<6>broker: text key=value" under systemd (JOURNAL_STREAM set), else
 * "2026-11-23T21:09:41.123Z broker info: text key=value".  Control characters are escaped as \xNN.
 * Secrets never come here.
 */
#ifndef SP_SYS_LOG_H
#define SP_SYS_LOG_H
#include "base/defer.h"
enum log_level { LOG_LV_ERROR, LOG_LV_WARNING, LOG_LV_INFO, LOG_LV_DEBUG };
/* log_open - name of this process ("broker", "worker 4711") and the level; call once at start. */
void log_open(const char *name, enum log_level level);
void log_level_set(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_error(...) log_line(LOG_LV_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LV_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LV_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LV_DEBUG, __VA_ARGS__)
#endif
