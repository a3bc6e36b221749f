// sessions.tsx - where the user is signed in, by whatever door; and ending what should not be there.
import { useEffect, useState } from 'preact/hooks';
import * as api from './api';
import { confirm } from './dialog';
import { moment } from './format';
import { Icon } from './icons';
import { Name } from './name';
import { tell, tellError } from './notice';
import { useCell } from './observable';
import { explain, lang, text, useText } from './text';
import type { Session } from './types';

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

	const others = all?.filter((s) => !s.current) ?? [];
	const order = [...(all ?? [])].sort((a, b) => Number(b.current) - Number(a.current) || b.lastUsedTime.localeCompare(a.lastUsedTime));
	return (
		<div class="sessions" tabIndex={-1} data-home>
			<div class="bar">
				<h1>{t.sessions.title}</h1>
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
