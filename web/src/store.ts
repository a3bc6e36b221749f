// store.ts - the one record that outlives a page load: the session's key, its ath and whose it is, in IndexedDB.
export interface Stored {
	keys: CryptoKeyPair;
	ath: string;
	user: string;
}

function open(): Promise<IDBDatabase> {
	return new Promise((resolve, reject) => {
		const request = indexedDB.open('session', 1);
		request.onupgradeneeded = () => request.result.createObjectStore('session');
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
		request.onblocked = () => reject(new Error('blocked'));
	});
}

async function run<T>(mode: IDBTransactionMode, act: (s: IDBObjectStore) => IDBRequest<T>): Promise<T> {
	const db = await open();
	try {
		return await new Promise<T>((resolve, reject) => {
			const tx = db.transaction('session', mode);
			const request = act(tx.objectStore('session'));
			tx.oncomplete = () => resolve(request.result);
			tx.onerror = tx.onabort = () => reject(tx.error);
		});
	} finally {
		db.close();
	}
}

// Without IndexedDB (private windows of some browsers) the session ends with the page.
export const load = (): Promise<Stored | undefined> =>
	run<Stored | undefined>('readonly', (s) => s.get('current')).catch(() => undefined);
export const save = (stored: Stored): Promise<unknown> => run('readwrite', (s) => s.put(stored, 'current')).catch(() => undefined);
export const clear = (): Promise<unknown> => run('readwrite', (s) => s.delete('current')).catch(() => undefined);
