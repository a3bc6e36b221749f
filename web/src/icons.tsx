// icons.tsx - the few pictures of the page, drawn in the text's colour.
const paths = {
	folder: 'M3 6.5A1.5 1.5 0 0 1 4.5 5h4.2l2 2.2h8.8A1.5 1.5 0 0 1 21 8.7v8.8a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5z',
	file: 'M6 3h8l5 5v13H6zM14 3v5h5',
	upload: 'M12 16V5M7 9.5 12 4.5l5 5M5 19.5h14',
	download: 'M12 4.5v11M7 11l5 5 5-5M5 19.5h14',
	plus: 'M12 5v14M5 12h14',
	close: 'M6 6l12 12M18 6 6 18',
	rename: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
	move: 'M4 12h15M13 6l6 6-6 6',
	copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
	remove: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
	info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v5.5M12 7.5v.5',
	refresh: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
	search: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.3 15.3 20 20',
	down: 'M6 9.5l6 6 6-6',
	up: 'M6 14.5l6-6 6 6',
	right: 'M9.5 6l6 6-6 6',
	check: 'M5 12.5l4.5 4.5L19 7.5',
	warn: 'M12 4 21 20H3zM12 10v4.5M12 17v.5',
	retry: 'M5 12a7 7 0 1 0 2.2-5.1M5 4v4h4',
	screen: 'M3 5h18v11H3zM9 20h6M12 16v4',
	pause: 'M8 5v14M16 5v14',
	play: 'M8 5l11 7-11 7z',
	keys: 'M3 6h18v12H3zM7 10h.5M11 10h.5M15 10h.5M8 14h8',
};
export type IconName = keyof typeof paths;

export const Icon = ({ name }: { name: IconName }) => (
	<svg class={`icon icon-${name}`} viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
		<path d={paths[name]} />
	</svg>
);
