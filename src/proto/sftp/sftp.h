/* sftp.h - SFTP version 3: requests in, replies out.  Pure.
 *
 * source draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL file for the extensions.  A packet is length (4), type (1), and what
 * follows; length counts from the type on.
 */
#ifndef SP_PROTO_SFTP_H
#define SP_PROTO_SFTP_H

#include "base/err.h"
#include "base/wire.h"
#include "base/defer.h"

#define SFTP_VERSION 3u
#define SFTP_PACKET_MAX 327680u /* bytes of a packet without its length field: 320 KiB; WRITE's data included */
#define SFTP_READ_MAX 261120u	/* bytes of data in one READ or WRITE: as OpenSSH's limits@openssh.com */
#define SFTP_HANDLE_BYTES 4u

enum sftp_type {
	SFTP_INIT = 1,
	SFTP_VERSION_REPLY = 2,
	SFTP_OPEN = 3,
	SFTP_CLOSE = 4,
	SFTP_READ = 5,
	SFTP_WRITE = 6,
	SFTP_LSTAT = 7,
	SFTP_FSTAT = 8,
	SFTP_SETSTAT = 9,
	SFTP_FSETSTAT = 10,
	SFTP_OPENDIR = 11,
	SFTP_READDIR = 12,
	SFTP_REMOVE = 13,
	SFTP_MKDIR = 14,
	SFTP_RMDIR = 15,
	SFTP_REALPATH = 16,
	SFTP_STAT = 17,
	SFTP_RENAME = 18,
	SFTP_READLINK = 19,
	SFTP_SYMLINK = 20,
	SFTP_STATUS = 101,
	SFTP_HANDLE = 102,
	SFTP_DATA = 103,
	SFTP_NAME = 104,
	SFTP_ATTRS = 105,
	SFTP_EXTENDED = 200,
	SFTP_EXTENDED_REPLY = 201,
};
#endif
