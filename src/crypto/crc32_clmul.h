/* crc32_clmul.h - private to crypto/: the two ways to compute a CRC-32. */
#ifndef SP_CRYPTO_CRC32_CLMUL_H
#define SP_CRYPTO_CRC32_CLMUL_H

#include "crypto/crypto.h"

#define CRC32_CLMUL_MIN 64u  /* fewest bytes */
#define CRC32_CLMUL_REST 16u /* bytes that are left to do by table */

/* crc32_by_table - the register after s, without the inversions at both ends. */
uint32_t crc32_by_table(uint32_t reg, struct span s);

/* crc32_clmul_usable - has this processor carry-less multiplication? */
bool crc32_clmul_usable(void);
/* crc32_clmul - fold s (a multiple of 16, at least 64 bytes) into the 16 bytes whose CRC from
 * register 0 is the register after s.   source Intel, "Fast CRC Computation for Generic Polynomials
 * Using PCLMULQDQ" */
void crc32_clmul(uint32_t reg, struct span s, uint8_t ret[CRC32_CLMUL_REST]);
#endif
