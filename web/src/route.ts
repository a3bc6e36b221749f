// route.ts - the address is the place: /app/folder/ID, with the browser's own history.
import { Cell } from './observable';

export type Route = { at: 'home' } | { at: 'sessions' } | { at: 'folder'; id: number } | { at: 'nowhere' };

export const sessionsPath = '/app/sessions';

function read(): Route {
	const m = /^\/app\/folder\/([0-9]{1,16})$/.exec(location.pathname);
	if (m) return { at: 'folder', id: Number(m[1]) };
	if (location.pathname === sessionsPath) return { at: 'sessions' };
	return /^\/(app\/?)?$/.test(location.pathname) ? { at: 'home' } : { at: 'nowhere' };
}

export const route = new Cell<Route>(read());
addEventListener('popstate', () => route.set(read()));

export const folderPath = (id: number): string => `/app/folder/${id}`;

export function go(path: string, replace = false): void {
	if (path === location.pathname) return;
	if (replace) history.replaceState(null, '', path);
	else history.pushState(null, '', path);
	route.set(read());
}

// A click that stays in this page; those that open another tab are the browser's.
export function follow(e: MouseEvent, path: string): void {
	if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
	e.preventDefault();
	go(path);
}
