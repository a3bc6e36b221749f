// crumbs.tsx - the way from the top to the folder, as links; and the title of the page.
import { useEffect, useState } from 'preact/hooks';
import * as api from './api';
import { visible } from './format';
import { Icon } from './icons';
import { Name } from './name';
import { folderPath, follow } from './route';
import { useText } from './text';
import type { Folder } from './types';

const known = new Map<number, Folder>();
export const forget = (): void => known.clear();

export function useAbove(folder: Folder | undefined): Folder[] {
	const [above, setAbove] = useState<Folder[]>([]);
	useEffect(() => {
		let here = true;
		const way: Folder[] = [];
		const climb = async (): Promise<void> => {
			for (let id = folder?.parentId ?? 0; id && way.length < 64 && here; ) {
				const got = known.get(id) ?? (await api.folder(id));
				known.set(id, got);
				way.unshift(got);
				id = got.parentId === id ? 0 : got.parentId;
			}
		};
		// Where the caller sees nothing, the way begins.
		void climb().catch(() => undefined).then(() => here && setAbove(way));
		return () => void (here = false);
	}, [folder]);
	return above.length && folder && above[above.length - 1]!.id === folder.parentId ? above : [];
}

export const isTop = (f: Folder): boolean => f.path === '/' || f.name === '' || f.name === '/';

export function Crumbs({ folder, above }: { folder: Folder; above: Folder[] }) {
	const t = useText();
	useEffect(() => void (document.title = isTop(folder) ? t.top : visible(folder.name)), [folder, t]);
	return (
		<nav class="crumbs" aria-label={t.path}>
			<ol>
				{above.map((f) => (
					<li key={f.id}>
						<a href={folderPath(f.id)} onClick={(e) => follow(e, folderPath(f.id))}>{isTop(f) ? t.top : <Name end>{f.name}</Name>}</a>
						<Icon name="right" />
					</li>
				))}
				<li><h1 aria-current="page">{isTop(folder) ? t.top : <Name end>{folder.name}</Name>}</h1></li>
			</ol>
		</nav>
	);
}
