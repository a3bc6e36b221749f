// journeys.mjs - what people do in the portal, each as one function: ({page, call, shot, accessible, ...}, given) => a result for the test.
import { readFileSync } from 'node:fs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function ok(condition, what) {
	if (!condition) throw new Error(`not so: ${what}`);
}
async function eventually(what, condition, ms = 6000) {
	const end = Date.now() + ms;
	for (;;) {
		const got = await condition();
		if (got) return got;
		ok(Date.now() < end, what);
		await sleep(50);
	}
}

// ---- steps that many journeys have ----

const grid = (page) => page.getByRole('grid');
const row = (page, name) => page.getByRole('row').filter({ has: page.locator('bdi').getByText(name, { exact: true }).or(page.locator(`bdi[title="${name}"]`)) });
const names = (page) => page.locator('.list .body .row .c-name bdi').evaluateAll((all) => all.map((e) => e.textContent));
const button = (page, name) => page.getByRole('button', { name, exact: true });
const dialog = (page) => page.getByRole('dialog');

async function fill(page, { user, password }) {
	await page.getByLabel('User name').fill(user);
	await page.getByLabel('Password', { exact: true }).fill(password);
	await button(page, 'Sign in').click();
}
async function enter({ page }, given, at = '/') {
	await page.goto(given.base + at);
	await fill(page, given);
	await button(page, 'Sign out').waitFor();
}
const listed = (page) => page.getByRole('status').filter({ hasText: /^[\d,]+ items?$|^$/ }).first().waitFor();
async function select(page, ...wanted) {
	for (const name of wanted) await row(page, name).getByRole('checkbox').click();
	await page.getByText(`${wanted.length} selected`).waitFor();
}
const upload = (page, files) => page.locator('input[type=file][multiple]').setInputFiles(files);
const uploaded = (page, n, ms) => page.locator('.uploads h2').getByText(n === 1 ? '1 file uploaded' : `${n.toLocaleString('en')} files uploaded`, { exact: true }).waitFor({ timeout: ms });
async function say(page, name) {
	await dialog(page).getByRole('textbox').fill(name);
	await page.keyboard.press('Enter');
}

// ---- signing in ----

export async function sign_in({ page, shot, accessible }, given) {
	await page.goto(given.base);
	await page.getByRole('heading', { name: 'Sign in' }).waitFor();
	ok(await page.getByLabel('User name').evaluate((e) => e === document.activeElement), 'the first field has the focus');
	await shot('begin');
	await accessible();
	await button(page, 'Sign in').click();
	await page.getByText('Enter your user name.').waitFor();
	await page.getByLabel('User name').fill(given.user);
	await button(page, 'Sign in').click();
	await page.getByText('Enter your password.').waitFor();
	await fill(page, { ...given, password: 'wrong ' + given.password });
	await page.getByText('The user name or the password is wrong.').waitFor();
	await shot('wrong');
	await accessible();
	await fill(page, given);
	await button(page, 'Sign out').waitFor();
	await listed(page);
	ok(/\/app\/folder\/\d+$/.test(page.url()), 'the address is the home folder');
	ok(!(await page.evaluate(() => document.cookie)), 'no cookie for scripts');
	await shot('in');
	await accessible();
	const there = page.url();
	await page.reload();
	await button(page, 'Sign out').waitFor();
	ok(page.url() === there, 'a reload stays signed in, at the same place');
	await page.goto(given.base + '/app/elsewhere');
	await button(page, 'Sign out').click();
	await page.getByText('You are signed out.').waitFor();
	await page.goBack();
	await page.getByRole('heading', { name: 'Sign in' }).waitFor();
	ok((await page.locator('.list').count()) === 0, 'nothing of the list after "back"');
	await page.reload();
	await page.getByRole('heading', { name: 'Sign in' }).waitFor();
}

export async function sign_in_with_code({ page, call, shot, accessible }, given) {
	await page.goto(given.base);
	await fill(page, given);
	await page.getByRole('heading', { name: 'One more step' }).waitFor();
	await shot('code');
	await accessible();
	await page.getByLabel('One-time code').fill('000000');
	await button(page, 'Continue').click();
	await page.getByText('This code is wrong').waitFor();
	await page.getByLabel('One-time code').fill(await call('code'));
	await button(page, 'Continue').click();
	await button(page, 'Sign out').waitFor();
}

