// folder.tsx - one folder: where it is, what may be done in it, its rows, and what is dropped onto it.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import * as actions from './actions';
import * as api from './api';
import type { Order } from './api';
import { Crumbs, forget, isTop, useAbove } from './crumbs';
import { Details } from './details';
import { Box, ask, isOpen } from './dialog';
import { visible } from './format';
import { Problem } from './http';
import { Icon, type IconName } from './icons';
import { List } from './list';
import { tell, tellError } from './notice';
import { type Selection, Rows, count, keyOf, kinds, none, selected } from './pages';
import { folderPath, go } from './route';
import { explain, useText } from './text';
import type { Folder, Item } from './types';
import { add, arrived } from './upload';
import { type Found, chosen, dropped } from './walk';

const FILTER_MS = 250;
const ARRIVED_MS = 800;

// What a folder looked like when it was left.
const places = new Map<number, { top: number; cursor: number }>();
let order: Order = { field: 'name', down: false };
let cameFrom: number | undefined;

export const forgetPlaces = (): void => {
	places.clear();
	forget();
	cameFrom = undefined;
};

const isMissing = (e: unknown): boolean => e instanceof Problem && (e.status === 404 || e.status === 403 || e.status === 400);

export function FolderView({ id, home }: { id: number; home: () => void }) {
	const t = useText();
	const [folder, setFolder] = useState<Folder>(), [error, setError] = useState<unknown>(), [stamp, setStamp] = useState(0);
	const [gone, setGone] = useState(0);
	const load = useCallback(async (): Promise<void> => {
		setError(undefined);
		try {
			setFolder(await api.folder(id));
		} catch (e) {
			setError(e);
		}
	}, [id]);
	useEffect(() => {
		void load();
	}, [load, gone]);
	if (error !== undefined) {
		const missing = isMissing(error);
		return (
			<div class="empty">
				<h1>{missing ? t.nowhere.title : explain(error)}</h1>
				{missing && <p>{t.nowhere.text}</p>}
				<button type="button" class="primary" onClick={missing ? home : () => setGone(gone + 1)}>{missing ? t.nowhere.home : t.tryAgain}</button>
			</div>
		);
	}
	if (!folder || folder.id !== id) return <div class="empty"><p role="status">{t.list.loading}</p></div>;
	return <Open key={id} folder={folder} stamp={stamp} refresh={() => {
		setStamp((n) => n + 1);
		api.folder(id).then(setFolder, (e) => (isMissing(e) ? setError(e) : tellError(e)));
	}} />;
}

function Tool({ icon, label, act, primary = false, quiet = false, cls = '' }: { icon: IconName; label: string; act: () => void; primary?: boolean; quiet?: boolean; cls?: string }) {
	return (
		<button type="button" class={`${primary ? 'primary' : quiet ? 'plain' : 'tool'} ${cls}`} aria-label={label} title={label} onClick={act}>
			<Icon name={icon} />{!quiet && <span class="tool-label">{label}</span>}
		</button>
	);
}

