// notice.tsx - what was done, and what went wrong: said on the screen and to screen readers.
import { Icon } from './icons';
import { Cell, useCell } from './observable';
import { explain, useText } from './text';

interface Notice {
	id: number;
	text: string;
	bad: boolean;
}
const notices = new Cell<Notice[]>([]);
let serial = 0;

export function dismiss(id: number): void {
	notices.set(notices.value.filter((n) => n.id !== id));
}
// Good news goes away by itself; bad news stays until it was seen.
export function tell(text: string, { bad = false, replaces = 0, stays = false } = {}): number {
	const id = ++serial;
	notices.set([...notices.value.filter((n) => n.id !== replaces && !(n.bad === bad && n.text === text)).slice(-3), { id, text, bad }]);
	if (!bad && !stays) setTimeout(() => dismiss(id), 5000);
	return id;
}
export const tellError = (e: unknown): void => {
	if ((e as { status?: number }).status !== 401) tell(explain(e), { bad: true }); // 401: the sign-in page says it
};
export const clearNotices = (): void => notices.set([]);

export function Notices() {
	const t = useText(), all = useCell(notices);
	const row = (n: Notice) => (
		<div class={n.bad ? 'notice bad' : 'notice'} key={n.id}>
			<Icon name={n.bad ? 'warn' : 'check'} />
			<span>{n.text}</span>
			<button type="button" class="plain" aria-label={t.done.dismiss} onClick={() => dismiss(n.id)}>
				<Icon name="close" />
			</button>
		</div>
	);
	return (
		<div class="notices">
			<div role="status" aria-live="polite">{all.filter((n) => !n.bad).map(row)}</div>
			<div role="alert">{all.filter((n) => n.bad).map(row)}</div>
		</div>
	);
}
