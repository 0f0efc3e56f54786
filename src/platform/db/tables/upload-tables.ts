/** Uploads. */
export type UploadTables = {}
