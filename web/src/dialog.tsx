// dialog.tsx - native dialogs that are asked with a promise: confirmations, names, and whatever is drawn into one.
import type { ComponentChildren, VNode } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Cell, useCell } from './observable';
import { useText } from './text';

interface Open {
	id: number;
	draw: () => VNode;
}
const open = new Cell<Open[]>([]);
const closers = new Map<number, () => void>();
let serial = 0;

export function ask<T>(draw: (done: (value?: T) => void) => VNode): Promise<T | undefined> {
	return new Promise((resolve) => {
		const id = ++serial;
		const done = (value?: T): void => {
			closers.delete(id);
			open.set(open.value.filter((o) => o.id !== id));
			resolve(value);
		};
		closers.set(id, () => done());
		open.set([...open.value, { id, draw: () => draw(done) }]);
	});
}
export const isOpen = (): boolean => open.value.length > 0;
export const closeAll = (): void => [...closers.values()].forEach((close) => close());

export function Dialogs() {
	return <>{useCell(open).map((o) => <o.draw key={o.id} />)}</>;
}

export interface BoxProps {
	title: string;
	cancel: () => void;
	children: ComponentChildren;
	submit?: () => void;
	wide?: boolean;
}

export function Box({ title, cancel, children, submit, wide = false }: BoxProps) {
	const ref = useRef<HTMLDialogElement>(null), id = useId();
	useLayoutEffect(() => {
		const d = ref.current!, before = document.activeElement;
		d.showModal();
		return () => {
			d.close();
			// what was focused may be gone, with the row that was deleted
			if (before instanceof HTMLElement && before.isConnected && before !== document.body) before.focus();
			else document.querySelector<HTMLElement>('[data-home]')?.focus();
		};
	}, []);
	return (
		<dialog
			ref={ref}
			class={wide ? 'wide' : ''}
			aria-labelledby={id}
			onCancel={(e) => {
				e.preventDefault();
				cancel();
			}}
			onKeyDown={(e) => e.stopPropagation()}
		>
			<form
				onSubmit={(e) => {
					e.preventDefault();
					submit?.();
				}}
			>
				<h2 id={id}>{title}</h2>
				{children}
			</form>
		</dialog>
	);
}

interface ConfirmProps {
	title: string;
	text: ComponentChildren;
	yes: string;
	danger?: boolean;
}

export const confirm = async (p: ConfirmProps): Promise<boolean> =>
	(await ask<boolean>((done) => <Confirm {...p} done={done} />)) === true;

function Confirm({ title, text, yes, danger, done }: ConfirmProps & { done: (v?: boolean) => void }) {
	const t = useText();
	return (
		<Box title={title} cancel={done} submit={() => done(true)}>
			<p>{text}</p>
			<div class="buttons">
				<button type="button" onClick={() => done()} autofocus={danger}>{t.act.cancel}</button>
				<button type="submit" class={danger ? 'danger' : 'primary'} autofocus={!danger}>{yes}</button>
			</div>
		</Box>
	);
}

interface NameProps {
	title: string;
	label: string;
	yes: string;
	value?: string;
	act: (name: string) => Promise<void>;
	explain: (e: unknown) => string;
}

// Asks for a name until what is done with it succeeds.
export const askName = (p: NameProps): Promise<true | undefined> => ask<true>((done) => <NameBox {...p} done={done} />);

function NameBox({ title, label, yes, value = '', act, explain, done }: NameProps & { done: (v?: true) => void }) {
	const t = useText(), id = useId();
	const [error, setError] = useState(''), [busy, setBusy] = useState(false);
	const input = useRef<HTMLInputElement>(null);
	useLayoutEffect(() => {
		const el = input.current!, dot = value.lastIndexOf('.');
		el.setSelectionRange(0, dot > 0 ? dot : value.length);
	}, []);
	const submit = async (): Promise<void> => {
		const name = input.current!.value.trim();
		if (busy) return;
		if (name === value && name) return done();
		const bad = !name ? t.ask.needName : name.includes('/') || name === '.' || name === '..' ? t.ask.badName : '';
		if (bad) {
			setError(bad);
			return input.current!.focus();
		}
		setBusy(true);
		try {
			await act(name);
			done(true);
		} catch (e) {
			setError(explain(e));
			setBusy(false);
			input.current?.focus();
		}
	};
	return (
		<Box title={title} cancel={done} submit={() => void submit()}>
			<label for={id}>{label}</label>
			<input
				id={id} ref={input} type="text" dir="auto" autofocus defaultValue={value} maxLength={255} autocomplete="off" spellcheck={false}
				aria-invalid={error !== ''} aria-describedby={id + 'e'} onInput={() => setError('')}
			/>
			<p class="error" id={id + 'e'} role="alert">{error}</p>
			<div class="buttons">
				<button type="button" onClick={() => done()}>{t.act.cancel}</button>
				<button type="submit" class="primary" aria-disabled={busy}>{yes}</button>
			</div>
		</Box>
	);
}
