// proof.ts - proofs of possession (RFC 9449, ES256): made here, by a key that cannot be taken out of the browser.
const utf8 = new TextEncoder();

function base64url(bytes: Uint8Array): string {
	let s = '';
	for (const b of bytes) s += String.fromCharCode(b);
	return btoa(s).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

export const newKeys = (): Promise<CryptoKeyPair> =>
	crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);

let newest: string | undefined;

// The newest nonce that a reply brought; false when it brought none.
export function noteNonce(nonce: string | null): boolean {
	if (!nonce) return false;
	newest = nonce;
	return true;
}

export interface Claims {
	method: string;
	path: string;
	ath?: string | undefined;
}

export async function prove(keys: CryptoKeyPair, { method, path, ath }: Claims): Promise<string> {
	const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', keys.publicKey);
	const url = new URL(path, location.origin);
	const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } };
	const payload = {
		jti: base64url(crypto.getRandomValues(new Uint8Array(16))),
		htm: method,
		htu: url.origin + url.pathname,
		iat: Math.floor(Date.now() / 1000),
		nonce: newest,
		ath,
	};
	const text = [header, payload].map((part) => base64url(utf8.encode(JSON.stringify(part)))).join('.');
	const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, keys.privateKey, utf8.encode(text));
	return `${text}.${base64url(new Uint8Array(signature))}`;
}