export async function german({ page, shot, accessible }, given) {
	await page.goto(given.base);
	await page.getByLabel('Benutzername').fill(given.user);
	await page.getByLabel('Passwort', { exact: true }).fill(given.password);
	await button(page, 'Anmelden').click();
	await button(page, 'Abmelden').waitFor();
	ok((await page.locator('html').getAttribute('lang')) === 'de', 'lang="de"');
	await shot('in');
	await accessible();
	await page.getByLabel('Sprache').selectOption({ label: 'English' });
	await button(page, 'Sign out').waitFor();
	await page.reload();
	await button(page, 'Sign out').waitFor();
}

// The session is ended elsewhere: the page says so, and goes on where it was after signing in again.
export async function ended_elsewhere({ page, call, shot }, given) {
	await enter({ page }, given);
	await listed(page);
	const there = page.url();
	await call('end_sessions');
	await button(page, 'Refresh').click();
	await page.getByText('Your session has ended.').waitFor();
	await shot('ended');
	await fill(page, given);
	await button(page, 'Sign out').waitFor();
	await listed(page);
	ok(page.url() === there, 'the same folder as before');
}

// Where one is signed in; the others are ended.
export async function sessions({ page, context, call, shot, accessible }, given) {
	const other = await context.browser().newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' });
	const there = await other.newPage();
	await enter({ page: there }, given);
	await enter({ page }, given);
	await page.getByRole('link', { name: 'Where you are signed in' }).click();
	const rows = page.locator('.sessions li');
	await eventually('all are shown', async () => (await rows.count()) === given.count);
	ok((await rows.filter({ hasText: 'this one' }).count()) === 1, 'one is this one');
	ok((await rows.filter({ hasText: 'SFTP' }).count()) === 1, 'the SFTP door is there');
	await shot('list');
	await accessible();
	await rows.filter({ hasText: 'SFTP' }).getByRole('button').click();
	await dialog(page).getByRole('button', { name: 'End' }).click();
	await eventually('it is gone', async () => (await rows.count()) === given.count - 1);
	await call('sftp_ended');
	await button(page, 'End all others').click();
	await accessible();
	await dialog(page).getByRole('button', { name: 'End' }).click();
	await eventually('this one is left', async () => (await rows.count()) === 1);
	await button(there, 'Refresh').click();
	await there.getByText('Your session has ended.').waitFor();
	await other.close();
	await page.goBack();
	await listed(page);
}

export async function new_password({ page, shot, accessible }, given) {
	await enter({ page }, given, '/app/sessions');
	const change = async (was, will) => {
		await page.getByLabel('Current password').fill(was);
		await page.getByLabel('New password').fill(will);
		await page.keyboard.press('Enter');
	};
	await button(page, 'Change password…').click();
	await change('wrong', given.next);
	await page.getByText('The current password is wrong.').waitFor();
	await shot('wrong');
	await accessible();
	await change(given.password, 'short');
	await page.getByText('The new password is too short.').waitFor();
	await change(given.password, given.next);
	await page.getByText('Your password was changed').waitFor();
	await button(page, 'Sign out').click();
	await fill(page, given);
	await page.getByText('The user name or the password is wrong.').waitFor();
	await fill(page, { ...given, password: given.next });
	await button(page, 'Sign out').waitFor();
}

