// picker.tsx - the dialog that picks the folder to move or copy into.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api';
import { Box, ask } from './dialog';
import { Icon } from './icons';
import { Name } from './name';
import { explain, useText } from './text';
import type { Folder, Item } from './types';

export const pickFolder = (items: Item[], from: Folder, verb: 'move' | 'copy'): Promise<Folder | undefined> =>
	ask<Folder>((done) => <Picker items={items} from={from} verb={verb} done={done} />);

interface Props {
	items: Item[];
	from: Folder;
	verb: 'move' | 'copy';
	done: (to?: Folder) => void;
}

function Picker({ items, from, verb, done }: Props) {
	const t = useText();
	const [at, setAt] = useState(from), [below, setBelow] = useState<Folder[]>([]), [pages, setPages] = useState({ page: 0, of: 1 });
	const [error, setError] = useState(''), [parent, setParent] = useState<Folder>(), [busy, setBusy] = useState(false);
	const title = useRef<HTMLParagraphElement>(null), turn = useRef(0);

	const load = async (folder: Folder, page: number): Promise<void> => {
		const mine = ++turn.current;
		setBusy(true);
		setError('');
		try {
			const got = await api.subfolders(folder.id, page);
			if (mine !== turn.current) return;
			setBelow((old) => (page === 1 ? got.items : [...old, ...got.items]));
			setPages({ page, of: got.paging.totalPages });
		} catch (e) {
			if (mine === turn.current) setError(explain(e));
		} finally {
			if (mine === turn.current) setBusy(false);
		}
	};
	useEffect(() => {
		let here = true;
		setBelow([]);
		setParent(undefined);
		void load(at, 1);
		if (at.parentId) api.folder(at.parentId).then((f) => here && setParent(f), () => undefined);
		return () => void (here = false);
	}, [at.id]);

	const open = (folder: Folder): void => {
		setAt(folder);
		title.current?.focus();
	};
	const moved = new Set(items.filter((i) => i.type === 'Folder').map((i) => i.id));
	const hasFiles = items.some((i) => i.type === 'File');
	const why =
		verb === 'move' && at.id === from.id ? t.ask.alreadyHere
		: (hasFiles && !at.permission.canWriteFiles) || (moved.size > 0 && !at.permission.canAddSubfolders) ? t.ask.noWrite
		: '';
	return (
		<Box
			title={verb === 'move' ? t.ask.moveTitle(items.length) : t.ask.copyTitle(items.length)}
			cancel={done} wide
			submit={() => !why && done(at)}
		>
			<p class="hint">{t.ask.pickHint}</p>
			<div class="picker-at">
				<button type="button" class="plain" aria-label={t.ask.up} aria-disabled={!parent} onClick={() => parent && open(parent)}><Icon name="up" /></button>
				<p tabIndex={-1} ref={title} autofocus><Icon name="folder" /><strong>{at.parentId && at.name ? <Name end>{at.name}</Name> : t.top}</strong></p>
			</div>
			<ul class="picker" aria-busy={busy}>
				{below.map((f) => {
					const self = verb === 'move' && moved.has(f.id);
					return (
						<li key={f.id}>
							<button type="button" disabled={self} title={self ? t.ask.notInItself : undefined} onClick={() => open(f)}>
								<Icon name="folder" /><Name end>{f.name}</Name><Icon name="right" />
							</button>
						</li>
					);
				})}
				{!busy && !error && below.length === 0 && <li class="hint">{t.ask.noSubfolders}</li>}
				{pages.page < pages.of && pages.page > 0 && <li><button type="button" onClick={() => void load(at, pages.page + 1)}>{t.ask.more}</button></li>}
			</ul>
			<p class={error ? 'error' : 'hint'} role="status">{error || why || '\u00a0'}</p>
			<div class="buttons">
				<button type="button" onClick={() => done()}>{t.act.cancel}</button>
				<button type="submit" class="primary" aria-disabled={!!why}>{verb === 'move' ? t.ask.moveHere : t.ask.copyHere}</button>
			</div>
		</Box>
	);
}
