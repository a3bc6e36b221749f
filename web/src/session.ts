// session.ts - who is signed in: the two steps of signing in, signing out, and the end of a session.
import * as api from './api';
import { Problem, onLost, postForm, problemOf, use } from './http';
import { newKeys } from './proof';
import { clear, load, save } from './store';
import { Cell } from './observable';
import type { User } from './types';

export type State =
	| { at: 'starting' }
	| { at: 'unreachable' }
	| { at: 'out'; why?: 'ended' | 'left' }
	| { at: 'in'; user: User };

export const state = new Cell<State>({ at: 'starting' });

onLost(() => {
	void clear();
	state.set({ at: 'out', why: 'ended' });
});

async function enter(): Promise<void> {
	state.set({ at: 'in', user: await api.self() });
}

export async function start(): Promise<void> {
	const stored = await load();
	if (!stored) return state.set({ at: 'out' });
	use(stored);
	try {
		await enter();
	} catch {
		if (state.value.at === 'starting') state.set({ at: 'unreachable' });
	}
}

interface Pending {
	keys: CryptoKeyPair;
	user: string;
	ticket: string;
}
let pending: Pending | undefined;

export type Step = 'in' | 'code';

async function grant(form: Record<string, string>, keys: CryptoKeyPair, user: string): Promise<Step> {
	const answer = await postForm('/api/v1/token', { ...form, cookie: '1' }, keys);
	const text = await answer.text();
	const again = { ...answer, text: async () => text };
	if (answer.status >= 400) {
		const problem = await problemOf(again);
		if (problem.type !== 'mfa_required') throw problem;
		pending = { keys, user, ticket: (JSON.parse(text) as { mfa_access_token: string }).mfa_access_token };
		return 'code';
	}
	const stored = { keys, user, ath: (JSON.parse(text) as { ath: string }).ath };
	use(stored);
	await save(stored);
	pending = undefined;
	await enter();
	return 'in';
}

export async function signIn(user: string, password: string): Promise<Step> {
	return grant({ grant_type: 'password', username: user, password }, await newKeys(), user);
}

export async function signInCode(code: string): Promise<Step> {
	if (!pending) throw new Problem(400, 'invalid_grant', '');
	return grant({ grant_type: 'otp', mfa_access_token: pending.ticket, otp: code.replace(/\s/g, '') }, pending.keys, pending.user);
}

// What is to be ended while the session still lives.
let leave: (() => Promise<void>) | undefined;
export const onLeave = (fn: typeof leave): void => void (leave = fn);

// Once the server was asked, the page forgets the key: without it the cookie opens nothing.
export async function signOut(): Promise<void> {
	try {
		await leave?.();
		await api.signOut();
	} catch {
		// ended already, or not reachable
	}
	use(undefined);
	await clear();
	state.set({ at: 'out', why: 'left' });
}
