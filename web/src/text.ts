// text.ts - the language of the page: the browser's, or the one that was chosen; and problems in words.
import { Problem } from './http';
import { Cell, useCell } from './observable';
import { duration } from './format';
import { de } from './text/de';
import { type Text, en } from './text/en';

export type { Text };
const texts = { en, de };
export type Lang = keyof typeof texts;
export const languages: [Lang, string][] = [['en', 'English'], ['de', 'Deutsch']];

const isLang = (s: string | null | undefined): s is Lang => s === 'en' || s === 'de';

function first(): Lang {
	let chosen: string | null = null;
	try {
		chosen = localStorage.getItem('language');
	} catch {
		// no storage: the browser's language
	}
	if (isLang(chosen)) return chosen;
	for (const tag of navigator.languages) {
		const base = tag.slice(0, 2).toLowerCase();
		if (isLang(base)) return base;
	}
	return 'en';
}

export const lang = new Cell<Lang>(first());

export function choose(to: Lang): void {
	try {
		localStorage.setItem('language', to);
	} catch {
		// until the page is closed, then
	}
	lang.set(to);
}

export const text = (): Text => texts[lang.value];
export const useText = (): Text => texts[useCell(lang)];

// What went wrong, and what to do now.
export function explain(e: unknown): string {
	const t = text();
	if (!(e instanceof Problem)) return t.problem.other(e instanceof Error ? e.message : String(e));
	const known = (t.problem as Record<string, unknown>)[e.type];
	if (typeof known === 'string') return known;
	if ((e.status === 429 || e.status === 503) && e.retryAfter > 0) return t.problem.busy(duration(e.retryAfter, t));
	if (e.status === 403) return t.problem.perm;
	if (e.status === 404) return t.problem.notfound;
	if (e.status === 413) return t.problem.toobig;
	if (e.status >= 500) return t.problem.unavail;
	return t.problem.other(e.message);
}