// All cookies of the browser, taken to another one, open nothing; the key cannot be taken.
export async function copied_cookie({ page, context }, given) {
	await enter({ page }, given);
	const extractable = await page.evaluate(() => new Promise((resolve, reject) => {
		const request = indexedDB.open('session', 1);
		request.onsuccess = () => {
			const get = request.result.transaction('session').objectStore('session').get('current');
			get.onsuccess = async () => {
				const { privateKey } = get.result.keys;
				const out = await Promise.all(['jwk', 'pkcs8'].map((form) => crypto.subtle.exportKey(form, privateKey).then(() => form, () => '')));
				resolve(privateKey.extractable || out.join(''));
			};
		};
		request.onerror = () => reject(request.error);
	}));
	ok(!extractable, 'the private key cannot be exported');
	const cookies = await context.cookies();
	ok(cookies.length === 1 && cookies[0].name === '__Host-session' && cookies[0].httpOnly && cookies[0].secure && cookies[0].sameSite === 'Strict', 'one cookie, for no script');
	const thief = await context.browser().newContext({ ignoreHTTPSErrors: true });
	await thief.addCookies(cookies);
	const his = await thief.newPage();
	await his.goto(given.base);
	await his.getByRole('heading', { name: 'Sign in' }).waitFor();
	const statuses = await his.evaluate(() => Promise.all(['/api/v1/users/self', '/api/v1/folders', '/api/v1/sessions'].map(async (path) => (await fetch(path)).status)));
	ok(statuses.every((s) => s === 401), `401, not ${statuses}`);
	await thief.close();
	await button(page, 'Refresh').click();
	await listed(page);
}

// ---- folders ----

export async function folders({ page, as, shot, accessible }, given) {
	await enter({ page }, given);
	await button(page, 'New folder').click();
	await dialog(page).getByRole('textbox').fill('a/b');
	await page.keyboard.press('Enter');
	await page.getByText('A name cannot have / in it').waitFor();
	await shot('dialog');
	await accessible();
	await say(page, 'Reports');
	await row(page, 'Reports').waitFor();
	await button(page, 'New folder').click();
	await say(page, 'Reports');
	await page.getByText('This name is taken').waitFor();
	await page.keyboard.press('Escape');
	await button(page, 'New folder').click();
	await say(page, 'Archive');
	await row(page, 'Archive').waitFor();
	await upload(page, [{ name: 'one.txt', mimeType: 'text/plain', buffer: Buffer.from('one') }, { name: 'two.txt', mimeType: 'text/plain', buffer: Buffer.from('two!') }]);
	await uploaded(page, 2);
	await row(page, 'two.txt').waitFor();
	await shot('files');
	await accessible();
	if (as.view === 'desktop') {
		await page.getByRole('columnheader', { name: 'Size' }).getByRole('button').click();
		await eventually('sorted by size', async () => (await names(page)).slice(-2).join() === 'two.txt,one.txt');
		await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
		await eventually('sorted by name', async () => (await names(page)).join() === 'Archive,Reports,one.txt,two.txt');
	}
	await page.getByLabel('Filter by name').fill('two');
	await eventually('filtered', async () => (await names(page)).join() === 'two.txt');
	await page.getByLabel('Filter by name').fill('zzz');
	await page.getByText('No name has “zzz” in it').waitFor();
	await shot('no-match');
	await accessible();
	await button(page, 'Clear the filter').last().click();
	await row(page, 'one.txt').waitFor();

	await select(page, 'one.txt');
	await button(page, 'Rename').click();
	await say(page, 'uno.txt');
	await row(page, 'uno.txt').waitFor();
	await select(page, 'uno.txt', 'two.txt');
	await button(page, 'Move').click();
	await dialog(page).getByText('Reports').click();
	await shot('picker');
	await accessible();
	await button(page, 'Move here').click();
	await eventually('both are gone', async () => (await names(page)).join() === 'Archive,Reports');

	await select(page, 'Reports');
	ok((await button(page, 'Copy').count()) === 0, 'no "Copy" for a folder: the server copies files');
	ok((await button(page, 'Move').count()) === 1, 'but "Move"');
	await button(page, 'Clear the selection').click();

	const home = page.url();
	await row(page, 'Reports').getByRole('link').click();
	await eventually('in the folder', async () => (await names(page)).join() === 'two.txt,uno.txt');
	const inside = page.url();
	ok(inside !== home, 'a folder has an address');
	await page.goBack();
	await row(page, 'Archive').waitFor();
	await page.goForward();
	await row(page, 'uno.txt').waitFor();
	await page.goto(inside); // from a bookmark
	await row(page, 'uno.txt').waitFor();
	await select(page, 'uno.txt');
	await button(page, 'Copy').click();
	await button(page, 'Up one folder').click();
	await dialog(page).getByText('Archive').click();
	await button(page, 'Copy here').click();
	await page.getByText('1 item copied').waitFor();

	await row(page, 'uno.txt').getByText('uno.txt').click();
	await page.getByRole('complementary', { name: 'Details' }).getByText('SHA-256', { exact: true }).waitFor();
	ok(await page.getByText(given.sha256_of_one).isVisible(), 'the SHA-256 of the content');
	await shot('details');
	await accessible();
	await page.keyboard.press('Escape');
	await select(page, 'uno.txt');
	await button(page, 'Delete').click();
	await accessible();
	await dialog(page).getByRole('button', { name: 'Delete' }).click();
	await eventually('one is left', async () => (await names(page)).join() === 'two.txt');
	await page.goto(given.base + '/app/folder/999999999');
	await page.getByText('There is nothing at this address').waitFor();
	await accessible();
	await page.goto(given.base + '/app/nonsense');
	await page.getByText('There is nothing at this address').waitFor();
	await button(page, 'Go to your files').click();
	await row(page, 'Archive').waitFor();
}

