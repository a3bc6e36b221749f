// pages.ts - the rows of one folder: pages that are fetched when they come into view, and what is selected of them.
import * as api from './api';
import type { Order } from './api';
import type { Item } from './types';

const PER_PAGE = 200;
const PER_PAGE_ALL = 10000;

export const keyOf = (item: Item): string => item.type + item.id;

export class Rows {
	total = 0;
	loaded = false;
	error: unknown;
	private pages = new Map<number, Item[]>();
	private asked = new Map<number, Promise<void>>();
	private stop = new AbortController();

	constructor(
		readonly folder: number,
		readonly order: Order,
		readonly filter: string,
		private changed: () => void,
	) {}

	at(index: number): Item | undefined {
		return this.pages.get(Math.floor(index / PER_PAGE))?.[index % PER_PAGE];
	}
	indexOf(key: string): number {
		for (const [page, items] of this.pages) {
			const i = items.findIndex((item) => keyOf(item) === key);
			if (i >= 0) return page * PER_PAGE + i;
		}
		return -1;
	}
	known(): Item[] {
		return [...this.pages.values()].flat();
	}

	// Rows from..to (inclusive) are here when the promise is kept.
	need(from: number, to: number): Promise<void> {
		const work: Promise<void>[] = [];
		for (let page = Math.floor(Math.max(0, from) / PER_PAGE); page <= Math.floor(to / PER_PAGE); page++) {
			if (this.pages.has(page) || (this.loaded && page > 0 && page * PER_PAGE >= this.total)) continue;
			let asked = this.asked.get(page);
			if (!asked) this.asked.set(page, (asked = this.fetch(page).finally(() => this.asked.delete(page))));
			work.push(asked);
		}
		return Promise.all(work).then(() => undefined);
	}

	private async fetch(page: number): Promise<void> {
		const { order, filter } = this;
		try {
			const got = await api.content(this.folder, { page: page + 1, perPage: PER_PAGE, order, filter }, this.stop.signal);
			if (this.stop.signal.aborted) return;
			this.pages.set(page, got.items);
			this.total = got.paging.totalItems;
			this.loaded = true;
			this.error = undefined;
		} catch (e) {
			if (this.stop.signal.aborted) return;
			this.error = e;
		}
		this.changed();
	}

	async all(): Promise<Item[]> {
		if (this.pages.size * PER_PAGE >= this.total && this.known().length >= this.total) return this.known();
		const items: Item[] = [];
		for (let page = 1; ; page++) {
			const got = await api.content(this.folder, { page, perPage: PER_PAGE_ALL, order: this.order, filter: this.filter });
			items.push(...got.items);
			if (got.items.length === 0 || items.length >= got.paging.totalItems) return items;
		}
	}

	close(): void {
		this.stop.abort();
	}
}

// Either what is selected, or (all) what is not: 100,000 rows can be selected without fetching them.
export interface Selection {
	all: boolean;
	keys: ReadonlyMap<string, Item>;
}
export const none: Selection = { all: false, keys: new Map() };
export const everything: Selection = { all: true, keys: new Map() };

export const isSelected = (s: Selection, item: Item): boolean => s.keys.has(keyOf(item)) !== s.all;
export const count = (s: Selection, rows: Rows): number => (s.all ? Math.max(0, rows.total - s.keys.size) : s.keys.size);

export function toggled(s: Selection, items: Item[], on?: boolean): Selection {
	const keys = new Map(s.keys);
	for (const item of items) {
		const want = on ?? !isSelected({ all: s.all, keys }, item);
		if (want !== s.all) keys.set(keyOf(item), item);
		else keys.delete(keyOf(item));
	}
	return { all: s.all, keys };
}

export const selected = async (s: Selection, rows: Rows): Promise<Item[]> =>
	s.all ? (await rows.all()).filter((item) => isSelected(s, item)) : [...s.keys.values()];

// Which kinds are in it; folders come first, so the first rows tell.
export function kinds(s: Selection, rows: Rows): { folders: boolean; files: boolean } {
	const items = s.all ? rows.known().filter((item) => isSelected(s, item)) : [...s.keys.values()];
	return {
		folders: items.some((item) => item.type === 'Folder'),
		files: items.some((item) => item.type === 'File') || (s.all && rows.known().length < rows.total),
	};
}
