// api.ts - the server's interface, a function for each request that the page makes.
import { request } from './http';
import type { FileDetails, Folder, Item, Page, Session, User, Version } from './types';

const v1 = '/api/v1';

async function json<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
	return JSON.parse(await (await request(method, v1 + path, body, signal)).text()) as T;
}
const done = async (method: string, path: string, body?: unknown): Promise<void> => void (await request(method, v1 + path, body));
const query = (params: Record<string, string | number>): string =>
	'?' + Object.entries(params).map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join('&');

export type SortField = 'name' | 'size' | 'uploadStamp';
export interface Order {
	field: SortField;
	down: boolean;
}

// A mask that the given text matches at least; * and ? cannot be escaped, so ? stands for both.
export const maskOf = (text: string): string => text.replace(/[*?]/g, '?');

export const self = (): Promise<User> => json('GET', '/users/self');
export const info = (): Promise<{ name: string }> => json('GET', '/info');
export const sessions = (): Promise<{ items: Session[] }> => json('GET', '/sessions');
export const endSession = (id: string): Promise<void> => done('DELETE', `/sessions/${id}`);
export const newPassword = (currentPassword: string, password: string): Promise<void> => done('PATCH', '/users/self', { currentPassword, password });
export const signOut = (): Promise<void> => done('DELETE', '/sessions/current');

export const folder = (id: number): Promise<Folder> => json('GET', `/folders/${id}`);
export const firstFolder = async (): Promise<Folder | undefined> =>
	(await json<Page<Folder>>('GET', '/folders' + query({ page: 1, perPage: 1, sortField: 'path' }))).items[0];
export const subfolders = (id: number, page: number, mask = ''): Promise<Page<Folder>> =>
	json('GET', `/folders/${id}/subfolders` + query({ page, perPage: 200, sortField: 'name', ...(mask && { name: mask }) }));
export const content = (id: number, o: { page: number; perPage: number; order: Order; filter: string }, signal?: AbortSignal): Promise<Page<Item>> =>
	json('GET', `/folders/${id}/content` + query({
		page: o.page, perPage: o.perPage, sortField: o.order.field, sortDirection: o.order.down ? 'desc' : 'asc',
		...(o.filter && { name: /[*?]/.test(o.filter) ? o.filter : `*${o.filter}*` }),
	}), undefined, signal);

export const newFolder = (parent: number, name: string): Promise<Folder> => json('POST', `/folders/${parent}/subfolders`, { name });
export const file = (id: number): Promise<FileDetails> => json('GET', `/files/${id}`);
export const versions = (id: number): Promise<Page<Version>> => json('GET', `/files/${id}/versions` + query({ page: 1, perPage: 100 }));
export const folderTicket = (id: number): Promise<{ url: string }> => json('POST', `/folders/${id}/ticket`);
export const archiveThere = (id: number, chosen: Record<string, string>): Promise<unknown> =>
	request('HEAD', `${v1}/folders/${id}/archive${query(chosen)}`);
export const ticket = (id: number): Promise<{ url: string }> => json('POST', `/files/${id}/ticket`);

const place = (item: Item): string => (item.type === 'Folder' ? `/folders/${item.id}` : `/files/${item.id}`);
export const rename = (item: Item, name: string): Promise<void> => done('PATCH', place(item), { name });
export const remove = (item: Item): Promise<void> => done('DELETE', place(item));
export const move = (item: Item, to: number): Promise<void> => done('POST', place(item) + '/move', { destinationFolderId: to });
export const copy = (item: Item, to: number): Promise<void> => done('POST', place(item) + '/copy', { destinationFolderId: to });
