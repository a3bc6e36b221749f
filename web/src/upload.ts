// upload.ts - the queue of uploads: three at once, with progress, conflicts, pauses and another try.
import * as api from './api';
import { numbered } from './format';
import { Problem } from './http';
import { Cell } from './observable';
import { onLeave, state as session } from './session';
import { type Uploading, begin, forgetUnfinished } from './tus';
import type { Folder } from './types';
import type { Found } from './walk';

const AT_ONCE = 3;
const DRAW_MS = 250;
const LEAVE_MS = 3000;

export type Status = 'waiting' | 'running' | 'paused' | 'asking' | 'session' | 'done' | 'failed' | 'skipped' | 'cancelled';
export type Decision = 'replace' | 'both' | 'skip';

export class Task {
	status: Status = 'waiting';
	name: string;
	sent = 0;
	rate = 0;
	error: unknown;
	replace = false;
	tries = 1;
	running: Uploading | undefined; // the last attempt: also when it was stopped or has failed
	turn = 0; // of run(): who finds another one has been replaced
	stalled = false; // the line is down: it is tried again and again
	mark: { at: number; sent: number } | undefined;
	constructor(
		readonly id: number,
		readonly file: File | undefined,
		readonly top: Place,
		readonly folders: string[],
		readonly user: string,
	) {
		this.name = file ? file.name : folders[folders.length - 1] ?? '';
	}
	get size(): number {
		return this.file?.size ?? 0;
	}
	get over(): boolean {
		return this.status === 'done' || this.status === 'skipped' || this.status === 'cancelled';
	}
}

interface Place {
	id: number;
	path: string;
}

export const tasks = new Cell<Task[]>([]);
export const arrived = new Cell<{ folder: number } | undefined>(undefined);
// The folder of the page asks the user; all: for those that follow, too.
let decide: ((task: Task) => Promise<{ decision: Decision; all: boolean }>) | undefined;
export const onConflict = (fn: typeof decide): void => void (decide = fn);

let serial = 0;
let forAll: Decision | undefined;
let asking: Promise<unknown> = Promise.resolve();
const made = new Map<string, Promise<Place>>();

let timer: ReturnType<typeof setTimeout> | undefined;
function draw(now = false): void {
	if (now) {
		clearTimeout(timer);
		timer = undefined;
		return tasks.touch();
	}
	timer ??= setTimeout(() => {
		timer = undefined;
		tasks.touch();
	}, DRAW_MS);
}

export function add(found: Found[], to: Folder): void {
	const user = session.value.at === 'in' ? session.value.user.username : '';
	const top = { id: to.id, path: to.path.replace(/\/$/, '') };
	tasks.set([...tasks.value, ...found.map((f) => new Task(++serial, f.file, top, f.folders, user))]);
	pump();
}

function pump(): void {
	let running = 0;
	for (const task of tasks.value) if (task.status === 'running') running++;
	for (const task of tasks.value) {
		if (running >= AT_ONCE) break;
		if (task.status !== 'waiting') continue;
		running++;
		void run(task);
	}
	if (tasks.value.every((t) => t.over || t.status === 'failed')) {
		forAll = undefined;
		made.clear();
	}
	draw(true);
}

// One folder below another, which may be there already: made once for all the files that go there.
function below(parent: Place, name: string): Promise<Place> {
	const path = `${parent.path}/${name}`;
	let place = made.get(path);
	if (!place) {
		place = (async () => {
			try {
				const { id } = await api.newFolder(parent.id, name);
				arrived.set({ folder: parent.id });
				return { id, path };
			} catch (e) {
				if (!(e instanceof Problem) || e.status !== 409) throw e;
				const same = name.normalize().toLowerCase();
				const here = (await api.subfolders(parent.id, 1, api.maskOf(name))).items;
				const there = here.find((f) => f.name === name) ?? here.find((f) => f.name.normalize().toLowerCase() === same);
				if (!there) throw e;
				return { id: there.id, path: there.path };
			}
		})();
		place.catch(() => made.delete(path));
		made.set(path, place);
	}
	return place;
}

function progress(task: Task, sent: number): void {
	const now = performance.now();
	task.stalled = false;
	task.sent = Math.min(sent, task.size);
	if (!task.mark) task.mark = { at: now, sent: task.sent };
	const seconds = (now - task.mark.at) / 1000;
	if (seconds >= 0.5) {
		const rate = Math.max(0, task.sent - task.mark.sent) / seconds;
		task.rate = task.rate === 0 ? rate : task.rate * 0.7 + rate * 0.3;
		task.mark = { at: now, sent: task.sent };
	}
	draw();
}

