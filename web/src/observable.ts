// observable.ts - a value that views are drawn from again when it changes.
import { useEffect, useState } from 'preact/hooks';

export class Cell<T> {
	private watchers = new Set<() => void>();
	constructor(private current: T) {}

	get value(): T {
		return this.current;
	}
	set(value: T): void {
		if (value === this.current) return;
		this.current = value;
		this.touch();
	}
	// For values that are changed in place.
	touch(): void {
		for (const watch of [...this.watchers]) watch();
	}
	watch(fn: () => void): () => void {
		this.watchers.add(fn);
		return () => void this.watchers.delete(fn);
	}
}

export function useCell<T>(cell: Cell<T>): T {
	const [, draw] = useState(0);
	useEffect(() => {
		let seen = true;
		const stop = cell.watch(() => seen && draw((n) => n + 1));
		draw((n) => n + 1);
		return () => {
			seen = false;
			stop();
		};
	}, [cell]);
	return cell.value;
}
