// list.tsx - the rows of a folder as a grid: only those in view are drawn, so that 100,000 are as smooth as ten.
import { Component } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Order, SortField } from './api';
import { bytes, day, moment, visible } from './format';
import { Icon } from './icons';
import { Name } from './name';
import { useCell } from './observable';
import { type Rows, type Selection, count, everything, isSelected, keyOf, none, toggled } from './pages';
import { folderPath, follow } from './route';
import { type Lang, lang, text, useText } from './text';
import type { Item, Permission } from './types';

const AHEAD = 12;
const SETTLE_MS = 60;
export const narrow = matchMedia('(max-width: 40em)');

export interface ListProps {
	rows: Rows;
	label: string;
	may: Permission;
	selection: Selection;
	select: (s: Selection) => void;
	cursor: number;
	setCursor: (index: number) => void;
	setOrder: (o: Order) => void;
	open: (item: Item) => void;
	download: (item: Item) => void;
	scroll: { top: number };
}

function useNarrow(): boolean {
	const [is, set] = useState(narrow.matches);
	useEffect(() => {
		const on = (): void => set(narrow.matches);
		narrow.addEventListener('change', on);
		return () => narrow.removeEventListener('change', on);
	}, []);
	return is;
}

interface RowActs {
	click: (e: MouseEvent, item: Item, index: number) => void;
	open: (item: Item, index: number) => void;
	download: (item: Item) => void;
}
interface RowProps {
	item: Item;
	index: number;
	height: number;
	on: boolean;
	at: boolean;
	mayRead: boolean;
	language: Lang;
	acts: { current: RowActs };
}

// Drawn again only when something of it changed: scrolling draws the rows that come into view, and no others.
class Row extends Component<RowProps> {
	override shouldComponentUpdate(next: RowProps): boolean {
		return (Object.keys(next) as (keyof RowProps)[]).some((k) => next[k] !== this.props[k]);
	}
	render({ item, index, height, on, at, mayRead, language, acts }: RowProps) {
		const t = text(), isFolder = item.type === 'Folder', shown = visible(item.name);
		const size = isFolder ? '' : bytes(item.size, language), changed = day(item.lastUpdateTime, language);
		return (
			<div
				role="row" id={`row${index}`} aria-rowindex={index + 2} aria-selected={on} style={{ transform: `translateY(${index * height}px)` }}
				class={`row${on ? ' on' : ''}${at ? ' at' : ''}`}
				onClick={(e) => acts.current.click(e, item, index)}
				onDblClick={(e) => !(e.target as HTMLElement).closest('a, button, .tick') && acts.current.open(item, index)}
			>
				<div role="gridcell" class="tick"><input type="checkbox" tabIndex={-1} checked={on} aria-label={t.list.select(shown)} /></div>
				<div role="gridcell" class="c-name">
					<Icon name={isFolder ? 'folder' : 'file'} />
					<span class="sr">{isFolder ? t.list.folder : t.list.file}</span>
					{isFolder ? (
						<a href={folderPath(item.id)} tabIndex={-1} onClick={(e) => follow(e, folderPath(item.id))}><Name end>{item.name}</Name></a>
					) : (
						<button type="button" class="plain" tabIndex={-1} onClick={() => acts.current.open(item, index)}><Name end>{item.name}</Name></button>
					)}
					<small aria-hidden="true">{[size, changed].filter(Boolean).join(' · ')}</small>
				</div>
				<div role="gridcell" class="c-size">{size || '–'}</div>
				<div role="gridcell" class="c-changed" title={moment(item.lastUpdateTime, language)}>
					{changed}
					{!isFolder && mayRead && (
						<button type="button" class="plain quick" tabIndex={-1} aria-label={t.list.download(shown)} title={t.act.download} onClick={() => acts.current.download(item)}><Icon name="download" /></button>
					)}
				</div>
			</div>
		);
	}
}

