// build.mjs OUT.c OUT.d - bundles the portal, and writes it as the C array that is compiled into the HTTPS door, and what it was made of.
// The names of scripts and styles have a hash of their content, so that browsers may keep them for ever.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const [out, depfile] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
if (!existsSync(join(here, 'node_modules'))) {
	console.error('web/node_modules is missing: run scripts/deps');
	process.exit(69);
}
const { build } = await import('esbuild');

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };

const result = await build({
	absWorkingDir: here,
	entryPoints: { app: 'src/main.tsx' },
	outdir: '/out',
	bundle: true,
	write: false,
	metafile: true,
	minify: true,
	format: 'esm',
	target: 'es2021',
	charset: 'utf8',
	legalComments: 'none',
	jsx: 'automatic',
	jsxImportSource: 'preact',
	logLevel: 'warning',
});

const hash = (content) => createHash('sha256').update(content).digest('hex').slice(0, 16);
const files = [];
let page = readFileSync(join(here, 'index.html'), 'utf8');

// add - a file that the page names as /assets/PLAIN.
function add(plain, content) {
	const [, stem, ext] = /^(\w+)\.(\w+)$/.exec(plain);
	const name = `${stem}-${hash(content)}.${ext}`;
	if (!page.includes(`"/assets/${plain}"`)) throw new Error(`index.html does not name ${plain}`);
	page = page.replace(`"/assets/${plain}"`, `"/assets/${name}"`);
	files.push({ name, type: TYPES[ext], content: Buffer.from(content) });
}
for (const file of result.outputFiles) add(/[^/\\]+$/.exec(file.path)[0], file.contents);
add('icon.svg', readFileSync(join(here, 'icon.svg')));
if (/"\/assets\/\w+\.\w+"/.test(page)) throw new Error('index.html names a file that was not built');
files.push({ name: 'index.html', type: TYPES.html, content: Buffer.from(page) });

const bytes = (content) => content.toString('hex').replace(/../g, '0x$&,').replace(/(.{150})/g, '$1\n');
const arrays = files.map(({ content }, i) =>
	`static const uint8_t plain_${i}[] = {${bytes(content)}};\nstatic const uint8_t gzip_${i}[] = {${bytes(gzipSync(content, { level: 9 }))}};\n`);
const rows = files.map(({ name, type, content }, i) =>
	`\t{"${name}", "${type}", "${hash(content)}", {plain_${i}, sizeof(plain_${i})}, {gzip_${i}, sizeof(gzip_${i})}},\n`);
writeFileSync(out, `/* made by web/build.mjs */\n#include "rooms/gate/https/page.h"\n\n${arrays.join('')}
const struct page_file page_files[] = {\n${rows.join('')}};\nconst size_t page_files_n = ${files.length};\n`);

const inputs = [...Object.keys(result.metafile.inputs), 'index.html', 'icon.svg', 'package-lock.json'];
writeFileSync(depfile, `${out}: ${inputs.map((f) => join(here, f).replace(/ /g, '\\ ')).join(' ')}\n`);
