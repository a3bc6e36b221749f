// format.ts - sizes, times and names as people read them.
import type { Lang, Text } from './text';

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(n: number, lang: Lang): string {
	let unit = 0;
	while (n >= 999.5 && unit < units.length - 1) {
		n /= 1000;
		unit++;
	}
	const digits = unit === 0 || n >= 99.95 ? 0 : 1;
	return `${n.toLocaleString(lang, { maximumFractionDigits: digits })}\u00a0${units[unit]}`;
}

// Rounded up: nobody minds when it is sooner.
export function duration(seconds: number, t: Text): string {
	if (seconds < 60) return t.time.seconds(Math.max(1, Math.ceil(seconds)));
	if (seconds < 3600) return t.time.minutes(Math.ceil(seconds / 60));
	if (seconds < 86400) return t.time.hours(Math.ceil(seconds / 3600));
	return t.time.days(Math.ceil(seconds / 86400));
}

const formats = new Map<string, Intl.DateTimeFormat>();
function format(lang: Lang, key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
	const id = lang + key;
	let f = formats.get(id);
	if (!f) formats.set(id, (f = new Intl.DateTimeFormat(navigator.languages.find((l) => l.startsWith(lang)) ?? lang, options)));
	return f;
}

// The server's times are UTC, whether they say so or not.
export const timeOf = (stamp: string): Date => new Date(/(Z|[+-]\d\d:?\d\d)$/.test(stamp) ? stamp : stamp + 'Z');

export function day(stamp: string, lang: Lang): string {
	const d = timeOf(stamp);
	if (Number.isNaN(d.getTime())) return '';
	return d.toDateString() === new Date().toDateString()
		? format(lang, 't', { hour: '2-digit', minute: '2-digit' }).format(d)
		: format(lang, 'd', { year: 'numeric', month: 'short', day: 'numeric' }).format(d);
}

export function moment(stamp: string, lang: Lang): string {
	const d = timeOf(stamp);
	return Number.isNaN(d.getTime()) ? '' : format(lang, 'm', { dateStyle: 'long', timeStyle: 'medium' }).format(d);
}

// Bidirectional controls (and other characters that show as nothing) made visible: a name must not look like another.
const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
export const visible = (name: string): string =>
	name.replace(unseen, (c) => `⟦U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟧`);

// "a (2).tar.gz" for "a.tar.gz"
export function numbered(name: string, n: number): string {
	const m = /^(.+?)((?:\.tar)?\.[^.]{1,12})$/s.exec(name);
	return m ? `${m[1]} (${n})${m[2]}` : `${name} (${n})`;
}
