// types.ts - what the server sends, as far as the page uses it.
export interface Paging {
	page: number;
	perPage: number;
	totalItems: number;
	totalPages: number;
}
export interface Page<T> {
	items: T[];
	paging: Paging;
}
export interface Permission {
	canListSubfolders: boolean;
	canAddSubfolders: boolean;
	canDelete: boolean;
	canListFiles: boolean;
	canReadFiles: boolean;
	canWriteFiles: boolean;
	canDeleteFiles: boolean;
}
export interface Folder {
	id: number;
	parentId: number;
	name: string;
	path: string;
	folderType: string;
	lastContentChangeTime: string;
	permission: Permission;
	subfolderCount: number;
	totalFileCount: number;
}
export interface Item {
	id: number;
	parentId: number;
	type: 'Folder' | 'File';
	name: string;
	path: string;
	lastUpdateTime: string;
	size: number;
}
export interface FileDetails {
	id: string;
	name: string;
	path: string;
	size: number;
	folderID: number;
	uploadUsername: string;
	uploadUserFullName: string;
	uploadStamp: string;
	uploadComment: string;
	downloadCount: number;
	version: number;
	hash: string;
	sha256: string;
}
export interface Version {
	version: number;
	size: number;
	sha256: string;
	uploadStamp: string;
	uploadUsername: string;
	uploadUserFullName: string;
	uploadComment: string;
}
export interface Session {
	id: string;
	kind: 'browser' | 'token' | 'sftp';
	current: boolean;
	createdTime: string;
	lastUsedTime: string;
	address: string;
	agent: string;
}
export interface User {
	id: string;
	username: string;
	fullName: string;
	homeFolderID: number;
}