async function store(task: Task, place: Place, file: File): Promise<void> {
	task.running = begin(file, { user: task.user, folder: place.id, name: task.name, replace: task.replace }, {
		progress: (sent) => progress(task, sent),
		stalled: () => {
			task.stalled = true;
			task.rate = 0;
			task.mark = undefined;
			draw(true);
		},
	});
	await task.running.done;
}

// Asked one after another; an answer for all is for those that wait as well.
async function conflict(task: Task): Promise<void> {
	const before = asking;
	let free: () => void = () => undefined;
	asking = new Promise<void>((resolve) => (free = resolve));
	task.status = 'asking';
	draw(true);
	try {
		await before;
		if (task.status !== 'asking') return;
		let decision = forAll;
		if (!decision) {
			const answer = decide ? await decide(task) : { decision: 'skip' as const, all: false };
			if (session.value.at !== 'in' && task.status === 'asking') return void (task.status = 'session');
			decision = answer.decision;
			if (answer.all) forAll = decision;
		}
		if (task.status !== 'asking') return;
		if (decision === 'skip') task.status = 'skipped';
		else {
			if (decision === 'replace') task.replace = true;
			else task.name = numbered(task.file!.name, task.tries++);
			task.status = 'waiting';
		}
	} finally {
		free();
	}
}

async function run(task: Task): Promise<void> {
	const turn = ++task.turn, mine = (): boolean => task.status === 'running' && task.turn === turn;
	task.status = 'running';
	task.stalled = false;
	task.rate = 0;
	task.mark = undefined;
	task.error = undefined;
	try {
		let place = task.top;
		for (const name of task.folders) {
			place = await below(place, name);
			if (!mine()) return;
		}
		if (task.file) await store(task, place, task.file);
		if (!mine()) return;
		task.sent = task.size;
		task.status = 'done';
		arrived.set({ folder: place.id });
	} catch (e) {
		if (!mine()) return;
		if (e instanceof Problem && e.status === 401) task.status = 'session';
		else if (e instanceof Problem && e.status === 409 && (e.type === 'exists' || e.type === '') && task.file) {
			// "a (1)" may be taken as well: then "a (2)", without asking again
			if (task.tries > 1) {
				task.name = numbered(task.file.name, task.tries++);
				task.status = 'waiting';
			} else void conflict(task).then(pump);
		} else {
			task.status = 'failed';
			task.error = e;
		}
	} finally {
		if (task.status === 'done') task.running = undefined;
		pump();
	}
}

export function cancel(task: Task): void {
	if (task.over) return;
	task.status = 'cancelled';
	task.sent = 0;
	void task.running?.stop(true);
	pump();
}
export function pause(task: Task): void {
	if (task.status !== 'running' && task.status !== 'waiting') return;
	task.status = 'paused';
	void task.running?.stop(false);
	pump();
}
export function resume(task: Task): void {
	if (task.status !== 'paused') return;
	task.status = 'waiting';
	pump();
}
export async function cancelAll(): Promise<void> {
	const left = tasks.value.filter((t) => !t.over);
	for (const task of left) task.status = 'cancelled';
	const stopped = left.map((task) => task.running?.stop(true));
	pump();
	await Promise.all(stopped);
}
export function retry(task: Task): void {
	if (task.status !== 'failed' && task.status !== 'cancelled') return;
	task.status = 'waiting';
	pump();
}
export const retryAll = (): void => tasks.value.filter((t) => t.status === 'failed').forEach(retry);
export const clear = (): void => tasks.set(tasks.value.filter((t) => !t.over && t.status !== 'failed'));
export const busy = (): boolean => tasks.value.some((t) => !t.over && t.status !== 'failed');

// Whoever signs out leaves nothing half done on the server, if it can be reached.
onLeave(() => Promise.race([cancelAll(), new Promise<void>((resolve) => setTimeout(resolve, LEAVE_MS))]));

// Whoever signs in again goes on; what another user had here is forgotten.
session.watch(() => {
	const s = session.value;
	if (s.at === 'out' && s.why === 'left') {
		forgetUnfinished();
		tasks.set([]);
	}
	if (s.at !== 'in') return;
	for (const task of tasks.value) {
		if (task.user !== s.user.username) cancel(task);
		else if (task.status === 'session') task.status = 'waiting';
	}
	tasks.set(tasks.value.filter((t) => t.user === s.user.username));
	pump();
});

addEventListener('online', () => tasks.value.forEach((t) => t.stalled && t.running?.again()));
addEventListener('beforeunload', (e) => {
	if (busy()) e.preventDefault();
});
