// tus.ts - resumable uploads (tus 1.0) by tus-js-client, whose requests are made here, with proofs.
import { type HttpRequest, type HttpResponse, Upload } from 'tus-js-client';
import { type Answer, Problem, send } from './http';

const TOGETHER_BYTES = 1 << 20; // so much is sent with the request that creates the upload
const PATIENCE_MS = [0, 1000, 3000, 5000, 10000, ...Array<number>(240).fill(15000)]; // an hour without any progress

const respond = (status: number, header: (name: string) => string | null, body: string): HttpResponse => ({
	getStatus: () => status,
	getHeader: (name) => header(name) ?? undefined,
	getBody: () => body,
	getUnderlyingObject: () => undefined,
});

class Request implements HttpRequest {
	private headers: [string, string][] = [];
	private progress: (sent: number) => void = () => undefined;
	private xhr: XMLHttpRequest | undefined;
	private aborted = false;
	constructor(
		private readonly method: string,
		private readonly url: string,
		private readonly note: (p: Problem | undefined) => void,
	) {}
	getMethod = (): string => this.method;
	getURL = (): string => this.url;
	getUnderlyingObject = (): unknown => this.xhr;
	setHeader = (name: string, value: string): void => void this.headers.push([name, value]);
	getHeader = (name: string): string | undefined => this.headers.find(([n]) => n === name)?.[1];
	setProgressHandler = (fn: (sent: number) => void): void => void (this.progress = fn);

	async send(body?: Blob): Promise<HttpResponse> {
		const at = new URL(this.url, location.origin);
		if (at.origin !== location.origin) throw new Error(at.origin);
		try {
			const answer = await send(this.method, at.pathname, (proof) => this.once(at.pathname, proof, body));
			this.note(undefined);
			return respond(answer.status, answer.header, '');
		} catch (e) {
			if (!(e instanceof Problem)) throw e;
			this.note(e);
			// Only when the upload is gone may another one be begun; tus-js-client does so for whatever is no success.
			if (e.status === 0 || (this.method === 'HEAD' && ![403, 404, 410].includes(e.status))) throw e;
			return respond(e.status, () => null, e.detail);
		}
	}

	private once(path: string, proof: string, body: Blob | undefined): Promise<Answer> {
		return new Promise((resolve, reject) => {
			const x = new XMLHttpRequest(), stop = (): void => reject(new DOMException('', 'AbortError'));
			if (this.aborted) return stop();
			this.xhr = x;
			x.open(this.method, path);
			for (const [name, value] of [...this.headers, ['DPoP', proof], ['Accept', 'application/json']] as const) x.setRequestHeader(name, value);
			x.upload.onprogress = (e) => this.progress(e.loaded);
			x.onload = () => resolve({ status: x.status, header: (name) => x.getResponseHeader(name), text: async () => x.responseText });
			x.onerror = () => reject(new Problem(0, 'network', ''));
			x.onabort = stop;
			x.send(body ?? null);
		});
	}

	async abort(): Promise<void> {
		this.aborted = true;
		this.xhr?.abort();
	}
}

export interface Place {
	user: string;
	folder: number;
	name: string;
	replace: boolean;
}

export interface Uploading {
	done: Promise<void>; // rejects with a Problem, and with AbortError after stop
	stop(giveUp: boolean): Promise<void>; // giveUp: the server forgets what it has
	again(): void; // now, without waiting for the next try
}

// The file and its place, without saying them: the name under which the browser keeps the address of an unfinished upload.
async function fingerprint(file: File, to: Place): Promise<string> {
	const text = JSON.stringify([to.user, to.folder, to.name, file.size, file.lastModified]);
	const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
	return Array.from(new Uint8Array(hash), (b) => b.toString(16).padStart(2, '0')).join('');
}

// forgetUnfinished - what the browser keeps of unfinished uploads, for whoever signs out.
export function forgetUnfinished(): void {
	try {
		for (const key of Object.keys(localStorage)) if (key.startsWith('tus::')) localStorage.removeItem(key);
	} catch {
		// no storage: nothing was kept
	}
}

// What passes by itself. 409: an earlier request of ours is still being stored, or was after we had asked how far it is.
const passes = (p: Problem): boolean => [0, 502, 503, 504].includes(p.status) || (p.status === 409 && (p.type === 'conflict' || p.type === 'precond'));

// begin - stores the file, going on with what an earlier attempt left, in this page or one before.
export function begin(file: File, to: Place, on: { progress(sent: number): void; stalled(): void }): Uploading {
	let last: Problem | undefined, fail: (e: unknown) => void, stopped = false;
	let tus: Upload, restarting: Promise<void> | undefined;
	const done = new Promise<void>((resolve, reject) => {
		fail = reject;
		tus = new Upload(file, {
			endpoint: location.origin + '/api/v1/tus',
			metadata: { folder: String(to.folder), filename: to.name, ...(to.replace && { overwrite: '1' }) },
			fingerprint: () => fingerprint(file, to),
			uploadDataDuringCreation: file.size <= TOGETHER_BYTES,
			removeFingerprintOnSuccess: true,
			retryDelays: PATIENCE_MS,
			httpStack: { createRequest: (method, url) => new Request(method, url, (p) => (last = p)), getName: () => 'proofs' },
			onProgress: on.progress,
			onShouldRetry: () => {
				if (!last || !passes(last)) return false;
				if (last.status === 0) on.stalled();
				return true;
			},
			onSuccess: () => resolve(),
			onError: (e) => reject(last ?? e),
		});
	});
	tus!.findPreviousUploads().then((before) => {
		if (stopped) return;
		const newest = before.sort((a, b) => Date.parse(b.creationTime) - Date.parse(a.creationTime))[0];
		if (newest) tus.resumeFromPreviousUpload(newest);
		tus.start();
	}, (e) => fail(e));
	return {
		done,
		stop(giveUp) {
			stopped = true;
			fail(new DOMException('', 'AbortError'));
			return tus.abort(giveUp && !!tus.url).catch(() => undefined);
		},
		again() {
			if (!restarting) restarting = tus.abort().then(() => {
				restarting = undefined;
				if (!stopped) tus.start();
			});
		},
	};
}
