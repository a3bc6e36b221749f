// host.mjs - Chromium for tests/e2e/test_portal.py: a line of JSON in asks for a journey, a line out says how it went.
//
//   in   {"journey": NAME, "with": {base, ...}, "as": {view, scheme, locale}, "shots": FOLDER}
//   out  {"call": NAME, "args": [...]}: something that only the test can do; the next line in is its answer
//        {"done": RETURNED} or {"failed": TEXT}
//
// Every journey has a browser context of its own. It fails too when the page violates its Content-Security-Policy, throws, or
// asks any other server for anything.
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as journeys from './journeys.mjs';

const web = join(dirname(fileURLToPath(import.meta.url)), '../../web/package.json');
const { chromium } = createRequire(web)('playwright-core');
const axe = createRequire(web).resolve('axe-core/axe.min.js');

const VIEWS = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 740 }, '4k': { width: 3840, height: 2160 } };
const WAIT_MS = 6000;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
async function hear() {
	const { value, done } = await lines.next();
	return done ? undefined : JSON.parse(value);
}
async function call(name, ...args) {
	say({ call: name, args });
	return hear();
}

// Chromium's log of failed requests is no defect of the page: which replies it gets is what the journeys are about.
const expected = /^Failed to load resource: /;

async function walk(browser, { journey, with: given, as, shots }) {
	const phone = as.view === 'phone';
	const context = await browser.newContext({
		viewport: VIEWS[as.view], colorScheme: as.scheme, locale: as.locale, ignoreHTTPSErrors: true, acceptDownloads: true,
		hasTouch: phone, isMobile: phone, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'],
	});
	const wrong = [];
	await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) =>
		console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`)));
	context.on('console', (m) => {
		if ((m.type() === 'error' || m.type() === 'warning') && !expected.test(m.text())) wrong.push(`${m.type()}: ${m.text()}`);
	});
	context.on('weberror', (e) => wrong.push(`thrown: ${e.error().stack}`));
	context.on('request', (r) => {
		if (!r.url().startsWith(given.base + '/') && !r.url().startsWith('blob:')) wrong.push(`another server: ${r.url()}`);
	});
	context.setDefaultTimeout(WAIT_MS);
	const page = await context.newPage();
	let n = 0;
	const tools = {
		context, page, call, as,
		// shot - a picture of the page as it is now.
		shot: (name) => page.screenshot({ path: join(shots, `${journey}-${as.view}-${as.scheme}-${++n}-${name}.png`) }),
		// accessible - what axe-core finds by WCAG 2.2 AA is a failure.
		accessible: async () => {
			await page.evaluate((await import('node:fs')).readFileSync(axe, 'utf8')); // past the page's policy, as an extension's script is
			const { violations } = await page.evaluate(() =>
				globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
			for (const v of violations) wrong.push(`axe: ${v.id}: ${v.help}: ${v.nodes.map((x) => x.html.slice(0, 300)).join(' | ')}`);
		},
	};
	try {
		const ret = await journeys[journey](tools, given);
		if (wrong.length) return { failed: wrong.join('\n') };
		return { done: ret ?? null };
	} catch (e) {
		await tools.shot('failed').catch(() => undefined);
		return { failed: [e.stack, ...wrong].join('\n') };
	} finally {
		await context.close();
	}
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--disable-gpu'] });
for (let order = await hear(); order; order = await hear()) {
	mkdirSync(order.shots, { recursive: true });
	say(await walk(browser, order));
}
await browser.close();
