// sessions.tsx - where the user is signed in, by whatever door; ending what should not be there, and a new password.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api';
import { Box, ask, confirm } from './dialog';
import { duration, moment } from './format';
import { Problem } from './http';
import { Icon } from './icons';
import { Name } from './name';
import { tell, tellError } from './notice';
import { useCell } from './observable';
import { explain, lang, text, useText } from './text';
import type { Session } from './types';

function PasswordBox({ done }: { done: (changed?: true) => void }) {
	const t = useText().newPassword, all = useText();
	const [error, setError] = useState(''), [busy, setBusy] = useState(false), [shown, setShown] = useState(false);
	const current = useRef<HTMLInputElement>(null), next = useRef<HTMLInputElement>(null);
	const inWords = (e: unknown): string => {
		if (!(e instanceof Problem)) return explain(e);
		if (e.status === 429) return all.signIn.lockedOut(duration(e.retryAfter || 60, all));
		return e.status === 403 ? t.wrong : e.status === 422 ? t.weak : explain(e);
	};
	const submit = async (): Promise<void> => {
		if (busy) return;
		const was = current.current!.value, will = next.current!.value;
		if (!was || !will) {
			setError(was ? t.needNew : t.needCurrent);
			return (was ? next : current).current!.focus();
		}
		setBusy(true);
		setError('');
		try {
			await api.newPassword(was, will);
			done(true);
		} catch (e) {
			setError(inWords(e));
			setBusy(false);
			(e instanceof Problem && e.status === 422 ? next : current).current?.select();
		}
	};
	const kind = shown ? 'text' : 'password';
	return (
		<Box title={t.title} cancel={done} submit={() => void submit()}>
			<label for="current">{t.current}</label>
			<input id="current" ref={current} type={kind} autocomplete="current-password" autocapitalize="none" spellcheck={false} autofocus aria-describedby="password-error" />
			<label for="next">{t.next}</label>
			<input id="next" ref={next} type={kind} autocomplete="new-password" autocapitalize="none" spellcheck={false} aria-describedby="password-hint password-error" />
			<p class="hint" id="password-hint">{t.hint}</p>
			<label class="inline"><input type="checkbox" checked={shown} onChange={(e) => setShown(e.currentTarget.checked)} /> {all.signIn.show}</label>
			<p class="error" id="password-error" role="alert">{error}</p>
			<div class="buttons">
				<button type="button" onClick={() => done()}>{all.act.cancel}</button>
				<button type="submit" class="primary" aria-disabled={busy}>{t.submit}</button>
			</div>
		</Box>
	);
}

export function Sessions() {
	const t = useText(), language = useCell(lang);
	const [all, setAll] = useState<Session[]>(), [error, setError] = useState<unknown>();
	const load = (): void => {
		setError(undefined);
		api.sessions().then((s) => setAll(s.items), setError);
	};
	useEffect(load, []);
	useEffect(() => void (document.title = t.sessions.title), [t]);

	const end = async (which: Session[]): Promise<void> => {
		const ask = { title: t.sessions.endTitle(which.length), text: t.sessions.endText, yes: t.sessions.end, danger: true };
		if (which.length === 0 || !(await confirm(ask))) return;
		try {
			// one that has ended by itself meanwhile is as good
			for (const s of which) await api.endSession(s.id).catch((e) => (e.status === 404 ? undefined : Promise.reject(e)));
			tell(text().sessions.ended(which.length));
		} catch (e) {
			tellError(e);
		}
		load();
	};

	const password = async (): Promise<void> => {
		if (!(await ask<true>((done) => <PasswordBox done={done} />))) return;
		tell(text().newPassword.done);
		load();
	};

	const others = all?.filter((s) => !s.current) ?? [];
	const order = [...(all ?? [])].sort((a, b) => Number(b.current) - Number(a.current) || b.lastUsedTime.localeCompare(a.lastUsedTime));
	return (
		<div class="sessions" tabIndex={-1} data-home>
			<div class="bar">
				<h1>{t.sessions.title}</h1>
				<button type="button" class="tool" onClick={() => void password()}>{t.newPassword.open}</button>
				{others.length > 1 && <button type="button" class="tool" onClick={() => void end(others)}>{t.sessions.endOthers}</button>}
			</div>
			<p>{t.sessions.hint}</p>
			{error !== undefined && (
				<p class="error" role="alert">{explain(error)} <button type="button" class="link" onClick={load}>{t.tryAgain}</button></p>
			)}
			{!all && error === undefined && <p role="status">{t.list.loading}</p>}
			<ul>
				{order.map((s) => (
					<li key={s.id}>
						<Icon name={s.kind === 'browser' ? 'screen' : 'keys'} />
						<div>
							<strong>{t.sessions.kinds[s.kind]}{s.current && ` – ${t.sessions.current}`}</strong>
							<Name>{s.address}</Name>
							{s.agent && <small class="agent"><Name>{s.agent}</Name></small>}
							<small>{t.sessions.since(moment(s.createdTime, language))} · {t.sessions.used(moment(s.lastUsedTime, language))}</small>
						</div>
						{!s.current && (
							<button type="button" class="tool" aria-label={`${t.sessions.end}: ${t.sessions.kinds[s.kind]}, ${s.address}, ${moment(s.createdTime, language)}`}
								onClick={() => void end([s])}>{t.sessions.end}</button>
						)}
					</li>
				))}
			</ul>
		</div>
	);
}
