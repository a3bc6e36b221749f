// main.tsx - the page: signing in, or the place that its address names.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as api from './api';
import { Dialogs, closeAll } from './dialog';
import { FolderView, forgetPlaces } from './folder';
import { Problem } from './http';
import { Icon } from './icons';
import { Languages } from './languages';
import { Name } from './name';
import { Notices, clearNotices } from './notice';
import { useCell } from './observable';
import { folderPath, follow, go, route, sessionsPath } from './route';
import { signOut, start, state } from './session';
import { Sessions } from './sessions';
import { SignIn } from './signin';
import './style.css';
import { explain, lang, useText } from './text';
import type { User } from './types';
import { Uploads } from './uploads';

// The start: the user's own folder, or else the topmost one that the user sees.
async function homeOf(user: User): Promise<number | undefined> {
	if (user.homeFolderID) {
		try {
			return (await api.folder(user.homeFolderID)).id;
		} catch (e) {
			if (!(e instanceof Problem) || (e.status !== 404 && e.status !== 403)) throw e;
		}
	}
	return (await api.firstFolder())?.id;
}

function Home({ user }: { user: User }) {
	const t = useText();
	const [error, setError] = useState(''), [none, setNone] = useState(false), [tries, setTries] = useState(0);
	useEffect(() => {
		let here = true;
		setError('');
		homeOf(user).then(
			(id) => here && (id === undefined ? setNone(true) : go(folderPath(id), true)),
			(e) => here && setError(explain(e)),
		);
		return () => void (here = false);
	}, [user, tries]);
	if (none) return <div class="empty"><h1>{t.noPlace.title}</h1><p>{t.noPlace.text}</p></div>;
	if (!error) return <div class="empty"><p role="status">{t.list.loading}</p></div>;
	return <div class="empty"><h1>{error}</h1><button type="button" class="primary" onClick={() => setTries(tries + 1)}>{t.tryAgain}</button></div>;
}

function Portal({ user }: { user: User }) {
	const t = useText(), at = useCell(route);
	const [org, setOrg] = useState('');
	useEffect(() => void api.info().then((i) => setOrg(i.name), () => undefined), []);
	const home = (): void => go('/', true);
	return (
		<>
			<a class="skip" href="#main" onClick={(e) => {
				e.preventDefault();
				document.querySelector<HTMLElement>('[data-home]')?.focus();
			}}>{t.skip}</a>
			<header class="top">
				<a class="org" href="/" onClick={(e) => follow(e, '/')}>{org ? <Name>{org}</Name> : t.files}</a>
				<span class="user" title={t.signedInAs(user.username)}><Name>{user.fullName || user.username}</Name></span>
				<a class="button" href={sessionsPath} aria-label={t.sessions.title} title={t.sessions.title} onClick={(e) => follow(e, sessionsPath)}><Icon name="screen" /></a>
				<Languages />
				<button type="button" class="tool" onClick={() => void signOut()}>{t.signOut}</button>
			</header>
			<main id="main">
				{at.at === 'folder' ? <FolderView key={at.id} id={at.id} home={home} />
				: at.at === 'sessions' ? <Sessions />
				: at.at === 'home' ? <Home user={user} />
				: <div class="empty"><h1>{t.nowhere.title}</h1><p>{t.nowhere.text}</p><button type="button" class="primary" onClick={home}>{t.nowhere.home}</button></div>}
			</main>
			<Uploads />
		</>
	);
}

function App() {
	const t = useText(), now = useCell(state), language = useCell(lang);
	useEffect(() => void (document.documentElement.lang = language), [language]);
	useEffect(() => {
		if (now.at !== 'out') return;
		closeAll();
		clearNotices();
		forgetPlaces();
		if (now.why === 'left') go('/', true);
	}, [now]);
	switch (now.at) {
		case 'starting': return <p class="starting" role="status">{t.starting}</p>;
		case 'unreachable': return <div class="empty"><h1>{t.unreachable}</h1><button type="button" class="primary" onClick={() => void start()}>{t.tryAgain}</button></div>;
		case 'out': return <SignIn why={now.why} />;
		case 'in': return <><Portal user={now.user} /><Dialogs /><Notices /></>;
	}
}

// What is dropped beside a folder is not opened in place of the page.
for (const name of ['dragover', 'drop'] as const)
	addEventListener(name, (e) => {
		if (!e.defaultPrevented && e.dataTransfer?.types.includes('Files')) {
			e.preventDefault();
			e.dataTransfer.dropEffect = 'none';
		}
	});

render(<App />, document.getElementById('app')!);
void start();