function Keys({ done }: { done: () => void }) {
	const t = useText();
	return (
		<Box title={t.keys.title} cancel={done} submit={done}>
			<dl class="keys">{t.keys.rows.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
			<div class="buttons"><button type="submit" class="primary">{t.act.close}</button></div>
		</Box>
	);
}

function Open({ folder, stamp, refresh }: { folder: Folder; stamp: number; refresh: () => void }) {
	const t = useText(), may = folder.permission, above = useAbove(folder);
	const [, redraw] = useState(0), draw = (): void => redraw((n) => n + 1);
	const place = useRef(places.get(folder.id) ?? { top: 0, cursor: 0 }).current;
	const [filter, setFilter] = useState(''), [sort, setSort] = useState(order);
	const make = (): Rows => new Rows(folder.id, sort, filter, draw);
	const [rows, setRows] = useState(make);
	const [selection, select] = useState<Selection>(none), [cursor, moveCursor] = useState(place.cursor);
	const [shown, show] = useState<number>(), [over, setOver] = useState(false);
	const files = useRef<HTMLInputElement>(null), folders = useRef<HTMLInputElement>(null), search = useRef<HTMLInputElement>(null);
	const main = useRef<HTMLDivElement>(null), depth = useRef(0), latest = useRef(rows);
	const maySee = may.canListFiles || may.canListSubfolders || !Object.values(may).some(Boolean);
	const mayUpload = may.canWriteFiles, from = folder.id;

	const setCursor = (index: number): void => {
		place.cursor = index;
		moveCursor(index);
	};
	useEffect(() => void places.set(folder.id, place), []);

	// Other rows replace these when they have come: the list does not blink.
	useEffect(() => {
		if (!maySee) return;
		const next = rows.loaded || rows !== latest.current || rows.order !== sort || rows.filter !== filter ? make() : rows;
		const changed = rows.order !== sort || rows.filter !== filter;
		if (changed) {
			place.top = 0;
			setCursor(0);
			document.querySelector('.list')?.scrollTo(0, 0);
		}
		latest.current = next;
		let here = true;
		const first = Math.floor(place.top / 44);
		void Promise.all([next.need(0, 0), next.need(first, first + 40)]).then(() => {
			if (!here) return;
			if (next.error && !(next.error instanceof Problem && next.error.status === 401) && rows.loaded) tellError(next.error);
			else {
				setRows(next);
				if (next !== rows) rows.close();
			}
			if (cameFrom !== undefined) {
				const at = next.indexOf('Folder' + cameFrom);
				cameFrom = undefined;
				if (at >= 0) setCursor(at);
			}
			if (place.cursor >= next.total) setCursor(Math.max(0, next.total - 1));
		});
		return () => void (here = false);
	}, [stamp, sort, filter]);
	useEffect(() => () => latest.current.close(), []);
	useEffect(() => select(none), [filter]);
	useEffect(() => {
		if (!isOpen()) main.current?.querySelector<HTMLElement>('[data-home]')?.focus({ preventScroll: true });
	}, []);

	// Uploads that arrive here are shown, not one by one.
	const timer = useRef<ReturnType<typeof setTimeout>>();
	useEffect(() => {
		const stop = arrived.watch(() => {
			if (arrived.value?.folder !== from) return;
			timer.current ??= setTimeout(() => {
				timer.current = undefined;
				refresh();
			}, ARRIVED_MS);
		});
		return () => {
			stop();
			clearTimeout(timer.current);
		};
	}, []);

	const which = kinds(selection, rows), n = count(selection, rows);
	const folderRight = !which.folders || may.canAddSubfolders;
	const can = {
		download: n > 0 && may.canReadFiles,
		rename: n === 1 && folderRight && (!which.files || (may.canWriteFiles && may.canDeleteFiles)),
		move: n > 0 && folderRight && (!which.files || (may.canReadFiles && may.canDeleteFiles)),
		copy: n > 0 && which.files && !which.folders && may.canReadFiles,
		remove: n > 0 && folderRight && (!which.files || may.canDeleteFiles),
	};
	const onItems = (act: (items: Item[]) => Promise<unknown>, keep = false) => (): void => {
		void (async () => {
			try {
				const items = await selected(selection, rows);
				if (items.length === 0 || !(await act(items)) || keep) return;
				select(none);
				if (shown !== undefined && items.some((i) => i.type === 'File' && i.id === shown)) show(undefined);
				forget();
				refresh();
			} catch (e) {
				tellError(e);
			}
		})();
	};
	const all = n === rows.total && !rows.filter;
	const download = all && n !== 1 ? () => void actions.downloadZip(from, []) : onItems(
		async (items) => (items.length === 1 && items[0]!.type === 'File' ? actions.download(items[0]!.id) : actions.downloadZip(from, items)), true);
	const remove = onItems(actions.remove);
	const rename = onItems(async (items) => items[0] && actions.rename(items[0]));
	const newFolder = (): void => void actions.newFolder(folder).then((made) => made && refresh());
	const open = (item: Item): void => (item.type === 'Folder' ? go(folderPath(item.id)) : show(item.id));
	const up = (): void => {
		const parent = above[above.length - 1];
		if (!parent) return;
		cameFrom = folder.id;
		go(folderPath(parent.id));
	};

	// The buttons of a selection go away with it.
	useEffect(() => {
		if (n === 0 && document.activeElement === document.body && !isOpen()) main.current?.querySelector<HTMLElement>('[data-home]')?.focus({ preventScroll: true });
	}, [n]);

	// Keys that mean the same wherever the focus is in the page.
	const onKey = (e: KeyboardEvent): void => {
		const target = e.target as HTMLElement;
		if (isOpen() || e.ctrlKey || e.metaKey || e.altKey || target.matches('input:not([type=checkbox]), select, textarea')) return;
		const act = {
			'/': () => search.current?.focus(),
			'?': () => void ask((done) => <Keys done={done} />),
			Backspace: up,
			Delete: can.remove ? remove : undefined,
			F2: can.rename ? rename : undefined,
		}[e.key];
		if (target.closest('aside, .uploads') && e.key !== '/' && e.key !== '?') return;
		// nothing selected: the row with the cursor is meant
		if (!act && n === 0 && (e.key === 'F2' || e.key === 'Delete')) {
			const item = rows.at(cursor);
			if (item) pending.current = { key: e.key, item }, select({ all: false, keys: new Map([[keyOf(item), item]]) });
			return;
		}
		if (!act) return;
		e.preventDefault();
		act();
	};
	const pending = useRef<{ key: string; item: Item }>();
	useEffect(() => {
		const p = pending.current;
		if (!p || n !== 1) return;
		pending.current = undefined;
		if (p.key === 'F2' && can.rename) rename();
		if (p.key === 'Delete' && can.remove) remove();
	}, [selection]);
	const key = useRef(onKey);
	key.current = onKey;
	useEffect(() => {
		const on = (e: KeyboardEvent): void => key.current(e);
		addEventListener('keydown', on);
		return () => removeEventListener('keydown', on);
	}, []);

	const put = (found: Found[]): void => add(found, folder);
	const pick = (input: HTMLInputElement): void => {
		if (input.files?.length) put(chosen(input.files));
		input.value = '';
	};
	const hasFiles = (e: DragEvent): boolean => !!e.dataTransfer?.types.includes('Files');
	const drag = {
		onDragEnter: (e: DragEvent) => {
			if (!hasFiles(e)) return;
			e.preventDefault();
			depth.current++;
			setOver(true);
		},
		onDragOver: (e: DragEvent) => {
			if (!hasFiles(e)) return;
			e.preventDefault();
			e.dataTransfer!.dropEffect = mayUpload ? 'copy' : 'none';
		},
		onDragLeave: (e: DragEvent) => {
			if (hasFiles(e) && --depth.current <= 0) setOver(false);
		},
		onDrop: (e: DragEvent) => {
			if (!hasFiles(e)) return;
			e.preventDefault();
			depth.current = 0;
			setOver(false);
			if (mayUpload) void dropped(e.dataTransfer!, put, () => tell(t.uploads.unreadable, { bad: true }));
		},
	};
	const filterTimer = useRef<ReturnType<typeof setTimeout>>();
	const onFilter = (value: string): void => {
		clearTimeout(filterTimer.current);
		filterTimer.current = setTimeout(() => setFilter(value.trim()), value ? FILTER_MS : 0);
	};
	const clearFilter = (): void => {
		search.current!.value = '';
		onFilter('');
	};
	const name = isTop(folder) ? t.top : visible(folder.name);
	const status = !rows.loaded ? '' : n > 0 ? t.act.selected(n) : filter ? t.list.found(rows.total) : t.list.count(rows.total);
	return (
		<div class={shown === undefined ? 'folder' : 'folder with-details'} ref={main} {...drag}>
			<div class="bar">
				<Crumbs folder={folder} above={above} />
				<div class="filter" role="search">
					<Icon name="search" />
					<input
						ref={search} type="text" aria-label={t.list.filter} placeholder={t.list.filter} autocomplete="off" spellcheck={false} enterkeyhint="search"
						disabled={!maySee}
						onInput={(e) => onFilter(e.currentTarget.value)}
						onKeyDown={(e) => {
							if (e.key === 'Escape') clearFilter();
							if (e.key === 'Escape' || e.key === 'Enter' || e.key === 'ArrowDown') document.querySelector<HTMLElement>('[data-home]')?.focus();
						}}
					/>
					{filter && <button type="button" class="plain" aria-label={t.list.clearFilter} onClick={clearFilter}><Icon name="close" /></button>}
				</div>
			</div>
			<div class="tools" role="group" aria-label={t.act.toolbar}>
				{n === 0 ? (
					<>
						{mayUpload && <Tool key="upload" icon="upload" label={t.act.upload} primary act={() => files.current?.click()} />}
						{mayUpload && may.canAddSubfolders && <Tool key="uploadFolder" icon="folder" label={t.act.uploadFolder} cls="no-phone" act={() => folders.current?.click()} />}
						{may.canReadFiles && rows.total > 0 && !filter && <Tool key="downloadAll" icon="download" label={t.act.downloadAll} cls="no-phone" act={() => void actions.downloadZip(from, [])} />}
						{may.canAddSubfolders && <Tool key="newFolder" icon="plus" label={t.act.newFolder} act={newFolder} />}
					</>
				) : (
					<>
						{can.download && <Tool key="download" icon="download" label={t.act.download} primary act={download} />}
						{can.rename && <Tool key="rename" icon="rename" label={t.act.rename} act={rename} />}
						{can.move && <Tool key="move" icon="move" label={t.act.move} act={onItems((items) => actions.moveOrCopy(items, folder, 'move'))} />}
						{can.copy && <Tool key="copy" icon="copy" label={t.act.copy} act={onItems((items) => actions.moveOrCopy(items, folder, 'copy'))} />}
						{can.remove && <Tool key="remove" icon="remove" label={t.act.remove} act={remove} />}
						<Tool key="clear" icon="close" label={t.act.clear} quiet act={() => select(none)} />
					</>
				)}
				<span class="status" role="status">{status}</span>
				<Tool key="refresh" icon="refresh" label={t.act.refresh} quiet act={refresh} />
				<Tool key="help" icon="keys" label={t.act.help} quiet cls="no-phone" act={() => void ask((done) => <Keys done={done} />)} />
			</div>
			<input type="file" multiple hidden ref={files} onChange={(e) => pick(e.currentTarget)} />
			<input type="file" hidden ref={(el) => {
				folders.current = el;
				el?.setAttribute('webkitdirectory', '');
			}} onChange={(e) => pick(e.currentTarget)} />
			{!maySee ? (
				<div class="empty" tabIndex={-1} data-home>
					<Icon name={mayUpload ? 'upload' : 'folder'} />
					<h2>{mayUpload ? t.list.blindTitle : t.list.hidden}</h2>
					{mayUpload && <p>{t.list.blindText}</p>}
				</div>
			) : rows.error && !rows.loaded ? (
				<div class="empty" tabIndex={-1} data-home>
					<h2>{explain(rows.error)}</h2>
					<button type="button" class="primary" onClick={() => {
						setRows(make());
						refresh();
					}}>{t.tryAgain}</button>
				</div>
			) : rows.loaded && rows.total === 0 ? (
				<div class="empty" tabIndex={-1} data-home>
					<Icon name={filter ? 'search' : mayUpload ? 'upload' : 'folder'} />
					<h2>{filter ? t.list.noMatch(filter) : t.list.emptyTitle}</h2>
					<p>{filter ? t.list.noMatchText : mayUpload ? t.list.emptyUpload : t.list.emptyRead}</p>
					{filter && <button type="button" onClick={clearFilter}>{t.list.clearFilter}</button>}
				</div>
			) : (
				<List
					rows={rows} label={t.list.label(name)} may={may} selection={selection} select={select} cursor={cursor} setCursor={setCursor}
					setOrder={(o) => setSort((order = o))} open={open} download={(item) => void actions.download(item.id)} scroll={place}
				/>
			)}
			{shown !== undefined && <Details id={shown} stamp={stamp} may={may} close={() => {
				show(undefined);
				document.querySelector<HTMLElement>('[data-home]')?.focus();
			}} />}
			{over && <div class="drop" aria-hidden="true"><p>{mayUpload ? t.list.drop(name) : t.list.noDrop}</p></div>}
		</div>
	);
}