// All of it without a mouse.
export async function keyboard({ page, shot }, given) {
	await page.goto(given.base);
	await page.getByRole('heading', { name: 'Sign in' }).waitFor();
	await page.keyboard.type(given.user);
	await page.keyboard.press('Tab');
	await page.keyboard.type(given.password);
	await page.keyboard.press('Enter');
	await button(page, 'Sign out').waitFor();
	await row(page, 'a').waitFor();
	ok(await grid(page).evaluate((e) => e === document.activeElement), 'the list has the focus');
	await page.keyboard.press('?');
	await dialog(page).getByText('Keyboard shortcuts').waitFor();
	await shot('keys');
	await page.keyboard.press('Escape');
	await page.keyboard.press('Enter'); // into the first folder
	await row(page, 'deep.txt').waitFor();
	await page.keyboard.press('F2');
	await dialog(page).waitFor();
	await page.keyboard.press('Control+A');
	await page.keyboard.type('deeper.txt');
	await page.keyboard.press('Enter');
	await row(page, 'deeper.txt').waitFor();
	await page.keyboard.press('Backspace');
	await row(page, 'b').waitFor();
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Space');
	await page.getByText('1 selected').waitFor();
	await page.keyboard.press('Shift+ArrowDown');
	await page.getByText('2 selected').waitFor();
	await page.keyboard.press('Escape');
	await page.keyboard.press('Control+A');
	await page.getByText('3 selected').waitFor();
	await page.keyboard.press('Delete');
	await dialog(page).getByText('Delete 3 items?').waitFor();
	await page.keyboard.press('Escape');
	await page.keyboard.press('/');
	await page.keyboard.type('b');
	await eventually('filtered', async () => (await names(page)).join() === 'b');
}

// What others named: text, whatever it is.
export async function hostile_names({ page, shot, accessible }, given) {
	await enter({ page }, given);
	await listed(page);
	await eventually('all are there', async () => (await names(page)).length === given.names.length);
	ok((await page.locator('img, iframe, object, embed, [onerror]').count()) === 0, 'no element came of a name');
	ok(!(await page.evaluate(() => globalThis.pwned)), 'no script ran');
	const shown = (await names(page)).join('\n');
	ok(!/[\u202a-\u202e\u2066-\u2069\u200b-\u200f]/.test(shown), 'what is unseen is made visible');
	await shot('names');
	await accessible();
	const files = await page.locator('.list .body .row').count();
	for (let i = 0; i < files; i++) {
		await page.locator('.list .body .row').nth(i).locator('.c-name button').click();
		await page.locator('.details dl').waitFor();
		const begin = page.waitForEvent('download');
		await page.locator('.details').getByRole('button', { name: 'Download', exact: true }).click();
		const got = await begin;
		ok((await got.failure()) === null, 'it is downloaded, and not shown');
		ok(!got.suggestedFilename().includes('/'), got.suggestedFilename());
		await page.keyboard.press('Escape');
	}
	ok(!(await page.evaluate(() => globalThis.pwned)), 'no script ran');
	// an address of stored content, opened as a page: a download again, whatever its kind
	return shown;
}

