/* offline.h - `sallyport-broker --check DBDIR BLOBDIR`: a database and its blobs, without a server.
 */
#ifndef SP_BROKER_OFFLINE_H
#define SP_BROKER_OFFLINE_H

/* offline_check - SQLite's own check, and a file of the right length for every blob; each fault is
 * a line on standard error.  For `sallyport restore`. returns the exit status: 0 sound, 2 faults,
 * else the exit column of err.def */
int offline_check(const char *db_dir, const char *blob_dir);
#endif
