const PREFIX = 'kura://files/'

/**
 * The stable address of a stored file, as it stands in blobs and documents. It is no HTTP URL and
 * gives nobody access: whoever presents it to a client signs a URL for the file id.
 */
export const fileAddress = (file_id: string): string => `${PREFIX}${file_id}`

/** The file id of an address made by `fileAddress`; null for any other text. */
export function parseFileAddress(address: string): string | null {
  if (!address.startsWith(PREFIX)) return null
  const file_id = address.slice(PREFIX.length)
  return /^file_[a-z0-9]+$/.test(file_id) ? file_id : null
}
