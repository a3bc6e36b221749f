// http.ts - requests with proofs: the nonce is followed, a lost session and problems become errors.
import { noteNonce, prove } from './proof';
import { type Stored, load } from './store';

export class Problem extends Error {
	constructor(
		readonly status: number,
		readonly type: string,
		readonly detail: string,
		readonly retryAfter = 0,
	) {
		super(detail || type || String(status));
	}
}

const TRIES_MISDIRECTED = 6;

let current: Stored | undefined;
let lost: (() => void) | undefined;

export const use = (session: Stored | undefined): void => void (current = session);
export const session = (): Stored | undefined => current;
export const onLost = (fn: () => void): void => void (lost = fn);

// Another tab may have signed in anew meanwhile: its key is the one that the cookie belongs to.
async function adopt(tried: Stored): Promise<boolean> {
	if (current && current !== tried) return true;
	const stored = await load();
	if (!stored || stored.ath === tried.ath) return false;
	if (stored.user !== tried.user) {
		location.reload();
		return new Promise(() => undefined);
	}
	current = stored;
	return true;
}

export interface Answer {
	status: number;
	header(name: string): string | null;
	text(): Promise<string>;
}

export async function problemOf(answer: Answer): Promise<Problem> {
	let body: { type?: unknown; title?: unknown; detail?: unknown; error?: unknown; error_description?: unknown } = {};
	try {
		body = JSON.parse(await answer.text());
	} catch {
		// an answer of something in between: its status must do
	}
	const word = (v: unknown): string => (typeof v === 'string' ? v : '');
	return new Problem(
		answer.status,
		word(body.type).replace(/^.*\//, '') || word(body.error),
		word(body.detail) || word(body.title) || word(body.error_description),
		Number(answer.header('Retry-After')) || 0,
	);
}

// send - one request, repeated with a proof that the server asks for. `once` sends it with the proof that it is given.
export async function send(method: string, path: string, once: (proof: string) => Promise<Answer>): Promise<Answer> {
	let proved = false, adopted = false, misdirected = 0;
	for (;;) {
		const by = current;
		if (!by) throw new Problem(401, 'session', '');
		const answer = await once(await prove(by.keys, { method, path, ath: by.ath }));
		const nonce = noteNonce(answer.header('DPoP-Nonce'));
		if (answer.status < 400) return answer;
		if (answer.status === 421 && ++misdirected < TRIES_MISDIRECTED) continue; // a connection of whoever was here before
		if (answer.status === 401) {
			if (nonce && !proved) {
				proved = true;
				continue;
			}
			if (!adopted && (await adopt(by))) {
				adopted = true;
				proved = false;
				continue;
			}
			if (current === by) {
				current = undefined;
				lost?.();
			}
			throw new Problem(401, 'session', '');
		}
		throw await problemOf(answer);
	}
}

export const answerOf = (r: Response): Answer => ({
	status: r.status,
	header: (name) => r.headers.get(name),
	text: () => r.text(),
});

async function fetchAnswer(path: string, init: RequestInit): Promise<Answer> {
	try {
		return answerOf(await fetch(path, { credentials: 'same-origin', redirect: 'error', cache: 'no-store', ...init }));
	} catch (e) {
		if (e instanceof DOMException && e.name === 'AbortError') throw e;
		throw new Problem(0, 'network', '');
	}
}

export function request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
	return send(method, path, (proof) =>
		fetchAnswer(path, {
			method,
			headers: { DPoP: proof, Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
			body: body === undefined ? null : JSON.stringify(body),
			signal: signal ?? null,
		}),
	);
}

// A form without a session yet: the proof is by the key that the session will have.
export async function postForm(path: string, form: Record<string, string>, keys: CryptoKeyPair): Promise<Answer> {
	for (let tries = 0; ; tries++) {
		const answer = await fetchAnswer(path, {
			method: 'POST',
			headers: { DPoP: await prove(keys, { method: 'POST', path }), Accept: 'application/json' },
			body: new URLSearchParams(form),
		});
		const nonce = noteNonce(answer.header('DPoP-Nonce'));
		if (answer.status === 421 && tries < TRIES_MISDIRECTED) continue;
		if (!nonce || tries > 0 || answer.status < 400) return answer;
		const text = await answer.text();
		if (!/"(use_dpop_nonce|invalid_dpop_proof)"/.test(text)) return { ...answer, text: async () => text };
	}
}
