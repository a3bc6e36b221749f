/* crc32.c - the CRC of ZIP and gzip: eight bytes a step by tables, or by carry-less multiplication.
 *
 * A table entry is linear in its index, so each of the 8 x 256 tables is written as its eight
 * entries for the powers of two; the preprocessor makes the rest.
 */
#include "crypto/crc32_clmul.h"

#define E1(a, x) (x), ((x) ^ (a))
#define E2(b, a, x) E1(a, x), E1(a, (x) ^ (b))
#define E3(c, b, a, x) E2(b, a, x), E2(b, a, (x) ^ (c))
#define E4(d, c, b, a, x) E3(c, b, a, x), E3(c, b, a, (x) ^ (d))
#define E5(e, d, c, b, a, x) E4(d, c, b, a, x), E4(d, c, b, a, (x) ^ (e))
#define E6(f, e, d, c, b, a, x) E5(e, d, c, b, a, x), E5(e, d, c, b, a, (x) ^ (f))
#define E7(g, f, e, d, c, b, a, x) E6(f, e, d, c, b, a, x), E6(f, e, d, c, b, a, (x) ^ (g))
#define ROW(a, b, c, d, e, f, g, h)                                                                \
	{                                                                                          \
		E7(g, f, e, d, c, b, a, 0u), E7(g, f, e, d, c, b, a, (h))                          \
	}

/* crc_table[k][i]: the CRC register i after 8 * (k + 1) zero bits, polynomial 0xEDB88320. */
/* clang-format off */
static const uint32_t crc_table[8][256] = {
	ROW(0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u, 0x1db71064u, 0x3b6e20c8u, 0x76dc4190u, 0xedb88320u),
	ROW(0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u, 0x4ac21251u, 0x958424a2u, 0xf0794f05u, 0x3b83984bu),
	ROW(0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u, 0x1c26a370u, 0x384d46e0u, 0x709a8dc0u, 0xe1351b80u),
	ROW(0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu, 0x5019579fu, 0xa032af3eu, 0x9b14583du, 0xed59b63bu),
	ROW(0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u, 0x60e09782u, 0xc1c12f04u, 0x58f35849u, 0xb1e6b092u),
	ROW(0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du, 0x03d6029bu, 0x07ac0536u, 0x0f580a6cu, 0x1eb014d8u),
	ROW(0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u, 0x67de9cceu, 0xcfbd399cu, 0x440b7579u, 0x8816eaf2u),
	ROW(0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u, 0x7cbb312bu, 0xf9766256u, 0x299dc2edu, 0x533b85dau),
};
/* clang-format on */

uint32_t
crc32_by_table(uint32_t reg, struct span s)
{
	for (; s.len >= 8; s = span_skip(s, 8)) {
		const uint8_t *p = s.ptr;

		reg = crc_table[7][p[0] ^ (reg & 0xff)] ^ crc_table[6][p[1] ^ (reg >> 8 & 0xff)] ^
		      crc_table[5][p[2] ^ (reg >> 16 & 0xff)] ^ crc_table[4][p[3] ^ reg >> 24] ^
		      crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^
		      crc_table[0][p[7]];
	}
	for (; s.len > 0; s = span_skip(s, 1))
		reg = crc_table[0][(reg ^ s.ptr[0]) & 0xff] ^ reg >> 8;
	return reg;
}

uint32_t
crc32_add(uint32_t crc, struct span s)
{
	uint8_t rest[CRC32_CLMUL_REST];
	uint32_t reg = ~crc;

	if (s.len >= CRC32_CLMUL_MIN && crc32_clmul_usable()) {
		size_t done = s.len & ~(size_t)15;

		crc32_clmul(reg, span_cut(s, done), rest);
		reg = crc32_by_table(0, span_of(rest, sizeof(rest)));
		s = span_skip(s, done);
	}
	return ~crc32_by_table(reg, s);
}
