// uploads.tsx - the panel of uploads, and the question when a name is taken.
import { useEffect, useState } from 'preact/hooks';
import { Box, ask } from './dialog';
import { bytes, duration } from './format';
import { Icon } from './icons';
import { Name } from './name';
import { narrow } from './list';
import { useCell } from './observable';
import { explain, lang, useText } from './text';
import { type Decision, type Task, cancel, cancelAll, clear, onConflict, pause, resume, retry, retryAll, tasks } from './upload';

const SHOWN = 60;
const rank: Record<Task['status'], number> = { running: 0, asking: 1, session: 1, paused: 1, failed: 2, waiting: 3, done: 4, skipped: 5, cancelled: 5 };

type Answer = { decision: Decision; all: boolean };
onConflict(async (task) => (await ask<Answer>((done) => <Conflict task={task} done={done} />)) ?? { decision: 'skip', all: false });

function Conflict({ task, done }: { task: Task; done: (a?: Answer) => void }) {
	const t = useText();
	const [all, setAll] = useState(false);
	const others = tasks.value.some((o) => o !== task && !o.over && o.status !== 'failed');
	return (
		<Box title={t.uploads.conflictTitle} cancel={done} submit={() => done({ decision: 'replace', all })}>
			<p><strong><Name>{task.name}</Name></strong> {t.uploads.conflictText}</p>
			<p class="hint">{t.uploads.replaceHint}</p>
			{others && <label class="inline"><input type="checkbox" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} /> {t.uploads.forAll}</label>}
			<div class="buttons">
				<button type="button" autofocus onClick={() => done({ decision: 'skip', all })}>{t.uploads.skipFile}</button>
				<button type="button" onClick={() => done({ decision: 'both', all })}>{t.uploads.keepBoth}</button>
				<button type="submit" class="primary">{t.uploads.replace}</button>
			</div>
		</Box>
	);
}

function Row({ task }: { task: Task }) {
	const t = useText(), language = useCell(lang);
	const left = task.rate > 0 ? (task.size - task.sent) / task.rate : 0;
	const said = (): string => {
		switch (task.status) {
			case 'running':
				if (task.stalled) return t.uploads.stalled;
				if (task.sent >= task.size) return t.uploads.storing;
				return [
					t.uploads.of(bytes(task.sent, language), bytes(task.size, language)),
					...(task.rate > 0 ? [t.uploads.rate(bytes(task.rate, language)), t.uploads.left(duration(left, t))] : []),
				].join(' · ');
			case 'failed': return explain(task.error);
			case 'asking': return t.uploads.asking;
			case 'session': return t.uploads.signIn;
			default: return t.uploads[task.status];
		}
	};
	return (
		<li class={`task ${task.status}`}>
			<Icon name={task.status === 'done' ? 'check' : task.status === 'failed' ? 'warn' : task.file ? 'file' : 'folder'} />
			<div>
				<Name end>{[...task.folders.slice(0, task.file ? undefined : -1), task.name].join('/')}</Name>
				{(task.status === 'running' || task.status === 'paused') && <progress max={1} value={task.size ? task.sent / task.size : 0} aria-label={t.uploads.progress(task.name)} />}
				<small>{said()}</small>
			</div>
			{(task.status === 'running' || task.status === 'paused') && task.file && (
				<button type="button" class="plain" aria-label={`${t.uploads[task.status === 'paused' ? 'resume' : 'pause']}: ${task.name}`}
					title={t.uploads[task.status === 'paused' ? 'resume' : 'pause']} onClick={() => (task.status === 'paused' ? resume : pause)(task)}>
					<Icon name={task.status === 'paused' ? 'play' : 'pause'} />
				</button>
			)}
			{task.status === 'failed' || task.status === 'cancelled' ? (
				<button key="retry" type="button" class="plain" aria-label={`${t.uploads.retry}: ${task.name}`} title={t.uploads.retry} onClick={() => retry(task)}><Icon name="retry" /></button>
			) : !task.over && (
				<button key="cancel" type="button" class="plain" aria-label={`${t.uploads.cancel}: ${task.name}`} title={t.uploads.cancel} onClick={() => cancel(task)}><Icon name="close" /></button>
			)}
		</li>
	);
}

export function Uploads() {
	const t = useText(), language = useCell(lang), all = useCell(tasks);
	const [open, setOpen] = useState(true);
	const started = all.length > 0;
	useEffect(() => setOpen(!narrow.matches), [started]); // on a phone it would cover the list
	if (!started) return null;

	let left = 0, done = 0, failed = 0, sent = 0, size = 0, rate = 0;
	for (const task of all) {
		if (task.status === 'done') done++;
		else if (task.status === 'failed') failed++;
		else if (!task.over) left++;
		if (task.status === 'running') rate += task.rate;
		if (task.over && task.status !== 'done') continue;
		if (task.status === 'failed') continue;
		sent += task.sent;
		size += task.size;
	}
	const title = left ? t.uploads.running(left) : failed ? t.uploads.failed(failed) : done ? t.uploads.finished(done) : t.uploads.stopped;
	const shown = [...all].sort((a, b) => rank[a.status] - rank[b.status] || a.id - b.id).slice(0, SHOWN);
	return (
		<section class="uploads" aria-label={t.uploads.title}>
			<header>
				<h2><span role="status">{title}</span></h2>
				<button type="button" class="plain" aria-expanded={open} aria-label={open ? t.uploads.collapse : t.uploads.expand} onClick={() => setOpen(!open)}><Icon name={open ? 'down' : 'up'} /></button>
				{!left && <button type="button" class="plain" aria-label={t.uploads.clear} onClick={clear}><Icon name="close" /></button>}
			</header>
			{left > 0 && <progress class="overall" max={1} value={size ? sent / size : 0} aria-label={t.uploads.overall} />}
			{open && (
				<>
					<p class="sum">
						<span>{left > 0 && rate > 0 && `${t.uploads.rate(bytes(rate, language))} · ${t.uploads.left(duration((size - sent) / rate, t))}`}</span>
						{failed > 1 && <button type="button" class="link" onClick={retryAll}>{t.uploads.retryAll}</button>}
						{left > 1 && <button type="button" class="link" onClick={() => void cancelAll()}>{t.uploads.cancelAll}</button>}
					</p>
					<ul tabIndex={0} aria-label={t.uploads.title}>
						{shown.map((task) => <Row task={task} key={task.id} />)}
						{all.length > SHOWN && <li class="hint">{t.uploads.more(all.length - SHOWN)}</li>}
					</ul>
				</>
			)}
		</section>
	);
}