// A folder of 100,000: the replies are made here, so that this is about the page alone.
export async function a_hundred_thousand({ page, shot }, given) {
	const total = 100000;
	let asked = 0;
	await page.route('**/api/v1/folders/*/content?*', async (route) => {
		const q = new URL(route.request().url()).searchParams, per = Number(q.get('perPage')), first = (Number(q.get('page')) - 1) * per;
		asked++;
		const items = Array.from({ length: Math.max(0, Math.min(per, total - first)) }, (_, i) => ({
			id: String(1000 + first + i), name: `file-${String(first + i).padStart(6, '0')}.dat`, type: 'File', size: i, lastUpdateTime: '2026-01-01T00:00:00',
			uploadStamp: '2026-01-01T00:00:00', folderID: '1', path: '/x',
		}));
		await route.fulfill({ json: { items, paging: { page: Number(q.get('page')), perPage: per, totalItems: total, totalPages: Math.ceil(total / per) }, sorting: [] } });
	});
	await enter({ page }, given);
	await page.getByText('100,000 items').waitFor();
	await row(page, 'file-000000.dat').waitFor();
	await grid(page).focus();
	await page.keyboard.press('End');
	await row(page, 'file-099999.dat').waitFor();
	await shot('end');
	// frames while it scrolls through all of it
	const slow = await page.evaluate(async () => {
		const list = document.querySelector('.list'), gaps = [];
		list.scrollTop = 0;
		await new Promise((r) => setTimeout(r, 300));
		let last = performance.now();
		for (let i = 1; i <= 120; i++) {
			list.scrollTop = (list.scrollHeight * i) / 120;
			await new Promise(requestAnimationFrame);
			gaps.push(performance.now() - last);
			last = performance.now();
		}
		return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
	});
	const drawn = await page.locator('.list .body .row').count();
	ok(drawn < 120, `${drawn} rows are drawn`);
	ok(asked < 400, `${asked} pages were asked for`);
	return { median_frame_ms: slow, drawn, asked };
}

// ---- up and down ----

export async function up_and_down({ page, shot, accessible }, given) {
	await enter({ page }, given);
	await upload(page, given.file);
	await uploaded(page, 1, 60000);
	await shot('uploaded');
	await accessible();
	await button(page, 'Clear the list').click();
	await select(page, given.name);
	const begin = page.waitForEvent('download');
	await button(page, 'Download').click();
	const got = await begin;
	ok(got.suggestedFilename() === given.name, got.suggestedFilename());
	ok((await got.failure()) === null, 'the download is whole');
	ok(readFileSync(await got.path()).equals(readFileSync(given.file)), 'and the same');
}

// Several things at once come as one ZIP file, which the test looks into.
export async function zip({ page, as, call, shot }, given) {
	const phone = as.view === 'phone';
	await enter({ page }, given);
	await row(page, 'sub').waitFor();
	const take = async (name, click) => {
		const begin = page.waitForEvent('download');
		await click();
		const got = await begin;
		ok((await got.failure()) === null, 'the download is whole');
		await call('check', name, got.suggestedFilename(), await got.path());
	};
	await select(page, 'one.txt', 'sub');
	await take('some', () => button(page, 'Download').click());
	await button(page, 'Clear the selection').click();
	await page.getByRole('checkbox', { name: 'Select all' }).click();
	await take('all', () => button(page, 'Download').click());
	await button(page, 'Clear the selection').click();
	if (!phone) await take('all', () => button(page, 'Download all').click());
	await shot('zip');
}

