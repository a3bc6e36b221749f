// details.tsx - the panel that tells all about one file: its content's hash, who sent it, its versions.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as actions from './actions';
import * as api from './api';
import { bytes, moment } from './format';
import { Icon } from './icons';
import { Name } from './name';
import { tell } from './notice';
import { useCell } from './observable';
import { explain, lang, useText } from './text';
import type { FileDetails, Permission, Version } from './types';

interface Props {
	id: number;
	stamp: number; // another one: look again
	may: Permission;
	close: () => void;
}

export function Details({ id, stamp, may, close }: Props) {
	const t = useText(), language = useCell(lang);
	const [file, setFile] = useState<FileDetails>(), [versions, setVersions] = useState<Version[]>([]), [error, setError] = useState('');
	const heading = useRef<HTMLHeadingElement>(null);
	useEffect(() => {
		let here = true;
		setError('');
		if (file?.id !== String(id)) setFile(undefined);
		Promise.all([api.file(id), api.versions(id).catch(() => undefined)]).then(
			([f, v]) => {
				if (!here) return;
				setFile(f);
				setVersions(v?.items ?? []);
			},
			(e) => here && setError(explain(e)),
		);
		return () => void (here = false);
	}, [id, stamp]);
	useEffect(() => heading.current?.focus(), [id]);

	const who = (f: { uploadUserFullName: string; uploadUsername: string }) => <Name>{f.uploadUserFullName || f.uploadUsername || '–'}</Name>;
	const copyHash = (hash: string): void => void navigator.clipboard?.writeText(hash).then(() => tell(t.done.copiedText), () => undefined);
	return (
		<aside class="details" aria-label={t.details.title} onKeyDown={(e) => {
			if (e.key !== 'Escape') return;
			e.stopPropagation();
			close();
		}}>
			<header>
				<h2 tabIndex={-1} ref={heading}>{file ? <Name>{file.name}</Name> : t.details.title}</h2>
				<button type="button" class="plain" aria-label={t.act.close} onClick={close}><Icon name="close" /></button>
			</header>
			{error && <p class="error" role="alert">{error}</p>}
			{!file && !error && <p class="hint">{t.list.loading}</p>}
			{file && (
				<>
					{may.canReadFiles && (
						<button type="button" class="primary" onClick={() => void actions.download(id)}><Icon name="download" />{t.act.download}</button>
					)}
					<dl>
						<dt>{t.details.size}</dt>
						<dd>{bytes(file.size, language)}{file.size > 999 && <> ({t.details.bytes(file.size)})</>}</dd>
						<dt>{t.details.uploaded}</dt><dd>{moment(file.uploadStamp, language)}</dd>
						<dt>{t.details.by}</dt><dd>{who(file)}</dd>
						{file.uploadComment && <><dt>{t.details.comment}</dt><dd><Name>{file.uploadComment}</Name></dd></>}
						<dt>{t.details.downloads}</dt><dd>{file.downloadCount.toLocaleString(language)}</dd>
						{(file.sha256 || file.hash) && (
							<>
								<dt>{t.details.sha256}</dt>
								<dd class="hash"><code>{file.sha256 || file.hash}</code>
									<button type="button" class="plain" aria-label={t.details.sha256Copy} title={t.details.sha256Copy} onClick={() => copyHash(file.sha256 || file.hash)}><Icon name="copy" /></button>
								</dd>
							</>
						)}
					</dl>
					<h3>{t.details.versions}</h3>
					{versions.length > 1 ? (
						<ol class="versions">
							{versions.map((v) => (
								<li key={v.version}>
									<strong>{t.details.version(v.version)}{v.version === file.version && ` (${t.details.current})`}</strong>
									<span>{moment(v.uploadStamp, language)}</span>
									<span>{who(v)} · {bytes(v.size, language)}</span>
								</li>
							))}
						</ol>
					) : <p class="hint">{t.details.noVersions}</p>}
				</>
			)}
		</aside>
	);
}
