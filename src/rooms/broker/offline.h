/* offline.h - a database without a server: `sallyport-broker --check DBDIR BLOBDIR`
 * and `--rows DBDIR`. */
#ifndef SP_BROKER_OFFLINE_H
#define SP_BROKER_OFFLINE_H

/* offline_check - SQLite's own check, and a file of the right length for every blob; each fault is
 * a line on standard error.  For `sallyport restore`. returns the exit status: 0 sound, 2 faults,
 * else the exit column of err.def */
int offline_check(const char *db_dir, const char *blob_dir);

/* offline_rows - `sallyport-broker --rows DBDIR`: all that the verb "verify rows" says, one answer
 * a line on standard output; nothing is written.  For `sallyport verify`, when no server runs. */
int offline_rows(const char *db_dir);
#endif
