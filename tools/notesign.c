/* notesign.c - sign a text as a C2SP note, at build time: the manifest of installed files.
 *
 *   notesign SEED NAME <text >note       SEED: a file of 32 bytes, the Ed25519 seed
 *   notesign --public SEED NAME          the verifier key for -Drelease_key=
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/wire.h"
#include "crypto/merkle.h"
#include "sys/fd.h"

#define TEXT_MAX (1u << 20)

static int
public_line(const char *name, const uint8_t seed[32])
{
	uint8_t key[33] = {1};
	char line[512];
	struct text t = text_of(line, sizeof(line));
	uint32_t id = 0;
	int err = ed25519_public(seed, key + 1);

	if (err == SP_OK)
		err = note_key_id(name, key + 1, &id);
	if (err != SP_OK)
		return err;
	text_fmt(&t, "%s+%08x+", name, id);
	base64_put(&t, span_of(key, sizeof(key)));
	return puts(line) == EOF ? SP_EIO : SP_OK;
}

static int
sign_input(const char *name, const uint8_t seed[32])
{
	DEFER(mem_freep) char *buf = mem_alloc(TEXT_MAX);
	struct text t;
	int64_t n = 0, got;
	int err = buf != NULL ? SP_OK : SP_ENOMEM;

	while (err == SP_OK &&
	       (got = sock_read(STDIN_FILENO, buf + n, TEXT_MAX - 1024 - (size_t)n)) != 0) {
		err = got < 0 ? (int)got : SP_OK;
		n += got;
	}
	if (err != SP_OK)
		return err;
	t = (struct text){.buf = buf, .cap = TEXT_MAX, .len = (size_t)n};
	err = note_sign(&t, name, seed);
	if (err == SP_OK && fwrite(buf, 1, t.len, stdout) != t.len)
		err = SP_EIO;
	return err;
}

int
main(int argc, char **argv)
{
	DEFER(mem_freep) uint8_t *seed = NULL;
	bool public = argc == 4 && strcmp(argv[1], "--public") == 0;
	size_t len = 0;
	int fd, err;

	if (!public && argc != 3) {
		(void)fputs("usage: notesign [--public] SEED NAME\n", stderr);
		return 64;
	}
	fd = file_open_at(AT_FDCWD, argv[argc - 2], O_RDONLY, 0);
	err = fd < 0 ? fd : file_read_all(fd, 32, &seed, &len);
	close_fd(&fd);
	if (err == SP_OK && len != 32)
		err = SP_ERANGE;
	if (err == SP_OK)
		err = public ? public_line(argv[3], seed) : sign_input(argv[2], seed);
	if (seed != NULL)
		mem_wipe(seed, len);
	if (err == SP_OK && fflush(stdout) != 0)
		err = SP_EIO;
	if (err != SP_OK)
		(void)fprintf(stderr, "notesign: %s: %s\n", argv[argc - 2], sp_strerror(err));
	return err == SP_OK ? 0 : sp_err_row(err)->exit;
}
