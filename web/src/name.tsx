// name.tsx - a name from somebody else: text, isolated from its surroundings, with what is unseen made visible.
import { visible } from './format';

export const Name = ({ children, end = false }: { children: string; end?: boolean }) => {
	const shown = visible(children);
	if (!end) return <bdi>{shown}</bdi>;
	// When it is cut, its end stays: that is where names differ and kinds are told.
	const chars = [...shown], cut = chars.length > 24 ? chars.length - 10 : chars.length;
	return (
		<bdi class="name" title={shown}>
			<span class="name-begin">{chars.slice(0, cut).join('')}</span>
			{cut < chars.length && <span class="name-end">{chars.slice(cut).join('')}</span>}
		</bdi>
	);
};
