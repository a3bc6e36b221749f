// build.mjs - bundles the portal into the folder of the first argument: index.html and assets/, names with a hash of the content.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2]);

const result = await build({
	absWorkingDir: here,
	entryPoints: { app: 'src/main.tsx' },
	outdir: '/out',
	bundle: true,
	write: false,
	minify: true,
	format: 'esm',
	target: 'es2021',
	charset: 'utf8',
	legalComments: 'none',
	jsx: 'automatic',
	jsxImportSource: 'preact',
	logLevel: 'warning',
});

const hashed = new Map();
for (const file of result.outputFiles) {
	const [, stem, ext] = /([^/\\]+)\.(js|css)$/.exec(file.path);
	const hash = createHash('sha256').update(file.contents).digest('hex').slice(0, 16);
	hashed.set(`/assets/${stem}.${ext}`, { name: `assets/${stem}-${hash}.${ext}`, contents: file.contents });
}

let page = readFileSync(join(here, 'index.html'), 'utf8');
for (const [plain, { name }] of hashed) {
	if (!page.includes(`"${plain}"`))
		throw new Error(`index.html does not name ${plain}`);
	page = page.replace(`"${plain}"`, `"/${name}"`);
}
if (hashed.size !== 2)
	throw new Error(`one script and one style were expected, not ${hashed.size} files`);

rmSync(join(out, 'assets'), { recursive: true, force: true });
mkdirSync(join(out, 'assets'), { recursive: true });
for (const { name, contents } of hashed.values())
	writeFileSync(join(out, name), contents);
writeFileSync(join(out, 'index.html'), page);