// A big upload, whose line goes down, whose server is restarted, that is paused, and whose page is left and comes back.
export async function interrupted({ page, call, shot, accessible }, given) {
	page.on('dialog', (d) => void d.accept()); // "leave this page?"
	const offsets = [], creations = [];
	page.on('response', (r) => {
		if (!r.url().includes('/api/v1/tus') || !r.ok()) return;
		if (r.request().method() === 'HEAD') offsets.push(Number(r.headers()['upload-offset']));
		if (r.request().method() === 'POST') creations.push(r.url());
	});
	const at = (part) => eventually(`${part} is sent`, async () => Number(await page.locator('.uploads li progress').first().getAttribute('value').catch(() => 0)) >= part, 60000);
	const goes_on = (n) => eventually(`it goes on for the ${n}th time`, () => offsets.length >= n, 60000);
	await enter({ page }, given);
	await upload(page, given.file);
	await at(0.15);
	await call('cut');
	await page.getByText('No connection. It goes on by itself.').waitFor();
	await shot('no-line');
	await accessible();
	await call('mend');
	await goes_on(1);
	await at(0.35);
	await call('restart');
	await goes_on(2);
	await at(0.55);
	await button(page, `Pause: ${given.name}`).click();
	await page.getByText('Paused').waitFor();
	await shot('paused');
	await sleep(500);
	await button(page, `Go on: ${given.name}`).click();
	await goes_on(3);
	await at(0.75);
	await page.reload();
	await listed(page);
	await upload(page, given.file); // the same file once more
	await goes_on(4);
	await uploaded(page, 1, 60000);
	await row(page, given.name).waitFor();
	ok(creations.length === 1, `one upload was made, not ${creations.length}`);
	ok(offsets.every((o, i) => o >= (offsets[i - 1] ?? 1)), `it never began anew: ${offsets}`);
	ok(offsets.at(-1) > given.size / 2, `not much was sent twice: ${offsets}`);
	ok((await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tus::')).length)) === 0, 'nothing is kept of what is done');
	return offsets;
}

// What was begun and is given up is gone from the server too; who signs out leaves no address of it behind.
export async function given_up({ page }, given) {
	page.on('dialog', (d) => void d.accept());
	await enter({ page }, given);
	await upload(page, given.file);
	await page.getByText(/left$/).first().waitFor();
	const gone = page.waitForResponse((r) => r.request().method() === 'DELETE' && r.url().includes('/api/v1/tus/'));
	await button(page, `Cancel: ${given.name}`).click();
	ok((await gone).status() === 204, 'the server dropped it');
	await page.getByText('Cancelled').waitFor();
	await button(page, `Try again: ${given.name}`).click();
	await page.getByText(/left$/).first().waitFor();
	ok((await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tus::')).length)) === 1, 'its address is kept');
	await button(page, 'Sign out').click();
	await page.getByText('You are signed out.').waitFor();
	ok((await page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('tus::')).length)) === 0, 'and goes with the user');
}

export async function taken_names({ page, shot, accessible }, given) {
	const file = (text) => ({ name: 'plan.txt', mimeType: 'text/plain', buffer: Buffer.from(text) });
	await enter({ page }, given);
	await upload(page, file('first'));
	await uploaded(page, 1);
	await button(page, 'Clear the list').click();
	await upload(page, file('second'));
	await page.getByText('This name is taken').waitFor();
	await shot('asked');
	await accessible();
	await button(page, 'Skip').click();
	await page.getByText('Skipped').waitFor();
	await button(page, 'Clear the list').click();
	await upload(page, file('third'));
	await button(page, 'Keep both').click();
	await uploaded(page, 1);
	await row(page, 'plan (1).txt').waitFor();
	await button(page, 'Clear the list').click();
	await upload(page, file('fourth'));
	await button(page, 'Replace').click();
	await uploaded(page, 1);
}

export async function a_folder({ page, shot }, given) {
	await enter({ page }, given);
	await page.locator('input[type=file]:not([multiple])').setInputFiles(given.folder);
	await uploaded(page, given.files, 300000);
	await shot('uploaded');
	await row(page, given.folder.replace(/.*\//, '')).getByRole('link').click();
	await row(page, 'inner').waitFor();
}

// ---- what one may not ----

export async function only_reading({ page, shot, accessible }, given) {
	await enter({ page }, given, given.at);
	await row(page, given.name).waitFor();
	for (const name of ['Upload files', 'New folder']) ok((await button(page, name).count()) === 0, `no "${name}" where it is not allowed`);
	await select(page, given.name);
	for (const name of ['Rename', 'Move', 'Delete']) ok((await button(page, name).count()) === 0, `no "${name}"`);
	await shot('reader');
	await accessible();
}
