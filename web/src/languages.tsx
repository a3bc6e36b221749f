// languages.tsx - the choice of the page's language.
import { useCell } from './observable';
import { type Lang, choose, lang, languages, useText } from './text';

export function Languages() {
	const t = useText(), now = useCell(lang);
	return (
		<select class="languages" aria-label={t.language} value={now} onChange={(e) => choose(e.currentTarget.value as Lang)}>
			{languages.map(([id, name]) => <option value={id} lang={id} key={id}>{name}</option>)}
		</select>
	);
}
