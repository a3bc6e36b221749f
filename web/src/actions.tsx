// actions.tsx - what is done with the selected rows: asked for, done a few at a time, told.
import * as api from './api';
import { confirm, askName } from './dialog';
import { Problem } from './http';
import { Name } from './name';
import { visible } from './format';
import { dismiss, tell, tellError } from './notice';
import { pickFolder } from './picker';
import { explain, text } from './text';
import type { Folder, Item } from './types';

const AT_ONCE = 4;
const MANY_CHOSEN = 500; // as the server takes

// The ones that failed are told once, with the first reason; the rest is done all the same.
async function each(items: Item[], act: (item: Item) => Promise<void>, said: (n: number) => string): Promise<number> {
	const queue = [...items];
	let done = 0, failed = 0, why: unknown, over = false, note = 0;
	const slow = setTimeout(() => (note = tell(text().done.working(done, items.length), { stays: true })), 800);
	const one = async (): Promise<void> => {
		for (let item = queue.shift(); item && !over; item = queue.shift()) {
			try {
				await act(item);
				done++;
			} catch (e) {
				why ??= e;
				failed++;
				over = (e as { status?: number }).status === 401;
			}
			if (note) note = tell(text().done.working(done + failed, items.length), { stays: true, replaces: note });
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, one));
	clearTimeout(slow);
	dismiss(note);
	if (done > 0) tell(said(done));
	if (failed === 1 && items.length === 1) tellError(why);
	else if (failed > 0 && !over) tell(text().done.failed(failed, explain(why)), { bad: true });
	return done;
}

export async function remove(items: Item[]): Promise<number> {
	const t = text(), only = items.length === 1 ? items[0] : undefined;
	const body = only ? (
		<><strong><Name>{only.name}</Name></strong> {only.type === 'Folder' ? t.ask.removeFolder : t.ask.removeOne}</>
	) : items.some((i) => i.type === 'Folder') ? t.ask.removeMany : '';
	if (!(await confirm({ title: t.ask.removeTitle(items.length), text: body, yes: t.act.remove, danger: true }))) return 0;
	return each(items, api.remove, t.done.removed);
}

export async function moveOrCopy(items: Item[], from: Folder, verb: 'move' | 'copy'): Promise<number> {
	const t = text();
	const to = await pickFolder(items, from, verb);
	if (!to) return 0;
	return each(items, (item) => api[verb](item, to.id), verb === 'move' ? t.done.moved : t.done.copied);
}

export function rename(item: Item): Promise<true | undefined> {
	const t = text();
	return askName({
		title: t.ask.rename, label: t.ask.newName, yes: t.act.rename, value: item.name, explain,
		act: async (name) => {
			await api.rename(item, name);
			tell(t.done.renamed(visible(name)));
		},
	});
}

export function newFolder(into: Folder): Promise<true | undefined> {
	const t = text();
	return askName({
		title: t.ask.newFolder, label: t.ask.newFolderName, yes: t.ask.create, explain,
		act: async (name) => {
			await api.newFolder(into.id, name);
			tell(t.done.made(visible(name)));
		},
	});
}

// The browser itself downloads: an address that is good for this, and a click on it.
function follow(url: string): void {
	const to = new URL(url, location.origin);
	if (to.origin !== location.origin) throw new Error(to.origin);
	const a = document.createElement('a');
	a.href = to.href;
	a.download = '';
	document.body.append(a);
	a.click();
	a.remove();
	tell(text().done.downloading);
}

export async function download(id: number): Promise<void> {
	try {
		follow((await api.ticket(id)).url);
	} catch (e) {
		tellError(e);
	}
}

// Several files, or folders, as one ZIP; without items all that is in the folder.  It is asked for first: a browser's own
// download can only fail, without a word.
export async function downloadZip(from: number, items: Item[]): Promise<void> {
	const numbers = (type: Item['type']): string => items.filter((i) => i.type === type).map((i) => i.id).join(',');
	const chosen: Record<string, string> = items.length ? { files: numbers('File'), folders: numbers('Folder') } : {};
	if (items.length > MANY_CHOSEN) return void tell(text().ask.tooMany(MANY_CHOSEN), { bad: true });
	try {
		await api.archiveThere(from, chosen);
		const { url } = await api.folderTicket(from);
		follow(url + Object.entries(chosen).map(([k, v]) => `&${k}=${v}`).join(''));
	} catch (e) {
		if (e instanceof Problem && e.status === 413) tell(text().ask.tooBig, { bad: true });
		else tellError(e);
	}
}
