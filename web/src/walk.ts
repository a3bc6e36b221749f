// walk.ts - what was dropped or chosen, as files with the folders that they lie in.
export interface Found {
	file: File | undefined; // none: an empty folder
	folders: string[];
}

const file = (entry: FileSystemFileEntry): Promise<File> => new Promise((resolve, reject) => entry.file(resolve, reject));

// readEntries gives a hundred at a time.
async function children(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
	const reader = entry.createReader(), all: FileSystemEntry[] = [];
	for (;;) {
		const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
		if (some.length === 0) return all;
		all.push(...some);
	}
}

async function walk(entry: FileSystemEntry, folders: string[], found: (f: Found[]) => void, failed: () => void): Promise<void> {
	try {
		if (entry.isFile) return found([{ file: await file(entry as FileSystemFileEntry), folders }]);
		const inside = [...folders, entry.name], below = await children(entry as FileSystemDirectoryEntry);
		if (below.length === 0) found([{ file: undefined, folders: inside }]);
		for (const child of below) await walk(child, inside, found, failed);
	} catch {
		failed();
	}
}

// dropped - the entries are taken at once, as the event's data is gone after it; then they are walked.
export async function dropped(data: DataTransfer, found: (f: Found[]) => void, failed: () => void): Promise<void> {
	const entries: FileSystemEntry[] = [], plain: File[] = [];
	for (const item of data.items) {
		if (item.kind !== 'file') continue;
		const entry = item.webkitGetAsEntry?.();
		if (entry) entries.push(entry);
		else {
			const f = item.getAsFile();
			if (f) plain.push(f);
		}
	}
	if (plain.length) found(plain.map((f) => ({ file: f, folders: [] })));
	for (const entry of entries) await walk(entry, [], found, failed);
}

export const chosen = (files: FileList): Found[] =>
	[...files].map((f) => ({ file: f, folders: f.webkitRelativePath.split('/').filter(Boolean).slice(0, -1) }));
