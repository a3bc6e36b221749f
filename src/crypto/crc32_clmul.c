/* crc32_clmul.c - CRC-32 by folding with PCLMULQDQ (x86-64); other machines use the table. */
#include "crypto/crc32_clmul.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define CLMUL __attribute__((target("sse2,pclmul")))

bool
crc32_clmul_usable(void)
{
	return __builtin_cpu_supports("pclmul") != 0;
}

CLMUL static __m128i
load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* x moved forward by the distance that k stands for, and the bytes there added. */
CLMUL static __m128i
fold(__m128i x, __m128i k, __m128i there)
{
	__m128i low = _mm_clmulepi64_si128(x, k, 0x00), high = _mm_clmulepi64_si128(x, k, 0x11);

	return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

CLMUL void
crc32_clmul(uint32_t reg, struct span s, uint8_t ret[CRC32_CLMUL_REST])
{
	/* x^(4*128+32), x^(4*128-32) and x^(128+32), x^(128-32) modulo the polynomial,
	 * bit-reflected. */
	const __m128i by64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
	const __m128i by16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
	__m128i x[4];

	PRECOND(s.len >= CRC32_CLMUL_MIN && s.len % 16 == 0);
	for (size_t i = 0; i < 4; i++)
		x[i] = load(s.ptr + 16 * i);
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)reg));
	for (s = span_skip(s, 64); s.len >= 64; s = span_skip(s, 64)) {
		for (size_t i = 0; i < 4; i++)
			x[i] = fold(x[i], by64, load(s.ptr + 16 * i));
	}
	for (size_t i = 1; i < 4; i++)
		x[0] = fold(x[0], by16, x[i]);
	for (; s.len > 0; s = span_skip(s, 16))
		x[0] = fold(x[0], by16, load(s.ptr));
	_mm_storeu_si128((__m128i *)(void *)ret, x[0]);
}

#else

bool
crc32_clmul_usable(void)
{
	return false;
}

void
crc32_clmul(uint32_t reg, struct span s, uint8_t ret[CRC32_CLMUL_REST])
{
	(void)reg, (void)s, (void)ret;
	PRECOND(crc32_clmul_usable());
}
#endif