export function List(p: ListProps) {
	const t = useText(), language = useCell(lang), isNarrow = useNarrow();
	const box = useRef<HTMLDivElement>(null), anchor = useRef(0), head = useRef<HTMLDivElement>(null);
	const [view, setView] = useState({ first: 0, last: 30 });
	const height = isNarrow ? 60 : 44;
	const { rows, selection, cursor } = p;

	const measure = (): void => {
		const el = box.current;
		if (!el) return;
		p.scroll.top = el.scrollTop;
		const first = Math.floor(el.scrollTop / height), last = Math.ceil((el.scrollTop + el.clientHeight) / height);
		setView((v) => (v.first === first && v.last === last ? v : { first, last }));
	};
	useLayoutEffect(() => {
		const el = box.current!;
		el.scrollTop = p.scroll.top;
		measure();
		const watch = new ResizeObserver(measure);
		watch.observe(el);
		return () => watch.disconnect();
	}, [height, rows.folder]);
	useEffect(() => {
		const timer = setTimeout(() => void rows.need(Math.max(0, view.first - AHEAD), Math.min(Math.max(0, rows.total - 1), view.last + AHEAD)), SETTLE_MS);
		return () => clearTimeout(timer);
	}, [rows, view.first, view.last, rows.total]);

	const reveal = (index: number): void => {
		const el = box.current!, top = index * height, room = el.clientHeight - (head.current?.offsetHeight ?? 0);
		if (top < el.scrollTop) el.scrollTop = top;
		else if (top + height > el.scrollTop + room) el.scrollTop = top + height - room;
	};
	const range = async (from: number, to: number): Promise<Item[]> => {
		const [a, b] = from < to ? [from, to] : [to, from];
		await rows.need(a, b);
		const items: Item[] = [];
		for (let i = a; i <= b; i++) {
			const item = rows.at(i);
			if (item) items.push(item);
		}
		return items;
	};
	const extend = async (to: number): Promise<void> => p.select(toggled(none, await range(anchor.current, to), true));

	const to = (index: number, e: KeyboardEvent): void => {
		e.preventDefault();
		if (rows.total === 0) return;
		const next = Math.max(0, Math.min(rows.total - 1, index));
		p.setCursor(next);
		reveal(next);
		if (e.shiftKey) void extend(next);
		else anchor.current = next;
	};
	const onKey = (e: KeyboardEvent): void => {
		if (e.target !== box.current && (e.target as HTMLElement).closest('.head')) return;
		const page = Math.max(1, view.last - view.first - 2), item = rows.at(cursor);
		if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'a') {
			e.preventDefault();
			return p.select(everything);
		}
		if (e.ctrlKey || e.metaKey || e.altKey) return;
		switch (e.key) {
			case 'ArrowDown': return to(cursor + 1, e);
			case 'ArrowUp': return to(cursor - 1, e);
			case 'PageDown': return to(cursor + page, e);
			case 'PageUp': return to(cursor - page, e);
			case 'Home': return to(0, e);
			case 'End': return to(rows.total - 1, e);
			case ' ':
				e.preventDefault();
				anchor.current = cursor;
				if (item) p.select(toggled(selection, [item]));
				return;
			case 'Enter':
				e.preventDefault();
				if (item) p.open(item);
				return;
			case 'Escape':
				return p.select(none);
		}
	};
	const onRow = (e: MouseEvent, item: Item, index: number): void => {
		const target = e.target as HTMLElement;
		if (target.closest('a, button')) return;
		const tick = target.closest('.tick');
		if (!tick && (e as PointerEvent).pointerType === 'touch') return p.open(item);
		p.setCursor(index);
		if (e.shiftKey) {
			getSelection()?.removeAllRanges();
			void range(anchor.current, index).then((items) => p.select(toggled(tick || e.ctrlKey ? selection : none, items, true)));
		} else {
			anchor.current = index;
			p.select(tick || e.ctrlKey || e.metaKey ? toggled(selection, [item]) : toggled(none, [item], true));
		}
		box.current?.focus({ preventScroll: true });
	};

	const acts = useRef<RowActs>(null!);
	acts.current = {
		click: onRow,
		open: (item, index) => {
			p.setCursor(index);
			p.open(item);
		},
		download: p.download,
	};
	const column = (field: SortField, label: string, cls: string) => {
		const on = rows.order.field === field;
		return (
			<div role="columnheader" class={cls} aria-sort={on ? (rows.order.down ? 'descending' : 'ascending') : 'none'}>
				<button type="button" class="plain" onClick={() => p.setOrder({ field, down: on ? !rows.order.down : field !== 'name' })}>
					{label}{on && <Icon name={rows.order.down ? 'down' : 'up'} />}
				</button>
			</div>
		);
	};
	const first = Math.max(0, view.first - AHEAD), last = Math.min(rows.total, view.last + AHEAD);
	const drawn = Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
	const n = count(selection, rows), isDrawn = cursor >= first && cursor < last;
	return (
		<div
			ref={box} class="list" role="grid" tabIndex={0} data-home aria-label={p.label}
			aria-rowcount={rows.loaded ? rows.total + 1 : -1} aria-multiselectable="true" aria-busy={!rows.loaded}
			aria-activedescendant={isDrawn ? `row${cursor}` : undefined}
			onScroll={measure} onKeyDown={onKey}
			onFocus={(e) => e.target === e.currentTarget && cursor < rows.total && e.currentTarget.matches(':focus-visible') && reveal(cursor)}
		>
			<div role="rowgroup" class="head" ref={head}>
				<div role="row" aria-rowindex={1} class="row">
					<div role="columnheader" class="tick">
						<input
							type="checkbox" aria-label={t.list.selectAll} checked={n > 0 && n === rows.total} disabled={rows.total === 0}
							ref={(el) => void (el && (el.indeterminate = n > 0 && n < rows.total))}
							onChange={(e) => p.select(e.currentTarget.checked ? everything : none)}
						/>
					</div>
					{column('name', t.list.name, 'c-name')}
					{column('size', t.list.size, 'c-size')}
					{column('uploadStamp', t.list.changed, 'c-changed')}
				</div>
			</div>
			<div role="rowgroup" class="body" style={{ height: `${rows.total * height}px` }}>
				{drawn.map((index) => {
					const item = rows.at(index), style = { transform: `translateY(${index * height}px)` };
					if (!item)
						return <div role="row" key={index} id={`row${index}`} class="row pending" aria-rowindex={index + 2} style={style}><div role="gridcell" class="c-name">{t.list.loading}</div></div>;
					return (
						<Row
							key={keyOf(item)} item={item} index={index} height={height} on={isSelected(selection, item)} at={index === cursor}
							mayRead={p.may.canReadFiles} language={language} acts={acts}
						/>
					);
				})}
			</div>
		</div>
	);
}
